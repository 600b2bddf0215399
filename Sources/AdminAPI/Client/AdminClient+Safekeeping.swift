import NIOHTTP1
package import Operations

extension AdminClient: SafekeepingOperations {
    package func rotateMasterKey(to key: String?, by user: Operator) async throws -> MasterKeyChange {
        try await call(.POST, "/master-key/rotate", ["key": key].compactMapValues { $0 })
    }

    package func backup(log: Bool, by user: Operator) async throws -> ByteStream {
        try await download("/backup", [("log", "\(log)")])
    }

    package func purgeLog(ofClientKey id: Int, by user: Operator) async throws -> PurgeResult {
        try await call(.POST, "/logs/purge", ["client_key_id": id])
    }
}
