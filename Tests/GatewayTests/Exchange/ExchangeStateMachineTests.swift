import Testing

@testable import Gateway

@Suite struct `Exchange state machine` {
    private let limits = ExchangeStateMachine.BodyLimits(total: 100, buffered: 10, mustHold: false)
    private let failure = Refusal(.upstreamError, "gone")

    private func answering(isEventStream: Bool) -> ExchangeStateMachine {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyEnded()
        _ = machine.headArrived(status: 200, isEventStream: isEventStream)
        return machine
    }

    @Test func `a small body is held, then sent whole`() {
        var machine = ExchangeStateMachine(limits: limits)
        #expect(machine.bodyDeclared(length: 10) == .hold)
        #expect(machine.bodyArrived(bytes: 10) == .hold)
        #expect(machine.bodyEnded() == .sendWhole)
        #expect(machine.bodyMode == .buffered)
    }

    @Test func `a body over the buffer streams`() {
        var machine = ExchangeStateMachine(limits: limits)
        #expect(machine.bodyArrived(bytes: 11) == .startStreaming)
        #expect(machine.bodyArrived(bytes: 5) == .passOn)
        #expect(machine.bodyEnded() == .passOn)
        #expect(machine.bodyMode == .streamed)
    }

    @Test(arguments: [(99, true), (100, true), (101, false)])
    func `a declared body may be exactly at the limit`(length: Int, isAccepted: Bool) {
        var machine = ExchangeStateMachine(limits: limits)
        let action = machine.bodyDeclared(length: length)
        #expect((action == .startStreaming) == isAccepted)
        #expect(machine.isFinished == !isAccepted)
    }

    @Test func `a body is counted as it arrives, whatever was declared`() {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyArrived(bytes: 100)
        guard case .refuse(let refusal) = machine.bodyArrived(bytes: 1) else {
            Issue.record("101 bytes were accepted")
            return
        }
        #expect(refusal.code == .bodyTooLarge)
        #expect(refusal.closesConnection)
    }

    @Test func `a body that must be edited is never streamed`() {
        var machine = ExchangeStateMachine(limits: .init(total: 100, buffered: 10, mustHold: true))
        guard case .refuse(let refusal) = machine.bodyArrived(bytes: 11) else {
            Issue.record("the body was accepted")
            return
        }
        #expect(refusal.code == .bodyTooLarge)
    }

    @Test(arguments: [401, 403])
    func `a provider's refusal of our key never looks like the caller's`(status: Int) {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyEnded()
        #expect(machine.headArrived(status: status, isEventStream: false) == .withhold)
        guard case .refuse(let refusal) = machine.answerEnded() else {
            Issue.record("the answer was passed on")
            return
        }
        #expect(refusal.code == .upstreamCredentials)
        #expect(refusal.code.status == 502)
    }

    @Test func `a failure before the answer is an answer of ours`() {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyEnded()
        #expect(machine.failed(failure) == .refuse(failure))
        #expect(machine.failed(failure) == .ignore)
    }

    @Test func `a failure inside a stream is an event, inside anything else a cut`() {
        var stream = answering(isEventStream: true)
        #expect(stream.failed(failure) == .sendErrorEvent(failure))
        var plain = answering(isEventStream: false)
        #expect(plain.failed(failure) == .cut)
    }

    @Test func `a body that grows too large after the answer began can only be cut`() {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyArrived(bytes: 50)
        _ = machine.headArrived(status: 200, isEventStream: false)
        #expect(machine.bodyArrived(bytes: 51) == .cut)
    }

    @Test func `every event after the end is ignored`() {
        var machine = answering(isEventStream: true)
        #expect(machine.answerEnded() == .complete)
        #expect(machine.answerEnded() == .ignore)
        #expect(machine.bodyArrived(bytes: 1) == .ignore)
        #expect(machine.bodyEnded() == .ignore)
        #expect(machine.headArrived(status: 200, isEventStream: false) == .ignore)
        #expect(machine.failed(failure) == .ignore)
        let wasOpen = machine.callerLeft()
        #expect(!wasOpen)
    }

    @Test func `any order of events finishes at most once and never traps`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var machine = ExchangeStateMachine(limits: limits)
            var endings = 0
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let wasFinished = machine.isFinished
                switch Int.random(in: 0..<7, using: &random) {
                case 0: _ = machine.bodyArrived(bytes: Int.random(in: 0...60, using: &random))
                case 1: _ = machine.bodyEnded()
                case 2: _ = machine.headArrived(status: 200, isEventStream: Bool.random(using: &random))
                case 3: _ = machine.answerEnded()
                case 4: _ = machine.failed(failure)
                case 5: _ = machine.callerLeft()
                default: _ = machine.headArrived(status: 401, isEventStream: false)
                }
                if machine.isFinished && !wasFinished { endings += 1 }
                #expect(!wasFinished || machine.isFinished)
            }
            #expect(endings <= 1)
        }
    }
}
