import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

/// Server-sent events of a sequence of values.
enum EventStream {
    /// `texts`: the `data` of the events that a value becomes.
    static func response<Value: Sendable>(
        _ values: AsyncThrowingStream<Value, any Error>,
        _ texts: @escaping @Sendable (Value) throws -> [String]
    ) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-cache"
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                // A first byte tells the listener that it is listening.
                try await writer.write(ByteBuffer(string: ": ok\n\n"))
                for try await value in values.cancelOnGracefulShutdown() {
                    let events = try texts(value).map { "data: \($0)\n\n" }.joined()
                    try await writer.write(ByteBuffer(string: events))
                }
                try await writer.finish(nil)
            }
        )
    }
}
