import Operations
import Testing

@testable import Gateway

@Suite struct `State of a task` {
    private let second = 1_000_000
    private let interval = Duration.seconds(100)

    @Test func `it is first due soon after the start, then an interval after each begin`() {
        var task = TaskState(interval: interval, last: nil, now: 0)
        #expect(
            task.nextRun(now: 0) == 30 * second && !task.isDue(now: 29 * second)
                && task.isDue(now: 30 * second)
        )
        let begins = task.begin(now: 30 * second)
        #expect(begins && !task.isDue(now: 500 * second))
        task.end(after: .seconds(5), .success("done"))
        #expect(task.nextRun(now: 40 * second) == 130 * second && task.runs == 1 && task.failures == 0)
        #expect(
            task.last
                == TaskState.Run(began: 30 * second, duration: .seconds(5), succeeded: true, result: "done")
        )
    }

    @Test func `it never runs twice at a time`() {
        var task = TaskState(interval: interval, last: nil, now: 0)
        let first = task.begin(now: 1)
        let second = task.begin(now: 2)
        #expect(first && !second)
    }

    @Test func `a failure is told, and the next run comes at its time`() {
        var task = TaskState(interval: interval, last: nil, now: 0)
        _ = task.begin(now: 0)
        task.end(after: .zero, .failure(OperationsError(.conflict, "no")))
        #expect(
            task.last?.succeeded == false && task.last?.result.contains("no") == true && task.failures == 1
        )
        #expect(task.nextRun(now: 0) == 100 * second && !task.isRunning)
    }

    @Test
    func
        `the last run of an earlier process counts, and a clock that was set back holds nothing up`()
    {
        let last = TaskState.Run(began: 90 * second, duration: .zero, succeeded: true, result: "")
        let task = TaskState(interval: interval, last: last, now: 100 * second)
        #expect(task.nextRun(now: 100 * second) == 190 * second)
        #expect(task.isDue(now: 10 * second))
    }
}
