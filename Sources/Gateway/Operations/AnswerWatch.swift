import NIOCore
import Operations

/// Follows the answer of one exchange from outside its loop.
///
/// It looks now and then at what the exchange keeps for the audit, so that being watched costs an exchange next to
/// nothing, and not being watched nothing at all. One piece is asked for after the other.
final class AnswerWatch: @unchecked Sendable {
    private static let pause = Duration.milliseconds(50)
    /// A piece comes at least this often, so that whoever has left is noticed.
    private static let longestSilence = Duration.seconds(1)

    /// What was shown before and is looked at again, since a secret that goes on in what is new may have begun in it.
    private static let context = 65_536

    /// What a look at the exchange finds.
    private struct Look: Sendable {
        var live: LiveExchange
        /// What there is of the answer from `start` on, of which what begins at `next` is new; nothing where nothing is.
        var body: [UInt8]
        var start: Int
        var next: Int
        /// Where what there is ends.
        var end: Int
        var total: Int
        var secret: SecretForms?
        var isFinished: Bool
        var error: String?
    }

    private let loop: any EventLoop
    /// Kept beyond its end, whose last words would be missed otherwise; let go of on the loop.
    private let exchange: NIOLoopBoundBox<Exchange?>
    private var shown = 0
    /// Bytes that had passed before anybody could show them.
    private var missed = 0
    private var lastPiece = ContinuousClock.now - AnswerWatch.longestSilence
    private var isOver = false

    /// nil where no exchange of this id runs on the worker's loop.
    static func begin(_ id: Int, on worker: WorkerHandle) async throws -> AnswerWatch? {
        let found = try await worker.run { worker in
            worker.exchanges.first { $0.request.id == id }.map { exchange in
                NIOLoopBoundBox<Exchange?>(exchange, eventLoop: worker.loop)
            }
        }
        return found.map { AnswerWatch($0, on: worker.loop) }
    }

    private init(_ exchange: NIOLoopBoundBox<Exchange?>, on loop: any EventLoop) {
        (self.exchange, self.loop) = (exchange, loop)
    }

    deinit {
        loop.execute { [exchange] in exchange.value = nil }
    }

    /// The next piece, once there is something new to tell; nil after the end.
    func next() async throws -> WatchedPiece? {
        while !isOver {
            guard let look = try await look() else { return nil }
            if let piece = piece(of: look) { return piece }
            try await Task.sleep(for: Self.pause)
        }
        return nil
    }

    private func look() async throws -> Look? {
        try await loop.submit { [exchange, shown] in
            exchange.value.map { exchange in
                exchange.answer.body.watch()
                let captured = exchange.answer.body
                let end = captured.readableEnd
                // Less than was shown: another attempt has begun.
                let seen = end < shown ? 0 : shown
                let (start, body, next) =
                    end == seen ? (seen, [], seen) : captured.unseen(after: seen, context: Self.context)
                return Look(
                    live: exchange.live(at: .now()),
                    body: body,
                    start: start,
                    next: next,
                    end: end,
                    total: captured.total,
                    secret: exchange.key?.secret,
                    isFinished: exchange.isFinished,
                    error: exchange.outcome.error
                )
            }
        }.get()
    }

    private func piece(of look: Look) -> WatchedPiece? {
        let isRestarted = look.end < shown
        if isRestarted { (shown, missed) = (0, 0) }
        var body = look.body
        body.withUnsafeMutableBytes { bytes in
            Redaction.coverBody(bytes)
            look.secret?.cover(in: bytes)
        }
        var new = body.dropFirst(look.next - look.start)
        // A character whose other bytes are still to come waits for them.
        if !look.isFinished { new = new.dropLast(Self.unfinished(new)) }
        let isDue = ContinuousClock.now - lastPiece >= Self.longestSilence
        guard !new.isEmpty || isRestarted || look.isFinished || isDue else { return nil }
        let gap = look.next - shown
        missed += gap
        shown = look.next + new.count
        lastPiece = .now
        // What has passed may have a gap, and come in two pieces.
        isOver = look.isFinished && shown == look.end
        var piece = WatchedPiece(exchange: look.live, text: String(decoding: new, as: UTF8.self))
        piece.gap = gap
        (piece.restarted, piece.leftOut) = (isRestarted, missed + look.total - look.end)
        if isOver { (piece.ended, piece.error) = (true, look.error) }
        return piece
    }

    /// Bytes at the end that are the beginning of a character.
    private static func unfinished(_ bytes: ArraySlice<UInt8>) -> Int {
        for (index, byte) in bytes.reversed().prefix(3).enumerated() where byte & 0xC0 != 0x80 {
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > index + 1 ? index + 1 : 0
        }
        return 0
    }
}
