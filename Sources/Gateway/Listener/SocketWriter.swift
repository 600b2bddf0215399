import NIOCore

#if canImport(Glibc)
import Glibc
#endif

/// Sends to one connection's socket at once, as long as its channel holds nothing back.
///
/// That spares each event of a stream the way through pipeline and queue. What the socket does not take is the
/// channel's, which says when it can be written, and every failure is its own to find and to tell. Under TLS all is.
///
/// To be used on the channel's loop only, and not once the channel is closed, when the descriptor may be another's. It
/// calls nobody, so that whoever holds it may be called back by the channel while it writes.
struct SocketWriter {
    /// Nil for what must go through the pipeline.
    private var socket: NIOBSDSocket.Handle?
    /// Asked only when it may hold something: an event that leaves at once does not touch it.
    private let channel: any Channel
    private var channelMayHold = false

    /// For a handler that has just been added; without TLS it must be the pipeline's first, so that nothing is passed over.
    init(_ context: ChannelHandlerContext, isSecure: Bool) {
        channel = context.channel
        guard !isSecure else { return }
        do {
            socket = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable { $0 }
        } catch {
            // Closed already: the channel says so to whoever writes.
        }
    }

    /// What the channel must be given, to be flushed; nil when the socket took everything.
    mutating func send(_ buffer: ByteBuffer) -> ByteBuffer? {
        guard let socket, !channelMayHold || channelIsEmpty() else {
            channelMayHold = true
            return buffer.withoutExcess
        }
        guard buffer.readableBytes > 0 else { return nil }
        let count = Self.send(buffer, to: socket)
        guard count < buffer.readableBytes else { return nil }
        channelMayHold = true
        var rest = buffer
        rest.moveReaderIndex(forwardBy: count)
        return rest.withoutExcess
    }

    /// The channel is given something that nobody flushes yet.
    mutating func channelHolds() {
        channelMayHold = true
    }

    mutating func channelIsClosed() {
        socket = nil
    }

    private mutating func channelIsEmpty() -> Bool {
        // Asking an open channel fails only when it is closing: then it is the one to say so.
        guard let held = try? channel.syncOptions?.getOption(.bufferedWritableBytes), held == 0 else {
            return false
        }
        channelMayHold = false
        return true
    }

    /// How many bytes the socket took; 0 also when it failed.
    private static func send(_ buffer: ByteBuffer, to socket: NIOBSDSocket.Handle) -> Int {
        buffer.withUnsafeReadableBytes { bytes in
            while true {
                let count = Glibc.send(socket, bytes.baseAddress, bytes.count, Self.flags)
                guard count < 0, errno == EINTR else { return max(count, 0) }
            }
        }
    }

    private static let flags = CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT)
}
