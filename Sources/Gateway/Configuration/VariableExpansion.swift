/// Replaces `${NAME}` and `${NAME:-default}` by the environment's values.
enum VariableExpansion {
    static func expand(_ text: String, environment: [String: String]) throws(ConfigurationError) -> String {
        guard text.contains("${") else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            result += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.firstIndex(of: "}") else {
                throw ConfigurationError("has a ${ without its }")
            }
            result += try value(of: rest[..<end], environment: environment)
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func value(
        of expression: Substring,
        environment: [String: String]
    ) throws(ConfigurationError) -> String {
        let separator = expression.firstRange(of: ":-")
        let name = String(expression[..<(separator?.lowerBound ?? expression.endIndex)])
        let isName =
            !name.isEmpty && name.first?.isNumber == false
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard isName else { throw ConfigurationError("has a variable name that is not valid: \(name)") }
        if let value = environment[name], !value.isEmpty || separator == nil { return value }
        guard let separator else {
            throw ConfigurationError("needs the environment variable \(name), which is not set")
        }
        return String(expression[separator.upperBound...])
    }
}
