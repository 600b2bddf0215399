import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// `fastgate-script-worker`: one process that runs scripts in JavaScript for the gateway, and can do nothing else.
///
/// It is started by the gateway with one channel as its standard input, gets ready, locks itself up for good, proves it,
/// and then answers one frame after the other until the channel ends or it is killed.
@main
enum ScriptWorker {
    private static let channel = WorkerChannel(descriptor: 0)

    /// Microseconds that a script works between two rests, in the Python worker, too.
    private static let turn: Int64 = 100

    static func main() {
        // Many may start one after the other; half of a processor is enough for that.
        clinux_ration(turn, turn, turn)
        guard var start = channel.receive() else { exit(1) }
        guard start.kind == .start else { exit(2) }
        let isJailed = start.number(bytes: 1) == 1
        let dataLimit = start.number(bytes: 8)
        let secrets = (0..<Int(start.number(bytes: 4))).map { _ in start.text() }
        // Must be known before the engine's first call: its compiler maps memory that is written and run.
        putenv(strdup("JSC_useJIT=0"))
        if isJailed, let fault = Jail.beginning() { refuse(fault) }
        let engine = JavaScriptEngine()
        if let fault = engine.warmUp() { refuse("the engine does not work: \(fault)") }
        if isJailed, let fault = Jail.close(dataLimit: dataLimit, secrets: secrets) { refuse(fault) }
        while engine.prepare() {}
        clinux_ration(0, 0, 0)
        var ready = FrameWriter(kind: .ready)
        ready.append("JavaScriptCore")
        guard channel.send(ready) else { exit(0) }
        serve(engine)
    }

    private static func serve(_ engine: JavaScriptEngine) -> Never {
        while var frame = channel.receive() {
            guard frame.kind == .run || frame.kind == .check else { exit(2) }
            let isCheck = frame.kind == .check
            let nonce = frame.number(bytes: 8)
            let pacedAfter = Int64(frame.number(bytes: 4))
            let rest = Int64(frame.number(bytes: 4))
            let endsAt = frame.number(bytes: 8)
            let source = frame.text()
            let context = frame.text()
            let begin = ContinuousClock.now
            clinux_ration(pacedAfter, turn, rest)
            let outcome =
                isCheck
                ? engine.check(source)
                : engine.run(source, context: context, until: endsAt > 0 ? endsAt : nil)
            let took = ContinuousClock.now - begin
            // Unanswered it is this script that has cost the worker, and not the one that would come next.
            guard engine.isSound, channel.send(answer(nonce, outcome, took)) else { break }
            // Whoever waits is told first.
            clinux_ration(0, 0, 0)
            // While some are ready there is no hurry: the request that has asked needs the processor now.
            while !channel.hasInput(within: engine.isReady ? 1 : 0), engine.prepare() {}
        }
        exit(0)
    }

    private static func answer(
        _ nonce: UInt64,
        _ outcome: JavaScriptEngine.Outcome,
        _ took: Duration
    ) -> FrameWriter {
        var frame = FrameWriter(kind: .done)
        frame.append(nonce, bytes: 8)
        frame.append(outcome.isOvertime ? 2 : outcome.value == nil ? 0 : 1, bytes: 1)
        let text = outcome.value ?? outcome.message
        // A header's value is far shorter; what goes over a frame would end the worker.
        frame.append(String(decoding: Array(text.utf8.prefix(131_072)), as: UTF8.self))
        frame.append(UInt64(clamping: outcome.line), bytes: 4)
        frame.append(UInt64(clamping: outcome.column), bytes: 4)
        frame.append(outcome.output)
        frame.append(UInt64(max(0, took / .microseconds(1))), bytes: 4)
        return frame
    }

    private static func refuse(_ fault: String) -> Never {
        var frame = FrameWriter(kind: .refused)
        frame.append(fault)
        _ = channel.send(frame)
        exit(3)
    }
}
