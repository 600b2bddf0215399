import HTTPTypes

extension HTTPField.Name {
    /// `true` asks for the role viewer, whatever the operator's own is.
    static var readOnly: HTTPField.Name {
        guard let name = HTTPField.Name("X-FastGate-Read-Only") else {
            preconditionFailure("a constant name")
        }
        return name
    }

    static var idempotencyKey: HTTPField.Name {
        guard let name = HTTPField.Name("Idempotency-Key") else { preconditionFailure("a constant name") }
        return name
    }
}
