import NIOCore

#if canImport(Glibc)
import Glibc
#endif

/// Writes to one connection: straight to its socket while the channel holds nothing back.
///
/// That spares each event of a stream the way through pipeline and queue. What the socket does not take at once is the
/// channel's, which says when it can be written, and every failure is its own to find and to tell. Under TLS all is.
///
/// To be used on the channel's loop only, and told of `channelInactive`, since the descriptor is another's from then on.
struct SocketWriter {
    private let context: ChannelHandlerContext
    /// Nil for what must go through the pipeline.
    private var socket: NIOBSDSocket.Handle?
    private var channelMayHold = false

    /// For a handler that has just been added; without TLS it must be the pipeline's first, so that nothing is passed over.
    init(_ context: ChannelHandlerContext, isSecure: Bool) {
        self.context = context
        guard !isSecure else { return }
        do {
            socket = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable { $0 }
        } catch {
            // Closed already: the channel says so to whoever writes.
        }
    }

    /// Leaves it to the channel until the next flush.
    mutating func write(_ buffer: ByteBuffer) {
        channelMayHold = true
        context.write(NIOAny(buffer), promise: nil)
    }

    mutating func writeAndFlush(_ buffer: ByteBuffer) {
        guard let socket, !channelMayHold || channelIsEmpty() else {
            channelMayHold = true
            context.writeAndFlush(NIOAny(buffer), promise: nil)
            return
        }
        guard buffer.readableBytes > 0 else { return }
        let count = Self.send(buffer, to: socket)
        guard count < buffer.readableBytes else { return }
        var rest = buffer
        rest.moveReaderIndex(forwardBy: count)
        channelMayHold = true
        context.writeAndFlush(NIOAny(rest), promise: nil)
    }

    mutating func channelBecameInactive() {
        socket = nil
    }

    private mutating func channelIsEmpty() -> Bool {
        // Asking an open channel fails only when it is closing: then it is the one to say so.
        guard let held = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes), held == 0 else {
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
