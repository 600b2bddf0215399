import Logging
import NIOPosix
package import Operations

extension GatewayOperations {
    package func rotateMasterKey(to key: String?, by user: Operator) async throws -> MasterKeyChange {
        try user.require(.admin)
        let file = gateway.options.masterKeyFile(gateway.directory)
        guard key != nil || file != nil else {
            throw OperationsError(
                .conflict,
                "FASTGATE_MASTER_KEY holds the key: send the next one, and set the variable to it before the next start",
                parameter: "key"
            )
        }
        let text = key ?? MasterKey.generateText()
        guard let next = MasterKey(base64: text) else {
            throw OperationsError(.invalid, "must be 32 bytes in base64", parameter: "key")
        }
        guard try !gateway.store.isSealed(by: next) else {
            throw OperationsError(.invalid, "is the present master key", parameter: "key")
        }
        return try await ImportThreads.pool.runIfActive { [gateway] in
            try gateway.imports.whileNone {
                // One that was cut off has sealed everything already: its key must not be lost.
                try file?.recover { try gateway.store.isSealed(by: $0) }
                try file?.prepare(text)
                let rotation = MasterKeyRotation(
                    database: gateway.store.database,
                    masterKey: gateway.masterKey
                )
                let count: MasterKeyRotation.Count
                do {
                    count = try rotation.rotate(to: next, by: user)
                } catch {
                    // Of a transaction that has ended well nothing is taken back.
                    if try !gateway.store.isSealed(by: next) { file?.abandon() }
                    throw error
                }
                try file?.commit()
                rotation.forgetTraces()
                var change = MasterKeyChange(
                    upstreamKeys: count.upstreamKeys,
                    notificationChannels: count.channels
                )
                (change.file, change.previousFile) = (file?.path, file?.previous.first)
                return change
            }
        }
    }

    // MARK: Backup

    package func backup(log: Bool, by user: Operator) async throws -> ByteStream {
        try user.require(.admin)
        let turn = try gateway.backups.begin()
        let now = Timestamp(microseconds: WallClock.now().microseconds)
        let stream = BackupStream(
            folder: gateway.directory.path,
            files: try backupFiles(log: log, at: now),
            time: now.seconds
        )
        try recordChange(by: user, action: "backup", object: "gateway", id: nil)
        let box = BackupBox(stream: stream, turn: turn)
        return ByteStream { [logger = gateway.logger] in
            do {
                return try await ImportThreads.pool.runIfActive { try box.next() }
            } catch {
                logger.error("a backup broke off", metadata: ["reason": "\(error)"])
                throw error
            }
        }
    }

    private func backupFiles(
        log: Bool,
        at time: Timestamp
    ) throws -> [(name: String, source: BackupStream.Source)] {
        let manifest = BackupManifest(
            form: BackupManifest.form,
            version: version,
            createdAt: time,
            host: gateway.hostName,
            log: log
        )
        var files: [(name: String, source: BackupStream.Source)] = [
            (BackupManifest.name, .bytes(Array(try JSONForm.data(manifest)))),
            (BackupContents.configuration, .database(gateway.store.database)),
            (BackupContents.counts, .file(gateway.directory.limitsFile)),
            (BackupContents.notifications, .database(gateway.notifier.log.database)),
            (BackupContents.telemetry, .database(gateway.telemetry.store.database)),
        ]
        guard log else { return files }
        for file in AuditFileKind.allCases.flatMap(gateway.audit.files.files) {
            let name = "\(BackupContents.auditFolder)/\(file.kind.rawValue)-\(file.firstID).db"
            files.append((name, .database(file.database)))
        }
        return files
    }

    // MARK: Purge

    package func purgeLog(ofClientKey id: Int, by user: Operator) async throws -> PurgeResult {
        try user.require(.admin)
        // Whoever reads a whole file, as a backup does, keeps traces of what is erased in it.
        let turn = try gateway.backups.begin()
        guard try notes.knows(clientKey: id) else {
            throw OperationsError(.notFound, "there is no client key \(id), and there never was")
        }
        // Said first: it is known who did it even when it is cut off.
        try recordChange(by: user, action: "purge", object: "client_key", id: id)
        let until = WallClock.now().microseconds
        let running = try await turnJournalOver(clientKey: id)
        gateway.audit.files.turnOver()
        try await gateway.audit.writer.emptyJournal()
        let purge = AuditPurge(files: gateway.audit.files, clientKey: id, until: until)
        let count = try await ImportThreads.pool.runIfActive {
            defer { withExtendedLifetime(turn) {} }
            return try purge.files.holdingRetention { try purge.run() }
        }
        guard count.unclean.isEmpty else {
            throw OperationsError(
                .unavailable,
                "\(count.records) records are erased, but traces of them are left in \(count.unclean.joined(separator: ", ")); "
                    + "purge again"
            )
        }
        return PurgeResult(
            clientKeyId: id,
            records: count.records,
            bodies: count.bodies,
            until: Timestamp(microseconds: until),
            inFlight: running
        )
    }

    /// - Returns: how many exchanges of the key run, and will be in the log when they end.
    private func turnJournalOver(clientKey id: Int) async throws -> Int {
        var (hasRoom, running) = (true, 0)
        for worker in gateway.plane.workers {
            let (turned, own) = try await worker.run { worker in
                (worker.recorder.turnOver(), worker.exchanges.count { $0.request.clientKey.id == id })
            }
            hasRoom = turned && hasRoom
            running += own
        }
        guard hasRoom else {
            throw OperationsError(.unavailable, "the journal has no room for another segment; try again")
        }
        return running
    }
}

/// Unchecked: a stream of bytes asks for one piece after the other, never for two at once.
private final class BackupBox: @unchecked Sendable {
    private let stream: BackupStream
    private let turn: BackupTurns.Turn

    init(stream: BackupStream, turn: BackupTurns.Turn) {
        (self.stream, self.turn) = (stream, turn)
    }

    func next() throws -> [UInt8]? { try stream.next() }
}
