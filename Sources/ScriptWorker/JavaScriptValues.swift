import CJavaScriptCore

/// Text as the engine has it: UTF-16, any character in it.
enum JavaScriptText {
    /// The caller releases it.
    static func make(_ text: String) -> JSStringRef {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.allSatisfy({ $0 < 0x80 }) else {
                let units = Array(String(decoding: bytes, as: UTF8.self).utf16)
                return JSStringCreateWithCharacters(units, units.count)
            }
            return withUnsafeTemporaryAllocation(of: UInt16.self, capacity: bytes.count) { units in
                for (index, byte) in bytes.enumerated() { units[index] = UInt16(byte) }
                return JSStringCreateWithCharacters(units.baseAddress, bytes.count)
            }
        }
    }

    static func read(_ text: JSStringRef) -> String {
        let units = UnsafeBufferPointer(start: JSStringGetCharactersPtr(text), count: JSStringGetLength(text))
        return String(decoding: units, as: UTF16.self)
    }
}

/// Reads values of one global object.
struct JavaScriptValues {
    let context: JSContextRef

    /// A value as text; nil when its own conversion has thrown.
    func text(_ value: JSValueRef?, _ fault: UnsafeMutablePointer<JSValueRef?>? = nil) -> String? {
        guard let copy = JSValueToStringCopy(context, value, fault) else { return nil }
        defer { JSStringRelease(copy) }
        return JavaScriptText.read(copy)
    }

    func property(_ name: String, of object: JSObjectRef) -> JSValueRef? {
        let text = JavaScriptText.make(name)
        defer { JSStringRelease(text) }
        return JSObjectGetProperty(context, object, text, nil)
    }

    /// A whole number of a property, 0 when it is none.
    func number(_ name: String, of object: JSObjectRef) -> Int {
        guard let value = property(name, of: object), JSValueIsNumber(context, value) else { return 0 }
        let number = JSValueToNumber(context, value, nil)
        return (0...1e9).contains(number) ? Int(number) : 0
    }

    /// What a script has returned: a header holds text, so an object says nothing.
    func outcome(value: JSValueRef) -> JavaScriptEngine.Outcome {
        if JSValueIsUndefined(context, value) || JSValueIsNull(context, value) {
            return JavaScriptEngine.Outcome(message: "the script returned nothing; end it with: return …")
        }
        if JSValueIsObject(context, value) {
            return JavaScriptEngine.Outcome(message: "the script returned an object; return text or a number")
        }
        guard let text = text(value) else {
            return JavaScriptEngine.Outcome(message: "the script returned what has no text")
        }
        return JavaScriptEngine.Outcome(value: text)
    }

    /// What a script has thrown, or why it cannot be read.
    ///
    /// `lines`: how many the script has.
    func outcome(fault: JSValueRef?, lines: Int) -> JavaScriptEngine.Outcome {
        guard let fault else { return JavaScriptEngine.Outcome(message: "the script failed") }
        var outcome = JavaScriptEngine.Outcome(message: text(fault) ?? "the script threw what has no text")
        guard JSValueIsObject(context, fault) else { return outcome }
        let error = fault
        // The engine puts two lines of its own before the script, and finds a missing end behind it.
        let line = number("line", of: error) - 2
        guard line + 2 > 0 else { return outcome }
        if line > lines, outcome.message.hasPrefix("SyntaxError: Unexpected token '}'") {
            // The brace is the engine's own.
            outcome.message = "SyntaxError: Unexpected end of script"
        }
        outcome.line = min(max(line, 1), lines)
        outcome.column = line == outcome.line ? number("column", of: error) : 0
        return outcome
    }
}
