import AsyncHTTPClient
import HTTPTypes
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#endif

/// Where a running gateway is reached.
package enum AdminEndpoint: Sendable {
    case socket(String)
    /// `http://127.0.0.1:8515`, with the token.
    case url(String, token: String)
}

/// The port over HTTP: what a console or command line in another process speaks through.
///
/// The operator's identity is the connection's; the `by` of each call is not sent.
package struct AdminClient: Sendable {
    private let endpoint: AdminEndpoint
    private let isReadOnly: Bool

    /// Lives as long as the process, like the library's shared one; but here a refused connection is an answer and
    /// no reason to try for a minute.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package init(_ endpoint: AdminEndpoint, isReadOnly: Bool = false) {
        self.endpoint = endpoint
        self.isReadOnly = isReadOnly
    }

    // MARK: Requests

    /// - Throws: `OperationsError` as the gateway told it, or `unavailable` when none answers.
    func send(
        _ method: HTTPMethod,
        _ path: String,
        query: [(String, String?)] = [],
        body: Data? = nil,
        headers: [(String, String)] = []
    ) async throws -> HTTPClientResponse {
        var request = request(method, path, query)
        for (name, value) in headers {
            request.headers.add(name: name, value: value)
        }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(data: body))
        }
        return try await execute(request)
    }

    /// Sends a file as it comes.
    func upload(
        _ path: String,
        _ query: [(String, String?)],
        _ file: ByteStream,
        contentType: String
    ) async throws -> HTTPClientResponse {
        var request = request(.POST, path, query)
        request.headers.add(name: "content-type", value: contentType)
        request.body = .stream(file.map { ByteBuffer(bytes: $0) }, length: .unknown)
        return try await execute(request)
    }

    /// The body of an answer: a piece comes when it is asked for, however long that takes.
    func download(_ path: String, _ query: [(String, String?)]) async throws -> ByteStream {
        let body = AnswerBody(try await send(.GET, path, query: query).body)
        return ByteStream { try await body.next() }
    }

    /// Unchecked: a stream of bytes asks for one piece after the other, never for two at once.
    private final class AnswerBody: @unchecked Sendable {
        private var pieces: HTTPClientResponse.Body.AsyncIterator

        init(_ body: HTTPClientResponse.Body) { pieces = body.makeAsyncIterator() }

        func next() async throws -> [UInt8]? {
            try await pieces.next().map { Array($0.readableBytesView) }
        }
    }

    private func request(
        _ method: HTTPMethod,
        _ path: String,
        _ query: [(String, String?)]
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url(path, query))
        request.method = method
        if case .url(_, let token) = endpoint {
            request.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        if isReadOnly { request.headers.add(name: "x-fastgate-read-only", value: "true") }
        return request
    }

    private func execute(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        let response: HTTPClientResponse
        do {
            response = try await Self.http.execute(request, deadline: .distantFuture)
        } catch {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw OperationsError(.unavailable, "no gateway answers at \(place): \(reason)")
        }
        guard (200..<300).contains(response.status.code) else { throw try await failure(response) }
        return response
    }

    private func failure(_ response: HTTPClientResponse) async throws -> OperationsError {
        let data = Data(buffer: try await response.body.collect(upTo: 1 << 20))
        // An answer that is not ours has no envelope; its status is then all there is to tell.
        guard let envelope = try? JSONForm.value(ErrorEnvelope.self, from: data) else {
            return OperationsError(
                .unavailable,
                "the answer from \(place) is not a gateway's (status \(response.status.code))"
            )
        }
        let code = OperationsError.Code(rawValue: envelope.error.code) ?? .internalError
        return OperationsError(code, envelope.error.message, parameter: envelope.error.param)
    }

    /// For messages: the socket's path or the address.
    package var place: String {
        switch endpoint {
        case .socket(let path): path
        case .url(let url, _): url
        }
    }

    private func url(_ path: String, _ query: [(String, String?)]) -> String {
        let pairs = query.compactMap { name, value in value.map { "\(name)=\(Self.escape($0))" } }
        let target = "/api/admin\(path)" + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
        switch endpoint {
        case .socket(let path): return "http+unix://\(Self.escape(path))\(target)"
        case .url(let base, _): return base + target
        }
    }

    static func escape(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || "-._~".utf8.contains(byte)
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
    }

    func data(_ response: HTTPClientResponse) async throws -> Data {
        Data(buffer: try await response.body.collect(upTo: 64 << 20))
    }

    func get<Value: Decodable>(_ path: String, _ query: [(String, String?)] = []) async throws -> Value {
        try JSONForm.value(Value.self, from: try await data(try await send(.GET, path, query: query)))
    }

    func call<Value: Decodable>(
        _ method: HTTPMethod,
        _ path: String,
        _ body: (any Encodable & Sendable)? = nil,
        ifVersion: Int? = nil
    ) async throws -> Value {
        let headers = ifVersion.map { [("if-match", "\"\($0)\"")] } ?? []
        let bytes = try body.map { try JSONForm.data($0) }
        return try JSONForm.value(
            Value.self,
            from: try await data(try await send(method, path, body: bytes, headers: headers))
        )
    }

    func callNothing(
        _ method: HTTPMethod,
        _ path: String,
        _ body: (any Encodable & Sendable)? = nil,
        ifVersion: Int? = nil
    ) async throws {
        let headers = ifVersion.map { [("if-match", "\"\($0)\"")] } ?? []
        let bytes = try body.map { try JSONForm.data($0) }
        _ = try await data(try await send(method, path, body: bytes, headers: headers))
    }

    /// Sends JSON that somebody else has made.
    func putText(_ path: String, _ json: String) async throws {
        _ = try await data(try await send(.PUT, path, body: Data(json.utf8)))
    }

    /// The raw answer, for `--json`.
    package func text(_ path: String, _ query: [(String, String?)] = []) async throws -> String {
        String(decoding: try await data(try await send(.GET, path, query: query)), as: UTF8.self)
    }

    // MARK: Streams

    /// Server-sent events: `decode` makes values of the `data` of those that arrived together.
    func events<Value: Sendable>(
        _ path: String,
        _ query: [(String, String?)],
        _ decode: @escaping @Sendable ([Data]) throws -> [Value]
    ) async throws -> AsyncThrowingStream<Value, any Error> {
        let response = try await send(.GET, path, query: query)
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    var lines = LineBuffer()
                    for try await part in response.body {
                        let events = lines.add(part).filter { $0.starts(with: "data: ".utf8) }
                        guard !events.isEmpty else { continue }
                        for value in try decode(events.map { Data($0.dropFirst(6)) }) {
                            continuation.yield(value)
                        }
                    }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}

/// Cuts bytes that arrive in any pieces into lines.
private struct LineBuffer {
    private var rest: [UInt8] = []

    mutating func add(_ part: ByteBuffer) -> [ArraySlice<UInt8>] {
        rest += part.readableBytesView
        var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        rest = lines.popLast().map { Array($0) } ?? []
        return lines
    }
}
