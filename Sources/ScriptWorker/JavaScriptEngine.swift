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
        /// Whether it was ended because its time was over.
        var isOvertime = false
    }

    /// Global objects that are made before the scripts come.
    private static let reserve = 4
    /// Old global objects are collected after this many runs.
    private static let collectEvery = 32

    private let group: JSContextGroupRef
    private let limit: TimeLimit
    /// Whether the next script finds nothing of the last one; a machine of which that is not known is given up.
    private(set) var isSound = true
    private var realms: [Realm] = []
    private var runs = 0
    /// The scripts that came last, the newest in front, and whether they have asked for the prelude.
    private var recent: [(source: String, usesPrelude: Bool)] = []
    /// Whether the last two were the same one.
    private var isRepeated = false

    init() {
        group = JSContextGroupCreate()
        limit = TimeLimit(group: group)
    }

    /// Zones, calendars and number forms are read from files, which must be open before the jail closes.
    ///
    /// - Returns: why it cannot be done, nil when it is.
    func warmUp() -> String? {
        let outcome = run(
            """
            const zones = ["UTC", "Europe/Berlin", "Asia/Shanghai", "America/New_York"];
            const text = zones.map((timeZone) => new Date(0).toLocaleString("en-US", { timeZone })).join();
            return text + new Intl.NumberFormat("en-US").format(1234.5) + "b".localeCompare("a") + "ß".normalize("NFKD")
                + new Date().getTimezoneOffset() + crypto.randomUUID();
            """,
            context: "{}",
            // Never, but the thread that looks at the time has to be there before nothing can be opened any more.
            until: .max
        )
        return outcome.value == nil ? outcome.message : nil
    }

    var isReady: Bool { !realms.isEmpty }

    /// Makes one more global object for a script to come; to be called while nothing waits.
    ///
    /// - Returns: whether there is room for another.
    func prepare() -> Bool {
        guard realms.count < Self.reserve else { return false }
        let realm = Realm(group: group)
        // Read for whichever of them has none ready yet.
        // Where others wait, only for a script that comes again and again: what is done for the wrong one is lost.
        let missing = recent.first { script in !realms.contains { $0.source == Array(script.source.utf8) } }
        if isReady || isRepeated, let script = missing ?? recent.first {
            realm.prepare(for: script.source, withPrelude: script.usesPrelude)
        }
        realms.append(realm)
        return realms.count < Self.reserve
    }

    /// A global object that no script has run in, if there is one with this script read already.
    private func takeRealm(for source: String) -> Realm {
        let bytes = Array(source.utf8)
        let place = realms.lastIndex { $0.source == bytes } ?? realms.lastIndex { $0.source == nil }
        return place.map { realms.remove(at: $0) } ?? realms.popLast() ?? Realm(group: group)
    }

    private func remember(_ source: String, usesPrelude: Bool) {
        isRepeated = recent.first?.source.utf8.elementsEqual(source.utf8) ?? false
        if !isRepeated {
            recent.removeAll { $0.source.utf8.elementsEqual(source.utf8) }
            recent.insert((source, false), at: 0)
            if recent.count > Self.reserve { recent.removeLast() }
        }
        if usesPrelude { recent[0].usesPrelude = true }
    }

    /// Runs the body of a function, whose one argument is `context`, a JSON object.
    ///
    /// `deadline`: when to end it, as far as the engine can, in nanoseconds of `TimeLimit.now`; nil for those that may be
    /// trusted, since looking at the time costs another thread.
    func run(_ source: String, context json: String, until deadline: UInt64?) -> Outcome {
        let realm = takeRealm(for: source)
        ScriptOutput.begin()
        if let deadline { limit.begin(until: deadline) }
        var outcome = call(source, json, realm)
        if deadline != nil, limit.end() {
            outcome.isOvertime = true
            isSound = clear(realm)
        }
        outcome.output = ScriptOutput.take()
        remember(source, usesPrelude: realm.isFurnished)
        runs += 1
        if runs % Self.collectEvery == 0 { JSGarbageCollect(realm.context) }
        return outcome
    }

    /// The end of a job that a script has left behind waits in the machine for the next call, whosever it is.
    ///
    /// - Returns: whether nothing of it is left.
    private func clear(_ realm: Realm) -> Bool {
        let nothing = JavaScriptText.make("0")
        defer { JSStringRelease(nothing) }
        for _ in 0..<3 {
            limit.begin(until: TimeLimit.now + 5_000_000)
            let isDone = JSEvaluateScript(realm.context, nothing, nil, nil, 1, nil) != nil
            if !limit.end(), isDone { return true }
        }
        return false
    }

    /// Reads a script without running it: an empty value when it holds.
    func check(_ source: String) -> Outcome {
        let realm = Realm(group: group)
        var fault: JSValueRef?
        if realm.function(of: source, &fault) != nil { return Outcome(value: "") }
        return JavaScriptValues(context: realm.context).outcome(fault: fault, lines: Self.lines(source))
    }

    private static func lines(_ source: String) -> Int { source.utf8.count { $0 == 0x0A } + 1 }

    private func call(_ source: String, _ json: String, _ realm: Realm) -> Outcome {
        let context = realm.context
        let values = JavaScriptValues(context: context)
        let lines = Self.lines(source)
        var fault: JSValueRef?
        let input = JavaScriptText.make(json)
        defer { JSStringRelease(input) }
        guard let function = realm.function(of: source, &fault) else {
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
