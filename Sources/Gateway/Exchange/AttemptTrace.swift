import NIOCore
import Operations

/// What is written down of one try of an exchange.
struct AttemptTrace {
    let upstream: String
    let key: UpstreamKeyEntry?
    let status: Int?
    let detail: String?
    let rule: String?
    /// From its own begin.
    let timeToFirstByte: TimeAmount?
    let duration: TimeAmount
}

/// The tries of an exchange and the keys that it passed over, as the log keeps them: JSON, since it is only ever shown.
struct AttemptTraces {
    private(set) var tries: [AttemptTrace] = []
    /// With the upstream's name before the key's where it stands in for another.
    private var skipped: [(name: String, slot: KeyPoolState.Slot)] = []
    private var skippedMore = 0

    /// One try that went well with all keys at hand is told by the record itself.
    var isNoteworthy: Bool { !tries.isEmpty || !skipped.isEmpty }

    mutating func add(_ trace: AttemptTrace) {
        tries.append(trace)
    }

    mutating func note(
        _ census: (usable: Int, others: [KeyPool.Skipped], more: Int),
        of upstream: UpstreamEntry?
    ) {
        let prefix = upstream.map { $0.slug + "/" } ?? ""
        skipped += census.others.map { (prefix + $0.name, $0.slot) }
        skippedMore += census.more
    }

    /// `{"tries":[…],"skipped":[…]}`, in the names of the API.
    func json() -> String {
        var text: [UInt8] = Array("{\"tries\":[".utf8)
        for (index, trace) in tries.enumerated() {
            if index > 0 { text.append(0x2C) }
            text += Array("{\"n\":\(index + 1),\"upstream\":".utf8) + JSONText.quote(trace.upstream)
            text += Self.member("upstream_key", trace.key?.definition.name)
            text += Array(",\"status\":\(trace.status.map(String.init) ?? "null")".utf8)
            text += Self.member("error", trace.detail)
            text += Array(",\"ttft_ms\":\(trace.timeToFirstByte.map(Self.milliseconds) ?? "null")".utf8)
            text += Array(",\"duration_ms\":\(Self.milliseconds(trace.duration)),\"rules\":[".utf8)
            if let rule = trace.rule { text += JSONText.quote(rule) }
            text += Array("]}".utf8)
        }
        text += Array("],\"skipped\":[".utf8)
        for (index, key) in skipped.enumerated() {
            if index > 0 { text.append(0x2C) }
            text += Array("{\"upstream_key\":".utf8) + JSONText.quote(key.name)
            text += Self.member("reason", key.slot.reason)
            let until = key.slot.returnsAt.map { Timestamp(microseconds: $0).description }
            text += Self.member("until", until) + Array("}".utf8)
        }
        text += Array("],\"skipped_more\":\(skippedMore)}".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    private static func member(_ name: String, _ value: String?) -> [UInt8] {
        Array(",\"\(name)\":".utf8) + (value.map(JSONText.quote) ?? Array("null".utf8))
    }

    private static func milliseconds(_ time: TimeAmount) -> String {
        "\(Double(time.nanoseconds / 1000) / 1000)"
    }
}
