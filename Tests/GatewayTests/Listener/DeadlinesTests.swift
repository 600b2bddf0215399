import NIOCore
import Testing

@testable import Gateway

@Suite struct `Deadlines of a loop` {
    private final class Item: Deadlined {
        var deadline = NIODeadline.distantFuture
        var deadlineIndex = -1
        var told: NIODeadline?

        func deadlinePassed() {}
    }

    @Test(arguments: [0, 1, 1024, 1025, 20_000])
    func `all are looked at once in a round, and never more than a share`(count: Int) {
        var deadlines = Deadlines()
        let items = (0..<count).map { _ in Item() }
        for item in items {
            item.deadline = .uptimeNanoseconds(1)
            deadlines.add(item)
        }
        var (now, seen) = (NIODeadline.uptimeNanoseconds(1), 0)
        while now < .uptimeNanoseconds(1) + Deadlines.round {
            let found = deadlines.overdue(at: now)
            #expect(found.count <= Deadlines.share)
            seen += found.count
            for case let item as Item in found { item.told = now }
            now = now + deadlines.pause
        }
        #expect(items.allSatisfy { $0.told != nil })
        #expect(seen == count)
    }

    @Test func `nobody is told too early, and everybody in time, whatever comes and goes`() {
        var random = SeededRandom(seed: 11)
        var deadlines = Deadlines()
        var now = NIODeadline.uptimeNanoseconds(1)
        var (told, most) = (0, 0)
        for _ in 0..<2000 {
            // About ten thousand at a time.
            for _ in 0..<random.below(Int(deadlines.pause.nanoseconds / 20_000)) {
                let item = Item()
                item.deadline = now + .milliseconds(Int64(random.below(900)))
                deadlines.add(item)
            }
            for _ in 0..<random.below(Int(deadlines.pause.nanoseconds / 60_000))
            where !deadlines.items.isEmpty {
                deadlines.remove(deadlines.items[random.below(deadlines.items.count)])
            }
            for item in deadlines.overdue(at: now) {
                #expect(item.deadline <= now)
                // Everything that a busy loop adds to a pause is left out here.
                #expect(now - item.deadline <= Deadlines.round + .milliseconds(5))
                told += 1
                deadlines.remove(item)
                #expect(item.deadlineIndex == -1)
            }
            most = max(most, deadlines.items.count)
            now = now + deadlines.pause
        }
        #expect(told > 10_000 && most > 5 * Deadlines.share)
        for (index, item) in deadlines.items.enumerated() {
            #expect(item.deadlineIndex == index)
        }
    }
}
