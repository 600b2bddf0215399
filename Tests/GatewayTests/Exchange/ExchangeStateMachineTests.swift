import Testing

@testable import Gateway

@Suite struct `Exchange state machine` {
    private let limits = ExchangeStateMachine.BodyLimits(total: 100, buffered: 10, mustHold: false)
    private let failure = Refusal(.upstreamError, "gone")

    private func answering(isEventStream: Bool) -> ExchangeStateMachine {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyEnded()
        _ = machine.headArrived(isJudged: false, isEventStream: isEventStream)
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

    @Test func `an answer is held until it is judged, and only once`() {
        var machine = ExchangeStateMachine(limits: limits)
        _ = machine.bodyEnded()
        #expect(machine.headArrived(isJudged: true, isEventStream: false) == .hold)
        #expect(machine.answerEnded() == .judge && !machine.isFinished)
        #expect(machine.canRepeat)
        let isAgain = machine.judged(.again)
        #expect(isAgain && machine.state == .attempting)
        let isTwice = machine.judged(.replace)
        #expect(!isTwice)
        #expect(machine.headArrived(isJudged: true, isEventStream: true) == .hold)
        let isRelayed = machine.judged(.relay(isEventStream: true))
        #expect(isRelayed && !machine.canRepeat)
        #expect(machine.failed(failure) == .sendErrorEvent(failure))
    }

    @Test func `what has been streamed, or answered in part, is not sent again`() {
        var streamed = ExchangeStateMachine(limits: limits)
        _ = streamed.bodyArrived(bytes: 50)
        #expect(!streamed.canRepeat)
        var answering = answering(isEventStream: false)
        #expect(!answering.canRepeat)
        _ = answering.answerEnded()
        #expect(!answering.canRepeat)
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
        _ = machine.headArrived(isJudged: false, isEventStream: false)
        #expect(machine.bodyArrived(bytes: 51) == .cut)
    }

    @Test func `every event after the end is ignored`() {
        var machine = answering(isEventStream: true)
        #expect(machine.answerEnded() == .complete)
        #expect(machine.answerEnded() == .ignore)
        #expect(machine.bodyArrived(bytes: 1) == .ignore)
        #expect(machine.bodyEnded() == .ignore)
        #expect(machine.headArrived(isJudged: false, isEventStream: false) == .ignore)
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
                switch Int.random(in: 0..<10, using: &random) {
                case 0: _ = machine.bodyArrived(bytes: Int.random(in: 0...60, using: &random))
                case 1: _ = machine.bodyEnded()
                case 2: _ = machine.headArrived(isJudged: false, isEventStream: Bool.random(using: &random))
                case 3: _ = machine.answerEnded()
                case 4: _ = machine.failed(failure)
                case 5: _ = machine.callerLeft()
                case 6: _ = machine.headArrived(isJudged: true, isEventStream: false)
                case 7: _ = machine.judged(.again)
                case 8: _ = machine.judged(.replace)
                default: _ = machine.judged(.relay(isEventStream: Bool.random(using: &random)))
                }
                if machine.isFinished && !wasFinished { endings += 1 }
                #expect(!wasFinished || machine.isFinished)
            }
            #expect(endings <= 1)
        }
    }
}
