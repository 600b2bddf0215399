import NIOCore

/// Something with a point in time at which it must be told that it took too long.
protocol Deadlined: AnyObject {
    var deadline: NIODeadline { get }
    /// The place in the loop's list, -1 when it is in none.
    var deadlineIndex: Int { get set }
    func deadlinePassed()
}

/// What one event loop watches for being too late.
///
/// Deadlines move with every byte that passes, so nothing is sorted: all are looked at in turn, once in a round. Never
/// more than a share of them at once: ten thousand connections are not in the processor's cache, and events would wait for
/// a millisecond. The shares of a round follow each other soon, since waking costs more than looking.
struct Deadlines {
    /// The time between two rounds, and so how late a timeout may be noticed.
    static let round = TimeAmount.milliseconds(100)
    static let share = 1024
    /// In which events have their turn.
    private static let breath = TimeAmount.microseconds(100)

    private(set) var items: [any Deadlined] = []
    /// Those before this place are still to be looked at in this round.
    ///
    /// It goes down: what takes a removed one's place comes from the end, and so is looked at twice, never missed.
    private var rest = 0

    /// The time until the next share.
    var pause: TimeAmount { rest > 0 ? Self.breath : Self.round }

    mutating func add(_ item: any Deadlined) {
        item.deadlineIndex = items.count
        items.append(item)
    }

    mutating func remove(_ item: any Deadlined) {
        let index = item.deadlineIndex
        guard index >= 0 else { return }
        let last = items.removeLast()
        if last !== item {
            items[index] = last
            last.deadlineIndex = index
        }
        item.deadlineIndex = -1
    }

    /// Those of the next share whose time has come.
    mutating func overdue(at now: NIODeadline) -> [any Deadlined] {
        let end = rest == 0 ? items.count : min(rest, items.count)
        rest = max(0, end - Self.share)
        var found: [any Deadlined] = []
        for index in rest..<end where items[index].deadline <= now {
            found.append(items[index])
        }
        return found
    }
}
