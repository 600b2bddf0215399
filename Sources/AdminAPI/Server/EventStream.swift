import HTTPTypes
import Hummingbird
import NIOCore
import Operations
import ServiceLifecycle
import Synchronization

/// Server-sent events of a sequence of values.
enum EventStream {
    /// `bytes`: the events that a value becomes; `isStillAllowed`: asked before each, since access can be taken away.
    static func response<Value: Sendable>(
        _ values: AsyncThrowingStream<Value, any Error>,
        while isStillAllowed: @escaping @Sendable () -> Bool,
        _ bytes: @escaping @Sendable (Value) throws -> ByteBuffer
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
                    guard isStillAllowed() else { break }
                    try await writer.write(try bytes(value))
                }
                try await writer.finish(nil)
            }
        )
    }

    /// One event for each text.
    static func events(_ texts: [String]) -> ByteBuffer {
        ByteBuffer(string: texts.map { "data: \($0)\n\n" }.joined())
    }
}

/// The newest snapshot of each filter as an event, made once for all who are sent it.
final class SnapshotEvents: Sendable {
    private static let limit = 64

    private let newest = Mutex<[String: (time: Timestamp, event: ByteBuffer)]>([:])

    func event(_ snapshot: LiveSnapshot, filter: String) throws -> ByteBuffer {
        if let known = newest.withLock({ $0[filter] }), known.time == snapshot.time { return known.event }
        let event = EventStream.events([try JSONForm.text(snapshot)])
        newest.withLock { newest in
            // Filters of the past are not worth keeping.
            if newest.count >= Self.limit { newest = [:] }
            newest[filter] = (snapshot.time, event)
        }
        return event
    }
}
