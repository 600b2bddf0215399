import Operations

@testable import Console

extension Fixture {
    /// One that receives, one that waits for long, and streams.
    static func exchange(_ index: Int) -> LiveExchange {
        let state = ["receiving", "waiting", "answering", "answering", "waiting"][index % 5]
        var exchange = LiveExchange(
            id: 10 + index,
            requestId: "req_live\(index)",
            ageMs: [84, 14_200, 2300, 61_000, 900, 40, 310][index % 7],
            method: "POST",
            path: "/proxy/miniai/v2/chat/completions",
            state: state
        )
        exchange.clientKey = ["app", "team-batch", "lab"][index % 3]
        exchange.owner = ["web", "ml", "research"][index % 3]
        exchange.upstream = index % 4 == 0 ? "openai" : "miniai"
        exchange.upstreamKey = state == "receiving" ? nil : "real-\(index % 2)"
        exchange.model = state == "receiving" ? nil : "gpt-4o-mini"
        exchange.bytesIn = 1100
        guard state == "answering" else { return exchange }
        (exchange.status, exchange.ttftMs, exchange.isStream) = (200, 310, true)
        (exchange.streamChunks, exchange.bytesOut) = (40 + index * 7, 9000 + index * 211)
        return exchange
    }

    static func busy(_ count: Int = 7, at seconds: Int = 0, chunks: Int = 0) -> LiveSnapshot {
        var snapshot = live()
        snapshot.time = time(-seconds)
        snapshot.exchanges = (0..<count).map { index in
            var exchange = exchange(index)
            exchange.ageMs += Double(seconds * 1000)
            if exchange.isStream { exchange.streamChunks += chunks }
            return exchange
        }
        return snapshot
    }

    static func event(_ text: String) -> String {
        "data: {\"choices\":[{\"delta\":{\"content\":\"\(text)\"}}]}\n\n"
    }

    static func piece(_ id: Int) -> WatchedPiece {
        var exchange = exchange(2)
        (exchange.id, exchange.requestId, exchange.clientKey) = (id, "req_live1", "team-batch")
        let words =
            "The gateway routes around keys that die before a caller notices, and tells the operator why. 网关会说中文。"
        return WatchedPiece(
            exchange: exchange,
            text: words.split(separator: " ").map { event("\($0) ") }.joined()
        )
    }
}
