/// What came of a rotation of the master key.
package struct MasterKeyChange: Codable, Sendable {
    /// Values that were sealed anew.
    package var upstreamKeys: Int
    package var notificationChannels: Int
    /// Where the new key stands; null when it has to be put into `FASTGATE_MASTER_KEY`.
    @ShownNull package var file: String?
    /// Where the key before stands, which backups from its time need.
    @ShownNull package var previousFile: String?

    package init(upstreamKeys: Int, notificationChannels: Int) {
        self.upstreamKeys = upstreamKeys
        self.notificationChannels = notificationChannels
    }
}

/// What was erased of one caller.
package struct PurgeResult: Codable, Sendable {
    package var clientKeyId: Int
    package var records: Int
    package var bodies: Int
    /// Exchanges that began later are still there.
    package var until: Timestamp
    /// Exchanges of the caller that run now, and will be in the log when they end.
    package var inFlight: Int

    package init(clientKeyId: Int, records: Int, bodies: Int, until: Timestamp, inFlight: Int) {
        (self.clientKeyId, self.records, self.bodies) = (clientKeyId, records, bodies)
        (self.until, self.inFlight) = (until, inFlight)
    }
}

/// What keeps the gateway's own data safe.
package protocol SafekeepingOperations: Sendable {
    /// Seals everything anew under another master key: 32 bytes in base64, or nil for a new one, which is possible where
    /// a file holds the master key.
    func rotateMasterKey(to key: String?, by user: Operator) async throws -> MasterKeyChange
    /// Everything that the gateway keeps, but for the master key, as a tar archive that comes as it is read; with the log,
    /// which can be large, or without.
    func backup(log: Bool, by user: Operator) async throws -> ByteStream
    /// Erases from the log what one caller has done until now: rows, bodies, and what the journal still holds of them.
    func purgeLog(ofClientKey id: Int, by user: Operator) async throws -> PurgeResult
}
