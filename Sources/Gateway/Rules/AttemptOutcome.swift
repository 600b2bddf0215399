import Operations

/// What came of an attempt, as rules see it: a value, so that a rule can be tried on one that is made up.
struct AttemptOutcome: Sendable {
    /// More of a body is not looked at.
    static let bodyLimit = 65_536

    /// nil when no answer came.
    var status: Int?
    var error: RuleError?
    /// Names in lower case.
    var headers: [(name: String, value: String)] = []
    /// The beginning of the answer's body.
    var body: [UInt8] = []
    /// To the first byte, or to the failure.
    var latencyMilliseconds = 0
    /// What was asked for.
    var model: String?
    /// In words, for operators: `connect: connection refused`.
    var detail: String?
    /// What the provider says, as `ProviderMessage` finds it.
    var message: String?

    func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }

    /// `status 429`, or how it failed.
    var summary: String {
        status.map { "status \($0)" } ?? detail ?? error.map { "no answer: \($0.rawValue)" } ?? "no answer"
    }

    /// The same with the provider's own words, and the rule that has acted on it.
    func account(rule: String? = nil) -> String {
        summary + (rule.map { " (\($0))" } ?? "") + (message.map { ": \($0)" } ?? "")
    }
}

/// A value deep in a JSON body, as it stands.
enum JSONPath {
    static func value(_ path: String, in body: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var rest = body
        for name in path.split(separator: ".") {
            var walker = JSONWalker(rest)
            var found: UnsafeRawBufferPointer?
            while let member = walker.next() {
                guard rest[member.key].elementsEqual(name.utf8) else { continue }
                found = UnsafeRawBufferPointer(rebasing: rest[member.value])
                break
            }
            guard let found else { return nil }
            rest = found
        }
        return rest
    }

    /// The text of a string without its quotes, or a number, `true`, `false` or `null` as they are written.
    static func text(_ path: String, in body: UnsafeRawBufferPointer) -> String? {
        value(path, in: body).map(plainText)
    }

    /// A value as `text` gives it.
    static func plainText(_ value: UnsafeRawBufferPointer) -> String {
        let isText =
            value.count >= 2 && value.first == UInt8(ascii: "\"") && value.last == UInt8(ascii: "\"")
        return String(decoding: isText ? value[1..<(value.count - 1)] : value[...], as: UTF8.self)
    }
}
