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
    /// Whom it connects to: the backend, or the proxy before it.
    private let dialled: (host: String, port: Int)
    /// The address when the host is one: then there is nothing to look up.
    private let literal: SocketAddress?
    private unowned let worker: Worker
    private var idle: [UpstreamConnection] = []
    private(set) var open = 0

    init(identity: ConnectionIdentity, tls: NIOSSLContext?, worker: Worker) {
        self.identity = identity
        self.tls = tls
        dialled = identity.proxy.map { ($0.host, $0.port) } ?? (identity.host, identity.port)
        // A name is no address: that is what the question is.
        literal = try? SocketAddress(ipAddress: dialled.host, port: dialled.port)
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
        let host = dialled.host
        let attempt = bootstrap(connection, timeout: timeout)
        // A name may have several addresses, tried in turn on channels of their own: only the one that has
        // connected gets the handler.
        attempt.whenSuccess { [identity, tls] channel in
            guard let proxy = identity.proxy, identity.isTunnelled else {
                return Self.adopt(channel, connection, host)
            }
            Self.tunnel(channel, connection, by: proxy, to: identity, tls, within: timeout)
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
        timeout: TimeAmount
    ) -> EventLoopFuture<any Channel>.Isolated {
        // Behind a proxy it begins in the tunnel.
        let tls = identity.proxy == nil ? tls : nil
        let host = identity.host
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
                .connect(host: dialled.host, port: dialled.port)
                .assumeIsolated()
        }
        return bootstrap.connect(to: literal).assumeIsolated()
    }

    /// The address is judged where it is certain: on the connected socket, whatever the name resolved to.
    private static func adopt(_ channel: any Channel, _ connection: UpstreamConnection, _ host: String) {
        do {
            try check(channel, host)
            try channel.pipeline.syncOperations.addHandler(connection)
        } catch {
            channel.close(promise: nil)
            connection.connectFailed(error)
        }
    }

    private static func check(_ channel: any Channel, _ host: String) throws {
        let address = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        if let address, address.isForbiddenUpstream { throw ForbiddenAddress(host: host) }
    }

    private static func tunnel(
        _ channel: any Channel,
        _ connection: UpstreamConnection,
        by proxy: ProxyURL,
        to identity: ConnectionIdentity,
        _ tls: NIOSSLContext?,
        within timeout: TimeAmount
    ) {
        do {
            try check(channel, proxy.host)
        } catch {
            channel.close(promise: nil)
            connection.connectFailed(error)
            return
        }
        let opened = ProxyTunnel.open(on: channel, to: identity.authority, by: proxy, within: timeout)
            .assumeIsolated()
        opened.whenSuccess {
            do {
                if let tls { try channel.pipeline.syncOperations.addHandler(tlsHandler(tls, identity.host)) }
                adopt(channel, connection, proxy.host)
            } catch {
                channel.close(promise: nil)
                connection.connectFailed(error)
            }
        }
        opened.whenFailure { connection.connectFailed($0) }
    }

    static func tlsHandler(_ context: NIOSSLContext, _ host: String) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: IPAddress(host) == nil ? host : nil)
    }
}
