import CJavaScriptCore

/// A call from a script into the worker: the name of a host function, and its arguments as text.
func callHost(
    _ context: JSContextRef?,
    _ function: JSObjectRef?,
    _ this: JSObjectRef?,
    _ count: Int,
    _ arguments: UnsafePointer<JSValueRef?>?,
    _ fault: UnsafeMutablePointer<JSValueRef?>?
) -> JSValueRef? {
    guard let context else { return nil }
    let values = JavaScriptValues(context: context)
    var texts: [String] = []
    for index in 0..<count {
        guard let text = values.text(arguments?[index], fault) else { return nil }
        texts.append(text)
    }
    guard let name = texts.first else { return JSValueMakeUndefined(context) }
    if name == "print" {
        ScriptOutput.print(texts.dropFirst().first ?? "")
        return JSValueMakeUndefined(context)
    }
    do throws(HostFunctions.Refusal) {
        let result = JavaScriptText.make(try HostFunctions.call(name, Array(texts.dropFirst())))
        defer { JSStringRelease(result) }
        return JSValueMakeString(context, result)
    } catch {
        let message = JavaScriptText.make(error.message)
        defer { JSStringRelease(message) }
        var words: [JSValueRef?] = [JSValueMakeString(context, message)]
        fault?.pointee = JSObjectMakeError(context, 1, &words, nil)
        return nil
    }
}
