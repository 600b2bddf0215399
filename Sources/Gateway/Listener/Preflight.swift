import NIOCore

/// The cross-origin answers of the data plane (Fetch standard, CORS protocol).
struct Preflight: Sendable {
    private let origins: [String]
    private let allowsAnyOrigin: Bool
    private let headers: String?
    private let maxAge: Int

    init(_ cors: Configuration.CORS) {
        origins = cors.origins
        allowsAnyOrigin = cors.origins.contains("*")
        headers = cors.headers.contains("*") ? nil : cors.headers.joined(separator: ", ")
        maxAge = Int(cors.maxAge.components.seconds)
    }

    /// Adds the headers by which a browser lets a page of this origin read the answer.
    func writeHeaders(for origin: HeaderField, of head: MessageHead, to buffer: inout ByteBuffer) {
        guard allowsAnyOrigin || origins.contains(head.text(origin)) else { return }
        buffer.write("access-control-allow-origin: ")
        if allowsAnyOrigin {
            buffer.write("*")
        } else {
            buffer.write(origin.valueRange, of: head)
            buffer.write("\r\nvary: origin")
        }
        buffer.write(
            "\r\naccess-control-expose-headers: x-request-id, retry-after, x-fastgate-attempts, x-fastgate-overhead-us, "
        )
        buffer.write(
            "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests\r\n"
        )
    }

    /// A whole answer to `OPTIONS`, which never reaches an upstream.
    func answer(_ head: MessageHead, origin: HeaderField, keepsConnection: Bool) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.write("HTTP/1.1 204 No Content\r\n")
        writeHeaders(for: origin, of: head, to: &buffer)
        buffer.write("access-control-allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
        if let headers {
            buffer.writeString("access-control-allow-headers: \(headers)\r\n")
        } else if let wanted = head.first(.accessControlRequestHeaders) {
            buffer.write("access-control-allow-headers: ")
            buffer.write(wanted.valueRange, of: head)
            buffer.write("\r\n")
        }
        buffer.writeString("access-control-max-age: \(maxAge)\r\n")
        if !keepsConnection { buffer.write("connection: close\r\n") }
        buffer.write("\r\n")
        return buffer
    }
}
