import Operations
import Testing

@testable import Console

@Suite struct `Limits of what waits` {
    @Test(arguments: [Mailbox.batchLimit - 1, Mailbox.batchLimit, Mailbox.batchLimit + 1])
    func `so many batches wait, and what goes is counted`(count: Int) {
        let mailbox = Mailbox()
        for index in 0..<count {
            mailbox.post(
                .logBatch(
                    LogBatch(records: [Fixture.record(index)], skipped: 0),
                    LogWatch(filter: "", pace: .full)
                )
            )
        }
        let batches = mailbox.take().events.compactMap { event -> LogBatch? in
            if case .answer(.logBatch(let batch, _)) = event { batch } else { nil }
        }
        #expect(batches.count == min(count, Mailbox.batchLimit))
        #expect(batches.reduce(0) { $0 + $1.records.count + $1.skipped } == count)
        #expect(batches.last?.records.first?.id == 1000 + count - 1)
        #expect(mailbox.take().events.isEmpty)
    }

    @Test func `only the newest snapshot waits`() {
        let mailbox = Mailbox()
        for seconds in 1...5 {
            var snapshot = Fixture.live()
            snapshot.uptimeSeconds = seconds
            mailbox.post(.live(snapshot))
        }
        let events = mailbox.take().events
        guard events.count == 1, case .answer(.live(let snapshot)) = events[0] else {
            Issue.record("\(events.count) events")
            return
        }
        #expect(snapshot.uptimeSeconds == 5)
    }

    @Test(arguments: [9, 10, 11])
    func `a line takes so many characters`(count: Int) {
        var editor = LineEditor("", limit: 10)
        editor.insert(String(repeating: "é", count: count))
        #expect(editor.text.count == min(count, 10))
        _ = editor.handle(Key("x"))
        #expect(editor.text.count == min(count + 1, 10))
    }

    @Test(arguments: [-1, 0, 1])
    func `so much is copied`(surplus: Int) {
        var console = ConsoleDriver()
        console.fill()
        _ = console.takeEffects()
        let text = String(repeating: "x", count: RestoreSequence.clipboardLimit + surplus)
        #expect(console.state.copy(text).isEmpty == (surplus > 0))
        #expect((console.state.toast?.role == .warning) == (surplus > 0))
    }

    @Test func `a log that is not followed says so, until it is again`() {
        var console = ConsoleDriver()
        console.fill()
        console.press("3")
        console.answer(.failed("the log is not followed: gone", what: .logs))
        #expect(console.text.contains("the log is not followed"))
        console.answer(
            .logBatch(LogBatch(records: [Fixture.record(300)], skipped: 0), LogWatch(filter: "", pace: .full))
        )
        #expect(!console.text.contains("the log is not followed"))
    }
}
