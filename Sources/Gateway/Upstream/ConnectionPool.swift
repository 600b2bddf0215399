import NIOCore
import NIOPosix
import NIOSSL

/// One event loop's connections to one backend: idle ones are kept for the next exchange of the same loop.
final class ConnectionPool {
    /// Servers in wide use (Node, uvicorn) close idle connections after 5 s; we do it first, so that a
    /// request is not sent into a connection that is being closed.
    static let idleTime = TimeAmount.milliseconds(4000)
    static let maximumIdle = 512
    static let maximumOpen = 8192

    private let identity: ConnectionIdentity
    private var tls: NIOSSLContext?
    /// The address when the host is one: then there is nothing to look up.
    private let literal: SocketAddress?
    private unowned let worker: Worker
    private var idle: [UpstreamConnection] = []
    private(set) var open = 0

    init(identity: ConnectionIdentity, tls: NIOSSLContext?, worker: Worker) {
        self.identity = identity
        self.tls = tls
        // A name is no address: that is what the question is.
        literal = try? SocketAddress(ipAddress: identity.host, port: identity.port)
        self.worker = worker
    }

    var idleCount: Int { idle.count }

    /// Gives the exchange a connection, at once or after connecting; `attemptReady` or `attemptFailed` follows.
    func lend(to exchange: Exchange, connectTimeout: TimeAmount) {
        while let connection = idle.popLast() {
            if connection.lend(to: exchange) { return }
        }
        guard open < Self.maximumOpen else {
            exchange.attemptFailed(AttemptFailure(kind: .overloaded, detail: "\(open) connections are open"))
            return
        }
        guard !identity.isSecure || tls != nil else {
            exchange.attemptFailed(
                AttemptFailure(kind: .tls, detail: "the upstream's ca_file cannot be used")
            )
            return
        }
        connect(for: exchange, timeout: connectTimeout)
    }

    func takeBack(_ connection: UpstreamConnection) {
        guard idle.count < Self.maximumIdle, !worker.isDraining else {
            connection.close()
            return
        }
        idle.append(connection)
    }

    func closed(_ connection: UpstreamConnection) {
        open -= 1
        worker.upstreamClosed()
        if let index = idle.firstIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// Connections that come from here on trust what the new context trusts.
    func renew(_ tls: NIOSSLContext?) {
        guard tls !== self.tls else { return }
        self.tls = tls
        closeIdle()
    }

    func closeIdle() {
        for connection in idle {
            connection.close()
        }
    }

    private func connect(for exchange: Exchange, timeout: TimeAmount) {
        open += 1
        worker.upstreamOpened()
        let connection = UpstreamConnection(
            pool: self,
            worker: worker,
            waiting: exchange,
            isSecure: tls != nil
        )
        let host = identity.host
        let attempt = bootstrap(connection, timeout: timeout, host: host)
        // A name may have several addresses, tried in turn on channels of their own: only the one that has
        // connected gets the handler.
        attempt.whenSuccess { channel in
            Self.adopt(channel, connection, host)
        }
        attempt.whenFailure { [worker] error in
            worker.addressBook.forget(host)
            connection.connectFailed(error)
        }
    }

    /// TLS has its own buffers behind those of the socket.
    private func readSizes(_ connection: UpstreamConnection) -> any RecvByteBufferAllocator {
        guard identity.isSecure else { return worker.readMemory.allocator(for: connection) }
        return AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 65_536)
    }

    private func bootstrap(
        _ connection: UpstreamConnection,
        timeout: TimeAmount,
        host: String
    ) -> EventLoopFuture<any Channel>.Isolated {
        let tls = tls
        let bootstrap = ClientBootstrap(group: worker.loop)
            .connectTimeout(timeout)
            .channelOption(.recvAllocator, value: readSizes(connection))
            // More, and what a slow caller has paused would be read all the same.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(Self.tlsHandler(tls, host)) }
                }
            }
        guard let literal else {
            return bootstrap.resolver(AddressBookResolver(book: worker.addressBook, loop: worker.loop))
                .connect(host: host, port: identity.port)
                .assumeIsolated()
        }
        return bootstrap.connect(to: literal).assumeIsolated()
    }

    /// The address is judged where it is certain: on the connected socket, whatever the name resolved to.
    private static func adopt(_ channel: any Channel, _ connection: UpstreamConnection, _ host: String) {
        let address = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        do {
            if let address, address.isForbiddenUpstream { throw ForbiddenAddress(host: host) }
            try channel.pipeline.syncOperations.addHandler(connection)
        } catch {
            channel.close(promise: nil)
            connection.connectFailed(error)
        }
    }

    static func tlsHandler(_ context: NIOSSLContext, _ host: String) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: IPAddress(host) == nil ? host : nil)
    }
}
