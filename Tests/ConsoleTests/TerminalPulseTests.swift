import Testing

@testable import Console

@Suite("Pulse of a terminal") struct TerminalPulseTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `it is asked with a frame, and no more than every two seconds`() {
        var pulse = TerminalPulse()
        #expect(pulse.asks(withFrame: false, at: at(0)) == false)
        #expect(pulse.asks(withFrame: true, at: at(0)) == true)
        pulse.answered(isAnswer: true)
        #expect(pulse.asks(withFrame: true, at: at(1.99)) == false)
        #expect(pulse.asks(withFrame: true, at: at(2)) == true)
    }

    @Test func `one that has answered and does not any more is silent after two seconds`() {
        var pulse = TerminalPulse()
        _ = pulse.asks(withFrame: true, at: at(0))
        pulse.answered(isAnswer: true)
        _ = pulse.asks(withFrame: true, at: at(2))
        #expect(!pulse.isSilent(at: at(4)))
        #expect(pulse.isSilent(at: at(4.01)))
        // The question is put again, since the answer may have been lost, and the silence goes on.
        #expect(pulse.asks(withFrame: false, at: at(6.9)) == false)
        #expect(pulse.asks(withFrame: false, at: at(7)) == true)
        #expect(pulse.isSilent(at: at(7.1)))
        pulse.answered(isAnswer: true)
        #expect(!pulse.isSilent(at: at(9)) && !pulse.isOpen)
    }

    @Test func `a key says that somebody is there`() {
        var pulse = TerminalPulse()
        _ = pulse.asks(withFrame: true, at: at(0))
        pulse.answered(isAnswer: true)
        _ = pulse.asks(withFrame: true, at: at(2))
        pulse.answered(isAnswer: false)
        #expect(!pulse.isSilent(at: at(60)))
    }

    @Test func `one that has never answered is read, and is asked three times at most`() {
        var pulse = TerminalPulse()
        let asked = (0..<600).count { pulse.asks(withFrame: true, at: at(Double($0) / 10)) }
        #expect(asked == 3)
        #expect(!pulse.isSilent(at: at(60)))
    }
}
