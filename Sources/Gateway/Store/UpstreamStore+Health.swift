import GRDB
import Operations

extension UpstreamStore {
    /// Writes down what the pool has made of keys; no change by an operator, so the version stays.
    func keep(keys: [Int: HealthStateMachine], upstreams: [Int: HealthStateMachine]) throws {
        try database.write { db in
            let key = try db.cachedStatement(
                sql: """
                    UPDATE upstream_keys SET state = ?, reason = ?, cause = ?, until = ?, since = ?, rests = ?
                    WHERE id = ?
                    """
            )
            for (id, health) in keys { try key.execute(arguments: Self.arguments(health, id)) }
            let upstream = try db.cachedStatement(
                sql: """
                    UPDATE upstreams SET state = ?, reason = ?, cause = ?, until = ?, since = ?, rests = ? WHERE id = ?
                    """
            )
            for (id, health) in upstreams { try upstream.execute(arguments: Self.arguments(health, id)) }
        }
    }

    private static func arguments(_ health: HealthStateMachine, _ id: Int) -> StatementArguments {
        [
            health.name.rawValue, health.reason, health.cause?.rawValue, health.returnsAt, health.since,
            health.rests, id,
        ]
    }

    static func health(_ row: Row) -> HealthStateMachine {
        HealthStateMachine(
            KeyState(rawValue: row["state"]) ?? .disabled,
            until: row["until"],
            since: row["since"],
            reason: row["reason"],
            // Written before causes were: an operator's, until one says otherwise.
            cause: (row["cause"] as String?).flatMap(HealthStateMachine.Cause.init) ?? .hand,
            rests: row["rests"]
        )
    }
}
