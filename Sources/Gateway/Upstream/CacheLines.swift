import CLinux
import NIOCore

/// Fetches what is needed soon into the processor's cache.
///
/// With hundreds of streams an event finds nothing of its own there. What is asked for while the kernel copies the event
/// is there when it has been copied, and all at once instead of one after the other.
enum CacheLines {
    private static let size = 64

    /// Of an exchange, all that an event of its stream touches; a connection that rests has none.
    @inline(__always)
    static func fetchForEvent(of exchange: Exchange?, _ context: ChannelHandlerContext?) {
        guard let exchange, let context else { return }
        fetch(exchange, 0..<7)
        fetch(context, 0..<1)
        fetch(exchange.caller, 0..<1)
    }

    /// `lines`: counted from the object's beginning; nothing is read, so they may reach beyond its end.
    @inline(__always)
    private static func fetch(_ object: AnyObject, _ lines: Range<Int>) {
        let start = UnsafeRawPointer(Unmanaged.passUnretained(object).toOpaque())
        for line in lines {
            clinux_fetch(start + line * size)
        }
    }
}
