import Operations

/// The port's implementation over the live gateway; extensions hold one capability each.
package struct GatewayOperations: GatewayPort {
    let gateway: GatewayServer
    let version: String

    package init(_ gateway: GatewayServer, version: String) {
        self.gateway = gateway
        self.version = version
    }

    var clientKeyStore: ClientKeyStore { ClientKeyStore(database: gateway.store.database) }
    var upstreamStore: UpstreamStore { UpstreamStore(database: gateway.store.database) }
    var auditQueries: AuditQueries { AuditQueries(files: gateway.audit.files) }

    static func requireText(_ text: String, _ field: String, limit: Int = 200) throws(OperationsError) {
        guard !text.isEmpty, text.utf8.count <= limit else {
            throw OperationsError(.invalid, "must have 1 to \(limit) bytes", parameter: field)
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw OperationsError(.invalid, "holds a control character", parameter: field)
        }
    }
}
