import Foundation
import Operations
import Testing

@testable import Gateway

/// The file of counts over restarts, changes of limits, and damage.
@Suite struct `File of counts` {
    private static let second = 1_000_000
    private static let key = LimitKey(scope: .clientKey, id: 3)

    private static func reading(boot: UInt64 = 1, uptime: Int, wall: Int? = nil) -> LimitClock.Reading {
        LimitClock.Reading(boot: boot, uptime: uptime, wall: wall ?? uptime)
    }

    @Test func `counts survive, also under another limit`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/counts"
        let now = 100 * Self.second
        let first = try WindowFile(path: path, Self.reading(uptime: now))
        let window = first.window(Self.key, .minute, limit: 4, now: now)
        for _ in 0..<3 { window.take(now: now) }
        let second = try WindowFile(path: path, Self.reading(uptime: now + Self.second))
        #expect(
            second.window(Self.key, .minute, limit: 4, now: now + Self.second).current(now: now + Self.second)
                == 3
        )
        let lower = second.window(Self.key, .minute, limit: 2, now: now + Self.second)
        #expect(lower.wait(now: now + Self.second) == 59 * Self.second)
        #expect(
            second.window(Self.key, .hour, limit: 4, now: now).current(now: now) == 0,
            "another window's counts"
        )
        second.remove(Self.key, .minute)
        #expect(second.window(Self.key, .minute, limit: 2, now: now).current(now: now) == 0)
    }

    /// Lowering a limit and raising it again lets nobody have more than the higher one.
    @Test(arguments: [
        [50, 5, 50], [5, 1000, 3, 1000], [2000, 20, 2000], [900, 3, 1500, 3, 900], [40, 1200, 40],
    ])
    func `a limit that was lower for a while has forgotten nothing`(limits: [Int]) throws {
        let folder = try TemporaryFolder()
        var file = try WindowFile(path: folder.path + "/counts", Self.reading(uptime: 0))
        var begun: [Int] = []
        var now = 100 * Self.second
        for (turn, limit) in limits.enumerated() {
            if turn == 2 { file = try WindowFile(path: folder.path + "/counts", Self.reading(uptime: now)) }
            let window = file.window(Self.key, .minute, limit: limit, now: now)
            #expect(window.limit == limit && window.current(now: now) == begun.count)
            while window.wait(now: now) == 0 {
                window.take(now: now)
                begun.append(now)
                now += 1000
            }
            #expect(begun.count == limits[...turn].max(), "\(limits[...turn])")
        }
        // As soon as it says, and never before.
        let window = file.window(Self.key, .minute, limit: limits.last ?? 0, now: now)
        let wait = window.wait(now: now)
        #expect(wait > 0 && window.wait(now: now + wait - 1) > 0 && window.wait(now: now + wait) == 0)
        let counting = begun.count { $0 + 60 * Self.second > now + wait }
        #expect(counting < limits.last ?? 0)
    }

    @Test func `a window of a file that knew no capacity is found again`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/counts"
        let first = try WindowFile(path: path, Self.reading(uptime: 0))
        for (limit, id) in [(4, 1), (1000, 2), (1001, 3)] {
            let key = LimitKey(scope: .clientKey, id: id)
            let window = first.window(key, .minute, limit: limit, now: Self.second)
            for _ in 0..<3 { window.take(now: Self.second) }
            window.forgetCapacity()
        }
        let second = try WindowFile(path: path, Self.reading(uptime: Self.second))
        for (limit, id) in [(4, 1), (1000, 2), (1001, 3)] {
            let key = LimitKey(scope: .clientKey, id: id)
            #expect(
                second.window(key, .minute, limit: limit, now: Self.second).current(now: Self.second) == 3
            )
        }
    }

    @Test func `thousands of windows of every size are found again`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/counts"
        let limits = [1, 12, 13, 60, 250, 999, 1000, 1001, 1_000_000]
        let first = try WindowFile(path: path, Self.reading(uptime: Self.second))
        for id in 0..<3000 {
            let key = LimitKey(scope: .clientKey, id: id)
            let window = first.window(key, .day, limit: limits[id % limits.count], now: Self.second)
            window.take(now: Self.second)
        }
        let second = try WindowFile(path: path, Self.reading(uptime: 2 * Self.second))
        second.removeAll { key, _ in key.id % 2 == 0 }
        for id in 0..<3000 {
            let key = LimitKey(scope: .clientKey, id: id)
            let window = second.window(key, .day, limit: limits[id % limits.count], now: 2 * Self.second)
            guard window.current(now: 2 * Self.second) == (id % 2 == 0 ? 1 : 0) else {
                Issue.record("the window of key \(id) counts \(window.current(now: 2 * Self.second))")
                return
            }
        }
    }

    @Test func `windows that stay as they are ask for no other place`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/counts"
        let file = try WindowFile(path: path, Self.reading(uptime: Self.second))
        let wanted = (0..<200).map { (LimitKey(scope: .upstreamKey, id: $0), RateLimits(minute: 1000)) }
        #expect(file.isEmpty)
        for _ in 0..<3 {
            file.reserve(wanted)
            for (key, _) in wanted { _ = file.window(key, .minute, limit: 1000, now: Self.second) }
        }
        // 200 windows of 8 KiB are seven segments of 256 KiB, behind a page.
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        #expect(!file.isEmpty && size == 4096 + 7 * 262_144)
    }

    @Test func `the clock goes on over restarts of the machine, and never back`() {
        let kept = LimitClock.Kept(boot: 1, base: 500, last: 10_000, wall: 1_000_000)
        #expect(LimitClock(after: nil, Self.reading(uptime: 70)).now(Self.reading(uptime: 70)) == 70)
        let same = Self.reading(boot: 1, uptime: 20_000, wall: 5)
        #expect(LimitClock(after: kept, same).now(same) == 20_500, "the machine has run on")
        let restarted = Self.reading(boot: 2, uptime: 30, wall: 1_000_700)
        #expect(LimitClock(after: kept, restarted).now(restarted) == 10_700, "it was away for 700")
        let setBack = Self.reading(boot: 2, uptime: 30, wall: 10)
        #expect(LimitClock(after: kept, setBack).now(setBack) == 10_000, "no time has passed that is known")
    }

    @Test func `flipped bits in times and in the clock are no reason to die`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/counts"
        let file = try WindowFile(path: path, Self.reading(uptime: 90 * Self.second))
        let window = file.window(Self.key, .minute, limit: 9, now: 90 * Self.second)
        for _ in 0..<5 { window.take(now: 90 * Self.second) }
        let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let copy = folder.path + "/copy"
        let places =
            whole.indices.filter { whole[$0] != 0 }.flatMap { [$0 & ~7, $0 | 7] } + [16, 23, 24, 31]
        for place in Set(places) {
            var bytes = whole
            bytes[place] ^= 0x80
            try Data(bytes).write(to: URL(fileURLWithPath: copy))
            let again = try WindowFile(path: copy, Self.reading(uptime: 91 * Self.second))
            let now = again.clock.now(Self.reading(uptime: 91 * Self.second))
            #expect(again.window(Self.key, .minute, limit: 9, now: now).current(now: now) <= 9)
        }
    }

    @Test func `a damaged file counts anew and harms nobody`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/counts"
        for seed in 0..<40 {
            var random = SeededRandom(seed: UInt64(seed))
            let file = try WindowFile(path: path, Self.reading(uptime: 90 * Self.second))
            for id in 0..<20 {
                let key = LimitKey(scope: .upstreamKey, id: id)
                file.window(key, .minute, limit: id * 120 + 1, now: 90 * Self.second).take(
                    now: 90 * Self.second
                )
            }
            var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            for _ in 0..<300 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            if seed % 3 == 0 { bytes.removeLast(random.below(bytes.count)) }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let again = try WindowFile(path: path, Self.reading(uptime: 91 * Self.second))
            let now = again.clock.now(Self.reading(uptime: 91 * Self.second))
            for id in 0..<20 {
                let key = LimitKey(scope: .upstreamKey, id: id)
                let window = again.window(key, .minute, limit: id * 120 + 1, now: now)
                #expect(window.current(now: now) >= 0 && window.wait(now: now) >= 0)
            }
        }
    }
}

extension SlidingWindow {
    /// As files of earlier versions have it.
    func forgetCapacity() {
        words[Word.shape] = UInt64(limit)
    }
}
