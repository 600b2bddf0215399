import NIOCore
import Operations

/// The two records of an exchange, in the journal's form: what was asked, and what became of it.
enum ExchangeRecords {
    static let startKind: UInt32 = 1
    static let endKind: UInt32 = 2
    /// The id of an exchange whose end record found no room.
    static let lostKind: UInt32 = 3

    /// How much of the bodies is kept under pressure.
    struct BodyPolicy {
        let limit: Int
        static let reduced = BodyPolicy(limit: 4096)
        static let none = BodyPolicy(limit: 0)
        /// Of each of two bodies in one record, which a segment must hold with both heads.
        static let sharedLimit = (JournalLane.segmentSize - (1 << 20)) / 2
    }

    /// Fields of fixed size, and the lengths of those that are not.
    private static let fixedSize = 512

    // MARK: Start

    static func startSize(_ exchange: Exchange, _ policy: BodyPolicy) -> Int {
        let request = exchange.request
        let names = request.clientKey.name.utf8.count + request.clientKey.owner.utf8.count
        let keyName = exchange.key?.definition.name.utf8.count ?? 0
        return fixedSize + names + keyName + request.requestID.utf8.count + request.callerAddress.utf8.count
            + request.upstream.slug.utf8.count + 2 * request.head.message.bytes.readableBytes
            + min(policy.limit, exchange.requestBody.kept)
    }

    static func encodeStart(_ exchange: Exchange, _ policy: BodyPolicy, into encoder: inout RecordEncoder) {
        let request = exchange.request
        encoder.number(request.id)
        encoder.number(request.receivedAt)
        encoder.number(request.clientKey.id)
        encoder.number(request.upstream.id)
        encoder.optional(exchange.key?.id)
        encoder.text(request.requestID)
        encoder.text(request.clientKey.name)
        encoder.text(request.clientKey.owner)
        encoder.text(request.upstream.slug)
        encoder.text(exchange.key?.definition.name)
        encoder.text(request.callerAddress)
        encodeHead(request.head, path: request.admitted.path, query: request.admitted.query, into: &encoder)
        Redaction.coverBody(encoder.blob(exchange.requestBody, limit: policy.limit))
        encoder.number(exchange.requestBody.total)
    }

    private static func encodeHead(
        _ head: RequestHead,
        path: Range<Int>,
        query: Range<Int>?,
        into encoder: inout RecordEncoder
    ) {
        encoder.text(head.method.text.description)
        head.message.withBytes(path) { Redaction.coverClientKeys(encoder.blob($0)) }
        if let query {
            head.message.withBytes(query) { bytes in
                let place = encoder.blob(bytes)
                Redaction.coverQuery(place)
                Redaction.coverClientKeys(place)
            }
        } else {
            encoder.number(-1)
        }
        encodeFields(head.message, into: &encoder)
    }

    /// `secret` is a provider's key, which its own answer may repeat.
    private static func encodeFields(
        _ message: MessageHead?,
        covering secret: SecretForms? = nil,
        into encoder: inout RecordEncoder
    ) {
        guard let message, let first = message.fields.first, let last = message.fields.last else {
            encoder.blob(UnsafeRawBufferPointer(start: nil, count: 0))
            return
        }
        message.withBytes(Int(first.nameStart)..<Int(last.lineEnd)) { bytes in
            let place = encoder.blob(bytes)
            Redaction.coverHeaders(place, message.fields, offset: Int(first.nameStart))
            Redaction.coverClientKeys(place)
            secret?.cover(in: place)
        }
    }

    /// A request that was refused before it became an exchange.
    struct Refused {
        let id: Int
        let requestID: String?
        let address: String
        let head: RequestHead?
        let known: RoutedSoFar
        let refusal: Refusal
        let bytesOut: Int
    }

    static func refusedSize(_ refused: Refused) -> Int {
        let key = refused.known.clientKey
        let names = (key?.name.utf8.count ?? 0) + (key?.owner.utf8.count ?? 0)
        return fixedSize + 256 + names + (refused.known.upstream?.slug.utf8.count ?? 0) + 2
            * (refused.head?.message.bytes.readableBytes ?? 0)
    }

    static func encodeStart(_ refused: Refused, into encoder: inout RecordEncoder) {
        encoder.number(refused.id)
        encoder.number(WallClock.now().microseconds)
        encoder.number(refused.known.clientKey?.id ?? 0)
        encoder.number(refused.known.upstream?.id ?? 0)
        encoder.optional(nil)
        encoder.text(refused.requestID)
        encoder.text(refused.known.clientKey?.name)
        encoder.text(refused.known.clientKey?.owner)
        encoder.text(refused.known.upstream?.slug)
        encoder.text(nil)
        encoder.text(refused.address)
        if let head = refused.head {
            let target = head.message.withBytes(head.target) { bytes in
                ASCII.firstIndex(of: UInt8(ascii: "?"), in: bytes, from: 0).map {
                    head.target.lowerBound + $0
                }
            }
            let path = head.target.lowerBound..<(target ?? head.target.upperBound)
            encodeHead(
                head,
                path: path,
                query: target.map { ($0 + 1)..<head.target.upperBound },
                into: &encoder
            )
        } else {
            encoder.text("")
            encoder.text("")
            encoder.text(nil)
            encodeFields(nil, into: &encoder)
        }
        encoder.blob(UnsafeRawBufferPointer(start: nil, count: 0))
        encoder.number(0)
    }

    static func encodeEnd(_ refused: Refused, into encoder: inout RecordEncoder) {
        encoder.number(refused.id)
        encoder.optional(refused.refusal.code.status)
        encoder.text(refused.refusal.code.rawValue)
        encoder.number(0)
        encoder.optional(nil)
        for number in [0, 0, refused.bytesOut, 0, 0, 0] {
            encoder.number(number)
        }
        encoder.text(nil)
        encoder.optional(nil)
        encoder.optional(nil)
        encoder.number(0)
        encoder.optional(nil)
        encoder.text(refused.refusal.message)
        for _ in 0..<5 {
            encoder.optional(nil)
        }
        for _ in 0..<2 {
            encoder.blob(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        encoder.number(0)
        encoder.number(-1)
        encoder.number(0)
        encoder.optional(nil)
        encoder.text(nil)
        encoder.text(nil)
        encoder.text(nil)
    }

    // MARK: End

    static func endSize(_ exchange: Exchange, _ policy: BodyPolicy) -> Int {
        let detail = exchange.outcome.detail?.utf8.count ?? 0
        let model = exchange.outcome.model?.utf8.count ?? 0
        let attempts = exchange.outcome.attemptsDetail?.utf8.count ?? 0
        let keyName = exchange.key?.definition.name.utf8.count ?? 0
        let gaps = exchange.answer.stream.gaps.isEmpty ? 0 : StreamStatistics.gapsTextLimit
        return fixedSize + detail + model + attempts + keyName + gaps
            + (exchange.answer.head?.bytes.readableBytes ?? 0)
            + min(policy.limit, exchange.answer.body.kept)
            + min(policy.limit, exchange.lateBodySize)
    }

    static func encodeEnd(_ exchange: Exchange, _ policy: BodyPolicy, into encoder: inout RecordEncoder) {
        let outcome = exchange.outcome
        encoder.number(exchange.request.id)
        encoder.optional(outcome.status)
        encoder.text(outcome.error)
        let times = exchange.times
        let end = times.finished ?? times.received
        encoder.number(microseconds(end - times.received))
        encoder.optional(times.answerBegan.map { microseconds($0 - times.received) })
        encoder.number(outcome.overheadMicroseconds)
        encoder.number(outcome.bytesIn)
        encoder.number(outcome.bytesOut)
        encoder.number(outcome.isStream ? 1 : 0)
        encoder.number(outcome.isStream ? exchange.answer.events?.events ?? exchange.answer.stream.pieces : 0)
        encoder.number(outcome.attempts)
        encoder.text(outcome.model)
        encoder.optional(outcome.usage?.promptTokens)
        encoder.optional(outcome.usage?.completionTokens)
        encoder.number(outcome.usage == nil ? 0 : 1)
        encoder.optional(outcome.upstreamStatus)
        encoder.text(outcome.detail)
        let stream = exchange.answer.stream
        encoder.optional(stream.pieces > 0 ? stream.pieces : nil)
        encoder.optional(stream.pieces > 0 ? stream.bytes : nil)
        encoder.optional(stream.first.map { microseconds($0 - times.received) })
        encoder.optional(stream.last.map { microseconds($0 - times.received) })
        encoder.optional(stream.pieces > 1 ? microseconds(stream.longestGap) : nil)
        encodeFields(exchange.answer.head, covering: exchange.key?.secret, into: &encoder)
        let body = encoder.blob(exchange.answer.body, limit: policy.limit)
        Redaction.coverBody(body)
        exchange.key?.secret.cover(in: body)
        encoder.number(exchange.answer.body.total)
        encodeLateBody(exchange, policy, into: &encoder)
        let lastKey = outcome.attempts > 1 ? exchange.key : nil
        encoder.optional(lastKey?.id)
        encoder.text(lastKey?.definition.name)
        encoder.text(outcome.attemptsDetail)
        encoder.text(outcome.isStream ? stream.gapsText : nil)
    }

    /// A streamed request's body arrived after its start was written.
    private static func encodeLateBody(
        _ exchange: Exchange,
        _ policy: BodyPolicy,
        into encoder: inout RecordEncoder
    ) {
        if exchange.sentWholeBody {
            encoder.number(-1)
        } else {
            Redaction.coverBody(encoder.blob(exchange.requestBody, limit: policy.limit))
        }
        encoder.number(exchange.requestBody.total)
    }

    private static func microseconds(_ time: TimeAmount) -> Int {
        Int(time.nanoseconds / 1000)
    }
}
