import Crypto
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Operations

/// One operation of the API: what is served and what the OpenAPI document says come from the same value.
struct AdminRoute: Sendable {
    struct Parameter: Sendable {
        let name: String
        let type: String
        let summary: String
        /// Of a number.
        var range: ClosedRange<Int>?
        /// What it may be; empty for anything.
        var choices: [String] = []

        /// How many of a list.
        static let limit = Parameter(
            name: "limit",
            type: "integer",
            summary: "1 to 1000, default 100",
            range: 1...1000
        )
        /// A part of a list that comes whole without it.
        static let part = Parameter(
            name: "limit",
            type: "integer",
            summary: "1 to 1000; the whole list without it",
            range: 1...1000
        )
        /// Where a list goes on.
        static let cursor = Parameter(
            name: "cursor",
            type: "string",
            summary: "next_cursor of the page before"
        )
    }

    let method: HTTPRequest.Method
    /// Below `/api/admin`, with `{id}` for a number and other names for texts.
    let path: String
    let tag: String
    let summary: String
    let role: Role
    var query: [Parameter] = []
    /// Names of the body's fields; nil when there is no body.
    var bodyFields: [String]?
    var requiredFields: [String] = []
    var status = HTTPResponse.Status.ok
    var contentType = "application/json"
    /// What the answer may be written in.
    var contentTypes: [String] {
        contentType == "text/csv" && path == "/logs/export"
            ? ["text/csv", "application/x-ndjson"] : [contentType]
    }
    /// Content types of a file that the body is; nil where it is none.
    var uploads: [String]?
    /// Whether a repeat with the same `Idempotency-Key` gets the same answer, besides what creates one thing.
    var remembersAnswer = false
    let handler: @Sendable (AdminRequest) async throws -> Response

    static func get(
        _ path: String,
        _ tag: String,
        _ summary: String,
        query: [Parameter] = [],
        contentType: String = "application/json",
        _ handler: @escaping @Sendable (AdminRequest) async throws -> Response
    ) -> AdminRoute {
        AdminRoute(
            method: .get,
            path: path,
            tag: tag,
            summary: summary,
            role: .viewer,
            query: query,
            contentType: contentType,
            handler: handler
        )
    }

    /// A list that is never long: it comes whole, or by parts for who asks so.
    static func list<Item>(
        _ path: String,
        _ tag: String,
        _ summary: String,
        query: [Parameter] = [],
        _ fetch: @escaping @Sendable (AdminRequest) async throws -> Page<Item>
    ) -> AdminRoute {
        .get(path, tag, summary, query: query + [.part, .cursor]) { request in
            try request.json(try request.part(of: try await fetch(request)))
        }
    }

    static func change(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ tag: String,
        _ summary: String,
        query: [Parameter] = [],
        body: [String]? = nil,
        required: [String] = [],
        status: HTTPResponse.Status = .ok,
        role: Role = .operator,
        _ handler: @escaping @Sendable (AdminRequest) async throws -> Response
    ) -> AdminRoute {
        AdminRoute(
            method: method,
            path: path,
            tag: tag,
            summary: summary,
            role: role,
            query: query,
            bodyFields: body,
            requiredFields: required,
            status: status,
            handler: handler
        )
    }
}

extension AdminRoute {
    static func upload(
        _ path: String,
        _ tag: String,
        _ summary: String,
        query: [Parameter],
        accepts types: [String],
        remembersAnswer: Bool = false,
        _ handler: @escaping @Sendable (AdminRequest) async throws -> Response
    ) -> AdminRoute {
        AdminRoute(
            method: .post,
            path: path,
            tag: tag,
            summary: summary,
            role: .operator,
            query: query,
            uploads: types,
            remembersAnswer: remembersAnswer,
            handler: handler
        )
    }
}

extension AdminRoute {
    /// A misspelt parameter is no request for something else: `dryrun=true` must not import.
    ///
    /// - Throws: `OperationsError` naming the one that the route does not know.
    func checkQuery(_ parameters: Parameters) throws(OperationsError) {
        for (name, _) in parameters where !query.contains(where: { $0.name == name }) {
            let known = query.map(\.name).joined(separator: ", ")
            throw OperationsError(
                .invalid,
                known.isEmpty ? "unknown parameter; there are none" : "unknown parameter; there are \(known)",
                parameter: String(name.prefix(60))
            )
        }
    }
}

/// A request that has been authenticated, with ways to read its parts.
struct AdminRequest: Sendable {
    let request: Request
    let context: AdminContext
    let port: any GatewayPort
    let snapshotEvents: SnapshotEvents

    var user: Operator { context.user }

    func id(_ name: String = "id") throws -> Int {
        guard let text = context.parameters.get(name), let id = Int(text) else {
            throw OperationsError(.notFound, "the id is not a number")
        }
        return id
    }

    /// A name in the path.
    func parameter(_ name: String) throws -> String {
        guard let text = context.parameters.get(name) else {
            throw OperationsError(.notFound, "the path has no \(name)")
        }
        return text
    }

    func text(_ name: String) -> String? {
        // As forms and clients of HTTP write it, where a plus is a space.
        let query = (request.uri.query ?? "").replacing("+", with: "%20")
        return URI("/?" + query).queryParameters[Substring(name)].map(String.init)
    }

    func number(_ name: String, default value: Int, in range: ClosedRange<Int>) throws -> Int {
        guard let text = text(name) else { return value }
        guard let number = Int(text), range.contains(number) else {
            let message = "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            throw OperationsError(.invalid, message, parameter: name)
        }
        return number
    }

    /// `true`, `false` or absent.
    func truth(_ name: String, default value: Bool = false) throws -> Bool {
        switch text(name) {
        case nil: return value
        case "false": return false
        case "true": return true
        default: throw OperationsError(.invalid, "must be true or false", parameter: name)
        }
    }

    /// An id in the query; nil when it is absent.
    func optionalNumber(_ name: String) throws -> Int? {
        try text(name).map { _ in try number(name, default: 0, in: 0...Int.max) }
    }

    /// What of a whole list is asked for.
    func part<Item>(of page: Page<Item>) throws -> Page<Item> {
        guard text("limit") != nil || text("cursor") != nil else { return page }
        let limit = try number("limit", default: 100, in: 1...1000)
        let start = try text("cursor").map { text in
            guard text.hasPrefix("p"), let start = Int(text.dropFirst(), radix: 36), start >= 0 else {
                throw OperationsError(.badRequest, "the cursor is not one of ours", parameter: "cursor")
            }
            return start
        }
        let rest = page.items.dropFirst(start ?? 0)
        let next = rest.count > limit ? "p" + String((start ?? 0) + limit, radix: 36) : nil
        return Page(items: Array(rest.prefix(limit)), nextCursor: next)
    }

    func time(_ name: String) throws -> Timestamp? {
        // A zone's sign that was not escaped came as a space.
        guard let text = text(name)?.replacing(" ", with: "+") else { return nil }
        if let seconds = Int(text), seconds.magnitude <= Timestamp.mostSeconds {
            return Timestamp(seconds: seconds)
        }
        guard let time = Timestamp(text: text) else {
            throw OperationsError(.invalid, "must be a time such as 2026-11-21T09:30:00Z", parameter: name)
        }
        return time
    }

    func choice<Value: RawRepresentable & CaseIterable>(_ name: String, default value: Value) throws -> Value
    where Value.RawValue == String {
        guard let text = text(name) else { return value }
        guard let choice = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw OperationsError(.invalid, "must be one of \(all)", parameter: name)
        }
        return choice
    }

    /// The version in `If-Match`, nil when any will do.
    func ifMatch() throws -> Int? {
        guard let text = request.headers[.ifMatch], text != "*" else { return nil }
        guard let version = Int(text.filter { $0 != "\"" }) else {
            throw OperationsError(.badRequest, "If-Match must be the object's version or ETag")
        }
        return version
    }

    // MARK: Answers

    func json(
        _ value: some Encodable,
        status: HTTPResponse.Status = .ok,
        version: Int? = nil
    ) throws -> Response {
        json(text: try JSONForm.text(value), status: status, version: version)
    }

    func json(text: String, status: HTTPResponse.Status = .ok, version: Int? = nil) -> Response {
        var headers = HTTPFields([HTTPField(name: .contentType, value: "application/json")])
        if let version { headers[.eTag] = "\"\(version)\"" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: .init(string: text)))
    }

    var noContent: Response { Response(status: .noContent) }

    /// Creates once per `Idempotency-Key`: a repeat gets the first answer.
    func create<Draft: Decodable, Made: Encodable>(
        _ type: Draft.Type,
        fields: [String],
        _ make: (Draft) async throws -> Made
    ) async throws -> Response {
        let (draft, bytes) = try await StrictBody.read(type, fields: fields, from: request)
        // A digest, since the request may hold a provider's key.
        let fingerprint = SHA256.hash(data: Array(request.uri.path.utf8) + bytes).description
        return try await once(fingerprint, status: .created) { try await make(draft) }
    }

    /// Does something once per `Idempotency-Key`.
    ///
    /// `fingerprint`: what tells this request from others with the same key.
    func once(
        _ fingerprint: String,
        status: HTTPResponse.Status,
        _ make: () async throws -> some Encodable
    ) async throws -> Response {
        guard let key = request.headers[.idempotencyKey] else {
            return try json(try await make(), status: status)
        }
        guard (1...255).contains(key.utf8.count) else {
            throw OperationsError(.badRequest, "Idempotency-Key must have 1 to 255 bytes")
        }
        if let earlier = try await port.rememberedAnswer(key, request: fingerprint, by: user) {
            return json(text: earlier, status: status)
        }
        let answer = try JSONForm.text(try await make())
        try await port.remember(answer, for: key, request: fingerprint, by: user)
        return json(text: answer, status: status)
    }

    func change<Change: Decodable>(_ type: Change.Type, fields: [String]) async throws -> Change {
        try await StrictBody.read(type, fields: fields, from: request).value
    }
}
