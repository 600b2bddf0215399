import CLinux
import NIOCore
import NIOPosix
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// One worker: a process and the channel to it, on the scripts' loop.
final class ScriptWorkerProcess: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// What a worker tells; all on its loop.
    protocol Listener: AnyObject {
        func ready(_ worker: ScriptWorkerProcess)
        func done(_ worker: ScriptWorkerProcess, nonce: UInt64, _ outcome: ScriptOutcome)
        /// Said once: the process is gone, or as good as gone.
        func gone(_ worker: ScriptWorkerProcess)
    }

    struct Settings: Sendable {
        var command: [String]
        var timeZone: String
        var isJailed: Bool
        /// Whether it may get ready in idle time, since it can come back from there.
        var mayWait: Bool
        var dataLimit: Int
        /// Files that the jail must keep it from.
        var secrets: [String]
    }

    /// A worker that is not ready by then never will be.
    static let startTime = TimeAmount.seconds(10)

    let id: Int
    let language: ScriptLanguage
    private(set) var processID: Int32 = 0
    /// Why it has ended, when it was not asked to.
    private(set) var reason: String?
    let startedAt = NIODeadline.now()
    private(set) var isReady = false
    private unowned let listener: any Listener
    private var context: ChannelHandlerContext?
    private var inbound = ByteBuffer()
    private var isGone = false
    /// Whether it was told to end, maybe before it was there.
    private var isUnwanted = false
    /// Whether it runs in idle time only.
    private var isPolite = false

    init(id: Int, language: ScriptLanguage, listener: any Listener) {
        self.id = id
        self.language = language
        self.listener = listener
    }

    // MARK: Start and end

    /// `spawner`: a loop whose thread lives as long as the gateway, since a worker dies with the thread that has started
    /// it; and the start takes a moment, in which a loop of callers would stand still.
    func start(_ settings: Settings, on loop: any EventLoop, spawner: any EventLoop) {
        let worker = NIOLoopBound(self, eventLoop: loop)
        spawner.submit { try Self.spawn(settings) }.hop(to: loop).whenComplete { result in
            switch result {
            case .success(let spawned): worker.value.connect(spawned, settings, on: loop)
            case .failure(let error): worker.value.failed("\(error)")
            }
        }
    }

    private struct Spawned: Sendable {
        let process: Int32
        let channel: Int32
    }

    private struct SpawnFailure: Error, CustomStringConvertible {
        let description: String
    }

    private static func spawn(_ settings: Settings) throws(SpawnFailure) -> Spawned {
        var ends: [Int32] = [0, 0]
        var code = clinux_socket_pair(&ends)
        guard code == 0 else {
            throw SpawnFailure(description: "no channel: \(String(cString: strerror(code)))")
        }
        var process: Int32 = 0
        code = launch(settings, channel: ends[1], &process)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw SpawnFailure(description: "\(settings.command[0]): \(String(cString: strerror(code)))")
        }
        return Spawned(process: process, channel: ends[0])
    }

    private static func launch(_ settings: Settings, channel: Int32, _ process: inout Int32) -> Int32 {
        let words: [UnsafeMutablePointer<CChar>?] = settings.command.map { strdup($0) }
        // Nothing of the gateway's environment: it may hold keys.
        let variables: [UnsafeMutablePointer<CChar>?] = [
            strdup("LANG=C.UTF-8"), strdup("TZ=\(settings.timeZone)"),
            // A crash is the end of the worker, and nothing is started to look into it.
            strdup("SWIFT_BACKTRACE=enable=no"),
        ]
        defer { for text in words + variables { free(text) } }
        let wordList = words.map { $0.map { UnsafePointer($0) } } + [nil]
        let variableList = variables.map { $0.map { UnsafePointer($0) } } + [nil]
        return clinux_spawn_worker(wordList, variableList, channel, &process)
    }

    private func connect(_ spawned: Spawned, _ settings: Settings, on loop: any EventLoop) {
        processID = spawned.process
        // Getting ready is work, too, and in a storm of scripts that must be stopped it is done again and again.
        if settings.mayWait { _ = takeTurns(false) }
        guard !isUnwanted else {
            close(spawned.channel)
            kill()
            return end()
        }
        let handler = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .withConnectedSocket(spawned.channel)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success: self.sendStart(settings)
                case .failure(let error): self.failed("\(error)")
                }
            }
    }

    private func sendStart(_ settings: Settings) {
        var filter = [UInt8](repeating: 0, count: 4096)
        let size = clinux_jail_filter(&filter, filter.count, processID, 0)
        let frame = ScriptFrames.start(
            isJailed: settings.isJailed,
            dataLimit: settings.dataLimit,
            secrets: settings.secrets,
            filter: Array(filter.prefix(size))
        )
        context?.writeAndFlush(NIOAny(frame), promise: nil)
    }

    private func failed(_ reason: String) {
        self.reason = self.reason ?? reason
        end()
    }

    /// Runs in otherwise idle time only, or in ordinary turns again.
    ///
    /// - Returns: false when the system does not let it come back.
    func takeTurns(_ takesTurns: Bool) -> Bool {
        guard takesTurns == isPolite, processID > 0 else { return true }
        guard clinux_set_idle_scheduling_of_process(processID, takesTurns ? 0 : 1) == 0 else { return false }
        isPolite = !takesTurns
        return true
    }

    /// It is asked to go: the end of its channel is the end of its work.
    func retire() {
        context?.close(promise: nil)
    }

    func kill(_ reason: String? = nil) {
        self.reason = self.reason ?? reason
        isUnwanted = true
        if processID > 0 { _ = Glibc.kill(processID, SIGKILL) }
    }

    private func end() {
        guard !isGone else { return }
        isGone = true
        kill()
        listener.gone(self)
    }

    /// Takes the process's end from the system.
    ///
    /// - Returns: false while it is still there.
    func reap() -> Bool {
        var status: Int32 = 0
        return processID <= 0 || waitpid(processID, &status, WNOHANG) != 0
    }

    var residentBytes: Int? {
        let bytes = clinux_private_bytes(processID)
        return bytes > 0 ? Int(bytes) : nil
    }

    // MARK: Channel

    func run(nonce: UInt64, _ job: ScriptJob, _ pace: ScriptFrames.Pace) {
        let frame = ScriptFrames.run(
            nonce: nonce,
            source: job.source,
            context: job.context,
            isCheck: job.isCheck,
            pace: pace
        )
        context?.writeAndFlush(NIOAny(frame), promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        inbound.writeBuffer(&buffer)
        do throws(ScriptFrames.Malformed) {
            while let answer = try ScriptFrames.read(&inbound) { take(answer) }
        } catch {
            kill("the worker said what no worker says")
        }
        if inbound.readableBytes == 0 { inbound.clear() }
    }

    private func take(_ answer: ScriptFrames.Answer) {
        switch answer {
        case .ready where isReady: kill("the worker was ready twice")
        case .ready:
            isReady = true
            listener.ready(self)
        case .refused(let reason):
            self.reason = "scripts are refused, the jail does not hold (docs/scripts.md): \(reason)"
        case .done(let nonce, let outcome): listener.done(self, nonce: nonce, outcome)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
