package import Operations

extension GatewayOperations {
    package func undo(change id: Int, by user: Operator) async throws -> OperatorChange {
        try user.require(.operator)
        let present = try views()
        let outcome = try ChangeUndo(database: gateway.store.database).undo(id, by: user) { upstream in
            guard let slug = present.first(where: { $0.id == upstream })?.slug else { return }
            try Self.checkIsNoFallback(slug, present)
        }
        try await bringIntoForce(outcome)
        return outcome.change
    }

    /// Has the gateway go by rows that an undo has put into the database.
    private func bringIntoForce(_ outcome: ChangeUndo.Outcome) async throws {
        let touches = outcome.touches
        let tables = Set(touches.map(\.table))
        let ids = touches.filter { $0.table == "client_keys" }.map(\.id)
        if !ids.isEmpty { try await gateway.snapshots.publishClientKeys(ids) }
        if !tables.isDisjoint(with: ["upstreams", "upstream_keys", "rules", "header_rules"]) {
            try await gateway.snapshots.publishUpstreams()
        }
        // The pool goes by what it knows, not by rows.
        for key in outcome.keys { bring(key.id, ofUpstream: key.upstreamID, to: key.health) }
        if !tables.isDisjoint(with: ["notification_channels", "notification_templates"]) {
            try gateway.publishNotificationChannels()
        }
        if tables.contains("tasks") { try gateway.scheduler.readIntervals() }
    }
}
