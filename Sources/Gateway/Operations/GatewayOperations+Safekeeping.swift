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
        return try await ImportThreads.pool.runIfActive { [gateway] in
            try gateway.imports.whileNone {
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
                var change = MasterKeyChange(
                    upstreamKeys: count.upstreamKeys,
                    notificationChannels: count.channels
                )
                (change.file, change.previousFile) = (file?.path, file?.previous)
                return change
            }
        }
    }
}
