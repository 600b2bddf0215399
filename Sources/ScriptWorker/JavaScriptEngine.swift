import CJavaScriptCore

/// One virtual machine of JavaScriptCore; every script runs in a global object of its own.
///
/// Compiled code is kept by the machine, keyed by its source.
final class JavaScriptEngine {
    struct Outcome {
        /// nil when the script has failed.
        var value: String?
        var message = ""
        /// Of the script as typed, from 1; 0 when unknown.
        var line = 0
        var column = 0
        var output = ""
    }

    /// Global objects that are made before the scripts come.
    private static let reserve = 4
    /// Old global objects are collected after this many runs.
    private static let collectEvery = 32

    private let group: JSContextGroupRef
    private var realms: [Realm] = []
    private var runs = 0
    private let parameter = JavaScriptText.make("context")

    init() {
        group = JSContextGroupCreate()
        // Zones, calendars and number forms are read from files, which must be open before the jail closes.
        _ = run(
            """
            const zones = ["UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York"];
            const text = zones.map((timeZone) => new Date(0).toLocaleString("en-US", { timeZone })).join();
            return text + new Intl.NumberFormat("en-US").format(1234.5) + "b".localeCompare("a") + "ß".normalize("NFKD")
                + new Date().getTimezoneOffset() + crypto.randomUUID();
            """,
            context: "{}"
        )
    }

    var isReady: Bool { !realms.isEmpty }

    /// Makes one more global object for a script to come; to be called while nothing waits.
    ///
    /// - Returns: whether there is room for another.
    func prepare() -> Bool {
        if realms.count < Self.reserve { realms.append(Realm(group: group)) }
        return realms.count < Self.reserve
    }

    /// Runs the body of a function, whose one argument is `context`, a JSON object.
    func run(_ source: String, context json: String) -> Outcome {
        let realm = realms.popLast() ?? Realm(group: group)
        ScriptOutput.begin()
        var outcome = call(source, json, realm)
        outcome.output = ScriptOutput.take()
        runs += 1
        if runs % Self.collectEvery == 0 { JSGarbageCollect(realm.context) }
        return outcome
    }

    /// Reads a script without running it: an empty value when it holds.
    func check(_ source: String) -> Outcome {
        let realm = realms.popLast() ?? Realm(group: group)
        var fault: JSValueRef?
        if function(of: source, realm.context, &fault) != nil { return Outcome(value: "") }
        return JavaScriptValues(context: realm.context).outcome(fault: fault, lines: Self.lines(source))
    }

    private static func lines(_ source: String) -> Int { source.utf8.count { $0 == 0x0A } + 1 }

    private func function(
        of source: String,
        _ context: JSContextRef,
        _ fault: inout JSValueRef?
    ) -> JSObjectRef? {
        let body = JavaScriptText.make(source)
        defer { JSStringRelease(body) }
        var names: [JSStringRef?] = [parameter]
        return JSObjectMakeFunction(context, nil, 1, &names, body, nil, 1, &fault)
    }

    private func call(_ source: String, _ json: String, _ realm: Realm) -> Outcome {
        let context = realm.context
        let values = JavaScriptValues(context: context)
        let lines = Self.lines(source)
        var fault: JSValueRef?
        let input = JavaScriptText.make(json)
        defer { JSStringRelease(input) }
        guard let function = function(of: source, context, &fault) else {
            return values.outcome(fault: fault, lines: lines)
        }
        var arguments: [JSValueRef?] = [JSValueMakeFromJSONString(context, input)]
        guard let value = JSObjectCallAsFunction(context, function, nil, 1, &arguments, &fault) else {
            return values.outcome(fault: fault, lines: lines)
        }
        guard JSValueIsObject(context, value) else { return values.outcome(value: value) }
        return settle(value, realm, values, lines: lines)
    }

    /// Waits for the result of a promise; jobs run whenever a call into the machine ends.
    private func settle(
        _ value: JSValueRef,
        _ realm: Realm,
        _ values: JavaScriptValues,
        lines: Int
    ) -> Outcome {
        var fault: JSValueRef?
        let box = realm.boxed(value, &fault)
        guard fault == nil else { return values.outcome(fault: fault, lines: lines) }
        guard let box, JSValueIsObject(realm.context, box) else { return values.outcome(value: value) }
        guard let result = values.property("value", of: box) else { return Outcome(message: "no result") }
        switch values.number("state", of: box) {
        case 1: return values.outcome(value: result)
        case 2: return values.outcome(fault: result, lines: lines)
        default: return Outcome(message: "the promise that was returned is never settled")
        }
    }
}
