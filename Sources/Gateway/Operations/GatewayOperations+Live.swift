import NIOCore
package import Operations
import Synchronization

extension GatewayOperations {
    package func exchanges(by user: Operator) async throws -> Page<LiveExchange> {
        Page(items: try await liveExchanges())
    }

    /// Each loop makes its own part, on itself; nothing is published while nobody asks.
    private func liveExchanges() async throws -> [LiveExchange] {
        var all: [LiveExchange] = []
        for worker in gateway.plane.workers {
            all += try await worker.run { worker in
                let now = NIODeadline.now()
                return worker.exchanges.map { $0.live(at: now) }
            }
        }
        return all.sorted { $0.id < $1.id }
    }

    package func cutExchange(_ id: Int, by user: Operator) async throws {
        try user.require(.operator)
        for worker in gateway.plane.workers {
            let isFound = try await worker.run { worker in
                guard let exchange = worker.exchanges.first(where: { $0.request.id == id }) else {
                    return false
                }
                exchange.end(with: Refusal(.operatorCut, "An operator has ended the request.", closes: true))
                return true
            }
            if isFound {
                try recordChange(by: user, action: "cut", object: "exchange", id: id)
                return
            }
        }
        throw OperationsError(.notFound, "no exchange \(id) is running; it may have ended")
    }

    package func watch(
        exchange id: Int,
        by user: Operator
    ) async throws -> AsyncThrowingStream<WatchedPiece, any Error> {
        for worker in gateway.plane.workers {
            guard let watch = try await AnswerWatch.begin(id, on: worker) else { continue }
            return AsyncThrowingStream { try await watch.next() }
        }
        throw OperationsError(
            .notFound,
            "no exchange \(id) is running; it may have ended, and is in the log then"
        )
    }

    package func live(
        filter: String,
        by user: Operator
    ) async throws -> AsyncThrowingStream<LiveSnapshot, any Error> {
        _ = try AuditQueries.parse(filter)
        let presence = gateway.presence
        let place = presence.enter(user)
        return gateway.live.snapshots(filter) {
            presence.leave(place)
        } make: {
            try await liveSnapshot(filter, by: user)
        }
    }
}

extension GatewayOperations {
    private func liveSnapshot(_ filter: String, by user: Operator) async throws -> LiveSnapshot {
        let (dashboard, points) = try await figures(filter, by: user)
        let now = WallClock.now()
        var snapshot = LiveSnapshot(
            time: Timestamp(microseconds: now.microseconds),
            dashboard: dashboard,
            exchanges: try await liveExchanges()
        )
        snapshot.points = points
        snapshot.uptimeSeconds = now.seconds - gateway.startedAt.seconds
        snapshot.auditPending = gateway.audit.counters.pending.load(ordering: .relaxed)
        snapshot.auditDiskBytes = gateway.audit.diskSize
        snapshot.operators = gateway.presence.all.count
        snapshot.lastChange = try await operatorChanges(limit: 1, cursor: nil, by: user).items.first
        return snapshot
    }
}

extension Exchange {
    /// What an operator sees of the exchange while it runs.
    func live(at now: NIODeadline) -> LiveExchange {
        let state =
            times.attemptSent == nil ? "receiving" : times.headPassedOn == nil ? "waiting" : "answering"
        var view = LiveExchange(
            id: request.id,
            requestId: request.requestID,
            ageMs: Self.milliseconds(now - times.received),
            method: request.head.method.text.description,
            path: request.head.message.withBytes(request.admitted.path, Redaction.textWithoutClientKeys),
            state: state
        )
        view.clientKey = request.clientKey.name
        view.owner = request.clientKey.owner
        view.upstream = request.upstream.slug
        view.upstreamKey = key?.definition.name
        view.model = outcome.model
        view.status = outcome.status
        view.ttftMs = times.answerBegan.map { Self.milliseconds($0 - times.received) }
        view.isStream = outcome.isStream
        view.streamChunks = answer.events?.events ?? answer.stream.pieces
        view.bytesIn = outcome.bytesIn
        view.bytesOut = answer.stream.bytes
        return view
    }

    private static func milliseconds(_ time: TimeAmount) -> Double {
        Double(time.nanoseconds / 1000) / 1000
    }
}
