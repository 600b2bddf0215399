import HTTPTypes
import Operations

/// The OpenAPI 3.1 description, made of the same routes that are served.
enum OpenAPIDocument {
    static func text(_ routes: [AdminRoute], version: String) -> String {
        var paths: [String: [String: JSONValue]] = [:]
        for route in routes {
            paths["/api/admin" + route.path, default: [:]][route.method.rawValue.lowercased()] = operation(
                route
            )
        }
        let document: JSONValue = .object([
            "openapi": "3.1.0",
            "info": .object(["title": "FastGate admin API", "version": .string(version)]),
            "paths": .object(paths.mapValues { .object($0) }),
            "security": .array([.object(["token": .array([])])]),
            "components": .object([
                "securitySchemes": .object([
                    "token": .object(["type": "http", "scheme": "bearer"])
                ]),
                "schemas": .object(["Error": errorSchema]),
            ]),
        ])
        return document.text
    }

    private static func operation(_ route: AdminRoute) -> JSONValue {
        var operation: [String: JSONValue] = [
            "summary": .string(route.summary),
            "tags": .array([.string(route.tag)]),
            "x-role": .string(route.role.rawValue),
            "responses": responses(route),
        ]
        let parameters = pathParameters(route) + route.query.map(queryParameter)
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let fields = route.bodyFields {
            let properties = Dictionary(uniqueKeysWithValues: fields.map { ($0, JSONValue.object([:])) })
            var schema: [String: JSONValue] = [
                "type": "object", "properties": .object(properties), "additionalProperties": .bool(false),
            ]
            if !route.requiredFields.isEmpty {
                schema["required"] = .array(route.requiredFields.map(JSONValue.string))
            }
            operation["requestBody"] = .object([
                "required": .bool(true),
                "content": .object(["application/json": .object(["schema": .object(schema)])]),
            ])
        }
        return .object(operation)
    }

    private static func responses(_ route: AdminRoute) -> JSONValue {
        var success: [String: JSONValue] = ["description": "Done"]
        if route.status != .noContent { success["content"] = .object([route.contentType: .object([:])]) }
        var responses: [String: JSONValue] = ["\(route.status.code)": .object(success)]
        let failure: JSONValue = .object([
            "description": "Refused; the error says why",
            "content": .object([
                "application/json": .object(["schema": .object(["$ref": "#/components/schemas/Error"])])
            ]),
        ])
        for status in [400, 401, 403, 404, 409, 412, 422, 429, 500, 503] {
            responses["\(status)"] = failure
        }
        return .object(responses)
    }

    private static func pathParameters(_ route: AdminRoute) -> [JSONValue] {
        route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            let name = String(part.dropFirst().dropLast())
            return .object([
                "name": .string(name), "in": "path", "required": .bool(true),
                "schema": .object(["type": name == "id" ? "integer" : "string"]),
            ])
        }
    }

    private static func queryParameter(_ parameter: AdminRoute.Parameter) -> JSONValue {
        .object([
            "name": .string(parameter.name), "in": "query", "description": .string(parameter.summary),
            "schema": .object(["type": .string(parameter.type)]),
        ])
    }

    private static var errorSchema: JSONValue {
        .object([
            "type": "object",
            "required": .array(["error"]),
            "properties": .object([
                "error": .object([
                    "type": "object",
                    "required": .array(["message", "type", "param", "code"]),
                    "properties": .object([
                        "message": .object(["type": "string"]),
                        "type": .object(["type": "string"]),
                        "param": .object(["type": .array(["string", "null"])]),
                        "code": .object(["type": "string"]),
                    ]),
                ])
            ]),
        ])
    }
}

/// JSON that is built by hand.
enum JSONValue: ExpressibleByStringLiteral {
    case string(String)
    case bool(Bool)
    case array([JSONValue])
    case object([String: JSONValue])

    init(stringLiteral text: String) {
        self = .string(text)
    }

    /// Texts here are the project's own and hold no control characters.
    var text: String {
        switch self {
        case .string(let value): Self.quote(value)
        case .bool(let value): value ? "true" : "false"
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let values):
            "{"
                + values.sorted { $0.key < $1.key }.map { "\(Self.quote($0.key)):\($0.value.text)" }.joined(
                    separator: ","
                )
                + "}"
        }
    }

    private static func quote(_ text: String) -> String {
        let escaped = text.reduce(into: "") { result, character in
            if character == "\"" || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return "\"" + escaped + "\""
    }
}
