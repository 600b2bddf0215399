import NIOCore
import NIOPosix
import NIOSSL
import Operations
import Synchronization

/// Accepts callers and gives each connection to a loop's worker.
struct Listener: Sendable {
    let channel: any Channel
    let port: Int
    private let certificate: CertificateHolder

    /// Requests are small and some bodies large.
    private static let readSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 1024,
        initial: 2048,
        maximum: 65_536
    )

    /// Binds and begins to accept.
    ///
    /// - Throws: the system's error when the address is in use or not ours.
    static func bind(
        to server: Configuration.Server,
        group: any EventLoopGroup,
        workers: [WorkerHandle]
    ) async throws -> Listener {
        let certificate = CertificateHolder(try Self.certificate(server))
        let handles = Dictionary(uniqueKeysWithValues: workers.map { (ObjectIdentifier($0.loop), $0) })
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                // Without it a process that has run out of file descriptors would spin on accept.
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.syncOptions?.setOption(.recvAllocator, value: Self.readSizes)
                    guard let handle = handles[ObjectIdentifier(channel.eventLoop)] else {
                        preconditionFailure("a connection was given to a loop without a worker")
                    }
                    let tls = certificate.context
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        CallerConnection(worker: handle.worker.value, isSecure: tls != nil)
                    )
                }
            }
            .bind(host: server.host, port: server.port)
            .get()
        return Listener(
            channel: channel,
            port: channel.localAddress?.port ?? server.port,
            certificate: certificate
        )
    }

    /// Reads the certificate's files, nil when callers come without TLS.
    static func certificate(_ server: Configuration.Server) throws -> NIOSSLContext? {
        do throws(ConfigurationError) {
            guard let files = server.tls else { return nil }
            return try CertificateFiles.load(files)
        } catch {
            throw OperationsError(.invalid, error.message, parameter: "server.tls")
        }
    }

    /// Connections that come from here on get this certificate.
    func renew(_ context: NIOSSLContext?) {
        certificate.renew(context)
    }
}

/// The listener's certificate, which a reload may renew.
///
/// Whether there is one at all is settled at the start.
private final class CertificateHolder: Sendable {
    private let current: Mutex<NIOSSLContext?>

    init(_ context: NIOSSLContext?) {
        current = Mutex(context)
    }

    var context: NIOSSLContext? { current.withLock { $0 } }

    func renew(_ context: NIOSSLContext?) {
        current.withLock { current in
            if let context, current != nil { current = context }
        }
    }
}

/// A worker with the loop on which alone it may be touched.
struct WorkerHandle: Sendable {
    let loop: any EventLoop
    let worker: NIOLoopBound<Worker>

    /// Makes the worker on its own loop.
    static func start(
        on loop: any EventLoop,
        _ make: @escaping @Sendable () -> Worker
    ) async throws -> WorkerHandle {
        try await loop.submit { WorkerHandle(loop: loop, worker: NIOLoopBound(make(), eventLoop: loop)) }
            .get()
    }

    /// Runs on the worker's loop and waits for the result.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Worker) -> Result) async throws -> Result {
        let worker = worker
        return try await loop.submit { body(worker.value) }.get()
    }
}
