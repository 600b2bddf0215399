import HTTPTypes
import Hummingbird
import NIOCore
import Operations

extension Response {
    /// A file, sent as it comes; one that breaks off ends the connection without the answer's end.
    static func download(_ file: ByteStream, _ name: String, _ contentType: String) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = contentType
        headers[.contentDisposition] = "attachment; filename=\"\(name)\""
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                for try await piece in file { try await writer.write(ByteBuffer(bytes: piece)) }
                try await writer.finish(nil)
            }
        )
    }
}
