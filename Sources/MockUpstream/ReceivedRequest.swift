import Synchronization

/// One request as it reached the fake provider, for tests to look at.
struct ReceivedRequest: Sendable {
    let number: Int
    let method: String
    let uri: String
    let headers: [(name: String, value: String)]
    var body: [UInt8] = []
    /// `open`, `answered`, or `closed` when the other side left first.
    var end = "open"
    /// Milliseconds since 1970.
    let receivedAt: Int
    var endedAt: Int?

    var json: String {
        let pairs = headers.map { "[\(Self.quote($0.name)),\(Self.quote($0.value))]" }.joined(separator: ",")
        let text = Self.quote(String(decoding: body, as: UTF8.self))
        let ended = endedAt.map(String.init) ?? "null"
        return """
            {"number":\(number),"method":\(Self.quote(method)),"uri":\(Self.quote(uri)),"headers":[\(pairs)],\
            "body":\(text),"body_bytes":\(body.count),"end":"\(end)","received_at_ms":\(receivedAt),"ended_at_ms":\(ended)}
            """
    }

    static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The newest requests, oldest first; older ones are forgotten.
final class ReceivedRequests: Sendable {
    private struct State {
        var requests: [ReceivedRequest] = []
        var count = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var isKeeping: Bool { limit > 0 }

    func add(_ make: (Int) -> ReceivedRequest) -> Int {
        state.withLock { state in
            state.count += 1
            state.requests.append(make(state.count))
            if state.requests.count > limit { state.requests.removeFirst(state.requests.count - limit) }
            return state.count
        }
    }

    func update(_ number: Int, _ change: (inout ReceivedRequest) -> Void) {
        state.withLock { state in
            guard let first = state.requests.first?.number, number >= first,
                number - first < state.requests.count
            else { return }
            change(&state.requests[number - first])
        }
    }

    func clear() {
        state.withLock { $0.requests = [] }
    }

    var json: String {
        let all = state.withLock { $0.requests }
        return "[" + all.map(\.json).joined(separator: ",") + "]"
    }
}
