import CJavaScriptCore

/// One global object, in which one script runs.
///
/// What scripts find there besides the language is made when one asks for it: most do not, and it would cost each run
/// as much as the global object itself.
final class Realm {
    let context: JSGlobalContextRef
    /// Turns a promise into a box for its result; nil until the prelude has run.
    private var box: JSObjectRef?
    /// Whether what there is besides the language is there.
    private(set) var isFurnished = false
    /// A script that was read beforehand, in case it is the one that comes.
    private var ready: (source: [UInt8], function: JSObjectRef)?
    /// In bytes: to Swift texts are equal when they look alike.
    var source: [UInt8]? { ready?.source }

    init(group: JSContextGroupRef) {
        context = JSGlobalContextCreateInGroup(group, Self.globalClass)
        JSObjectSetPrivate(JSContextGetGlobalObject(context), Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        // What it has left behind for the collector may still be called, and finds nothing.
        JSObjectSetPrivate(JSContextGetGlobalObject(context), nil)
        // What is protected keeps the whole of it alive.
        if let box { JSValueUnprotect(context, box) }
        if let ready { JSValueUnprotect(context, ready.function) }
        JSGlobalContextRelease(context)
    }

    // MARK: The script

    // Never changed after it is made, and the worker has one thread that runs Swift.
    nonisolated(unsafe) private static let parameter = JavaScriptText.make("context")

    /// Does beforehand what the next run is likely to need.
    func prepare(for source: String, withPrelude: Bool) {
        if withPrelude { furnish() }
        if source.contains("Date") { JSEvaluateScript(context, Self.dates, nil, nil, 1, nil) }
        var fault: JSValueRef?
        guard let function = function(of: source, &fault) else { return }
        JSValueProtect(context, function)
        ready = (Array(source.utf8), function)
    }

    /// The script as a function of its context; nil when it cannot be read.
    func function(of source: String, _ fault: inout JSValueRef?) -> JSObjectRef? {
        if let ready, ready.source.elementsEqual(source.utf8) { return ready.function }
        let body = JavaScriptText.make(source)
        defer { JSStringRelease(body) }
        var names: [JSStringRef?] = [Self.parameter]
        return JSObjectMakeFunction(context, nil, 1, &names, body, nil, 1, &fault)
    }

    /// A box for the value of a promise; nil when the value is none, or the prelude does not run.
    func boxed(_ value: JSValueRef, _ fault: inout JSValueRef?) -> JSValueRef? {
        furnish()
        guard let box else { return nil }
        var arguments: [JSValueRef?] = [value]
        return JSObjectCallAsFunction(context, box, nil, 1, &arguments, &fault)
    }

    // MARK: The prelude

    // Never changed after it is made, and the worker has one thread that runs Swift.
    nonisolated(unsafe) private static let prelude = JavaScriptText.make(Prelude.source)

    // The same. What the engine makes when it is first asked for, and most scripts ask for.
    nonisolated(unsafe) private static let dates = JavaScriptText.make("new Date().toISOString()")

    // The same.
    nonisolated(unsafe) private static let globalClass: JSClassRef? = {
        var definition = kJSClassDefinitionEmpty
        definition.getProperty = findGlobal
        return JSClassCreate(&definition)
    }()

    /// A name that no script has set: one of the prelude's makes all of them.
    fileprivate func find(_ name: JSStringRef) -> JSValueRef? {
        guard !isFurnished, JSStringGetLength(name) <= Prelude.longestName,
            Prelude.names.contains(JavaScriptText.read(name))
        else { return nil }
        furnish()
        return JSObjectGetProperty(context, JSContextGetGlobalObject(context), name, nil)
    }

    private func furnish() {
        guard !isFurnished else { return }
        isFurnished = true
        guard let factory = JSEvaluateScript(context, Self.prelude, nil, nil, 1, nil),
            let host = JSObjectMakeFunctionWithCallback(context, nil, callHost)
        else { return }
        var arguments: [JSValueRef?] = [host]
        box = JSObjectCallAsFunction(context, factory, nil, 1, &arguments, nil)
        if let box { JSValueProtect(context, box) }
    }
}

private func findGlobal(
    _ context: JSContextRef?,
    _ object: JSObjectRef?,
    _ name: JSStringRef?,
    _ fault: UnsafeMutablePointer<JSValueRef?>?
) -> JSValueRef? {
    guard let name, let realm = JSObjectGetPrivate(object) else { return nil }
    return Unmanaged<Realm>.fromOpaque(realm).takeUnretainedValue().find(name)
}
