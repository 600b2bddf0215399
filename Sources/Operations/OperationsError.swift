/// Why an operation was not done, in the same words for every face.
package struct OperationsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The stable names that the API answers with.
    package enum Code: String, Sendable, Codable {
        case badRequest = "bad_request"
        case unauthorized
        case permissionDenied = "permission_denied"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case conflict
        case managedByFile = "managed_by_file"
        case preconditionFailed = "precondition_failed"
        case invalid
        case unavailable
        case internalError = "internal_error"
    }

    package let code: Code
    package let message: String
    /// The field at fault, if one is.
    package let parameter: String?

    package init(_ code: Code, _ message: String, parameter: String? = nil) {
        self.code = code
        self.message = message
        self.parameter = parameter
    }

    package var description: String {
        parameter.map { "\($0): \(message)" } ?? message
    }
}

/// Who does an operation, and where they came in.
package struct Operator: Sendable, Codable, Equatable {
    package let name: String
    package let role: Role
    /// `socket`, `token` or `console`.
    package let via: String

    package init(name: String, role: Role, via: String) {
        self.name = name
        self.role = role
        self.via = via
    }

    package func require(_ needed: Role) throws(OperationsError) {
        guard role >= needed else {
            throw OperationsError(
                .permissionDenied,
                "this needs the role \(needed.rawValue); you are \(role.rawValue)"
            )
        }
    }
}
