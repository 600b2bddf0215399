import HTTPTypes
import Operations

/// The OpenAPI 3.1 description, made of the same routes that are served and of the types that they read and write.
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
        // Whether it answers is nobody's secret.
        if route.path == "/health" { operation["security"] = .array([]) }
        let parameters = pathParameters(route) + route.query.map(queryParameter) + headerParameters(route)
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = requestBody(route) { operation["requestBody"] = body }
        return .object(operation)
    }

    // MARK: Requests

    private static func requestBody(_ route: AdminRoute) -> JSONValue? {
        if let types = route.uploads { return upload(types) }
        guard let type = RouteTypes.body(route) else { return nil }
        var schema = TypeSchema.of(type, .request)
        if case .object(var fields) = schema, !route.requiredFields.isEmpty {
            fields["required"] = .array(route.requiredFields.map(JSONValue.string))
            schema = .object(fields)
        }
        return .object([
            "required": .bool(!RouteTypes.optionalBodies.contains(route.name)),
            "content": .object(["application/json": .object(["schema": schema])]),
        ])
    }

    private static func upload(_ types: [String]) -> JSONValue {
        var content: [String: JSONValue] = [:]
        for type in types {
            switch type {
            case "multipart/form-data":
                let file: JSONValue = .object([
                    "type": "string", "contentMediaType": "application/octet-stream",
                ])
                content[type] = .object([
                    "schema": .object([
                        "type": "object", "properties": .object(["file": file]), "required": .array(["file"]),
                    ])
                ])
            case "application/json":
                content[type] = .object([
                    "schema": .object(["type": .array(["object", "array"])])
                ])
            default: content[type] = .object(["schema": .object(["type": "string"])])
            }
        }
        return .object(["required": .bool(true), "content": .object(content)])
    }

    private static func pathParameters(_ route: AdminRoute) -> [JSONValue] {
        route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            let name = String(part.dropFirst().dropLast())
            let schema: JSONValue =
                switch name {
                case "id", "change_id":
                    .object(["type": "integer", "format": "int64", "minimum": .number(1)])
                case "event": choices(NotificationEvent.allCases.map(\.rawValue))
                case "name": choices(ScheduledTask.Name.allCases.map(\.rawValue))
                default: .object(["type": "string"])
                }
            return .object(["name": .string(name), "in": "path", "required": .bool(true), "schema": schema])
        }
    }

    private static func choices(_ values: [String]) -> JSONValue {
        .object(["type": "string", "enum": .array(values.map(JSONValue.string))])
    }

    private static func queryParameter(_ parameter: AdminRoute.Parameter) -> JSONValue {
        var schema: [String: JSONValue] = ["type": .string(parameter.type)]
        if let range = parameter.range {
            schema["minimum"] = .number(range.lowerBound)
            schema["maximum"] = .number(range.upperBound)
        }
        if !parameter.choices.isEmpty { schema["enum"] = .array(parameter.choices.map(JSONValue.string)) }
        return .object([
            "name": .string(parameter.name), "in": "query", "description": .string(parameter.summary),
            "schema": .object(schema),
        ])
    }

    private static func headerParameters(_ route: AdminRoute) -> [JSONValue] {
        var parameters: [JSONValue] = []
        func add(_ name: String, _ summary: String, _ schema: [String: JSONValue]) {
            parameters.append(
                .object([
                    "name": .string(name), "in": "header", "required": .bool(false),
                    "description": .string(summary), "schema": .object(schema),
                ])
            )
        }
        if route.remembersAnswer
            || (route.status == .created && route.method == .post && !route.path.contains("{"))
        {
            add(
                "Idempotency-Key",
                "The same answer for a repeat of the same request within a day",
                ["type": "string", "minLength": .number(1), "maxLength": .number(255)]
            )
        }
        if hasVersion(route) {
            add(
                "If-Match",
                "The object's version or ETag: 412 when it is another",
                ["type": "string", "pattern": "^(\\*|[0-9]{1,18}|\"[0-9]{1,18}\")$"]
            )
        }
        return parameters
    }

    /// Whether it is about one object that others may have changed.
    private static func hasVersion(_ route: AdminRoute) -> Bool {
        (route.method == .patch || route.method == .delete) && route.path.hasSuffix("{id}")
            && route.path != "/exchanges/{id}"
    }

    // MARK: Answers

    private static func responses(_ route: AdminRoute) -> JSONValue {
        var success: [String: JSONValue] = ["description": "Done"]
        if route.status != .noContent {
            let schema = RouteTypes.answer(route).map { TypeSchema.of($0, .response) }
            let media: JSONValue = schema.map { .object(["schema": $0]) } ?? .object([:])
            success["content"] = .object(
                Dictionary(route.contentTypes.map { ($0, media) }) { first, _ in first }
            )
        }
        var responses: [String: JSONValue] = ["\(route.status.code)": .object(success)]
        if route.uploads != nil {
            responses["202"] = .object([
                "description": "The file is there, and its import goes on",
                "content": .object([
                    "application/json": .object([
                        "schema": TypeSchema.of(RouteTypes.Started.self, .response)
                    ])
                ]),
            ])
        }
        let failure: JSONValue = .object([
            "description": "Refused; the error says why",
            "content": .object([
                "application/json": .object(["schema": .object(["$ref": "#/components/schemas/Error"])])
            ]),
        ])
        for status in statuses(route) { responses["\(status)"] = failure }
        return .object(responses)
    }

    /// What can be refused, and how.
    private static func statuses(_ route: AdminRoute) -> [Int] {
        if route.path == "/health" { return [403, 500] }
        var statuses = [400, 401, 403, 404, 422, 429, 500, 503]
        if route.method != .get { statuses += [409, 413] }
        if hasVersion(route) { statuses.append(412) }
        return statuses
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
                        "request_id": .object(["type": "string"]),
                    ]),
                ])
            ]),
        ])
    }
}

/// JSON that is built by hand.
enum JSONValue: ExpressibleByStringLiteral {
    case string(String)
    case number(Int)
    case bool(Bool)
    case null
    case array([JSONValue])
    case object([String: JSONValue])

    init(stringLiteral text: String) {
        self = .string(text)
    }

    /// Texts here are the project's own and hold no control characters.
    var text: String {
        switch self {
        case .string(let value): Self.quote(value)
        case .number(let value): "\(value)"
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
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
