import CLinux

/// The time by which requests are counted: it never goes back and is not set by anybody, over restarts of the process too.
///
/// Microseconds of the machine's uptime, sleep included, from a base that is kept with the counts. After a
/// restart of the machine, whose uptime begins anew, the time of day says how long it was away.
struct LimitClock: Equatable, Sendable {
    /// What of an earlier process's clock is kept with its counts.
    struct Kept: Equatable, Sendable {
        /// Tells one run of the machine from another.
        var boot: UInt64
        var base: Int
        /// The latest moment that is known, and the time of day then.
        var last: Int
        var wall: Int

        /// Whether this may be a clock at all, and not what is left of a damaged file.
        var isPlausible: Bool {
            [last, wall].allSatisfy { (0..<1 << 58).contains($0) } && (-(1 << 58)...(1 << 58)).contains(base)
        }
    }

    /// What this machine's clocks say at one moment.
    struct Reading: Sendable {
        var boot: UInt64
        /// Microseconds.
        var uptime: Int
        /// Microseconds since 1970.
        var wall: Int

        static func now() -> Reading {
            Reading(boot: LimitClock.boot(), uptime: LimitClock.uptime(), wall: WallClock.now().microseconds)
        }
    }

    private(set) var base: Int

    /// Goes on where `kept` was; without it, with the machine's uptime.
    init(after kept: Kept?, _ reading: Reading) {
        guard let kept, kept.isPlausible else {
            base = 0
            return
        }
        if kept.boot == reading.boot, reading.uptime + kept.base >= kept.last {
            base = kept.base
        } else {
            // A time of day that was set back must not make what was counted older than it is.
            base = kept.last + max(0, reading.wall - kept.wall) - reading.uptime
        }
    }

    func now() -> Int { Self.uptime() + base }

    func now(_ reading: Reading) -> Int { reading.uptime + base }

    static func uptime() -> Int { Int(clinux_uptime_microseconds()) }

    /// Of this run of the machine; 0 when the system does not say.
    static func boot() -> UInt64 {
        // Without it every start is taken for one of the machine, which only makes windows longer.
        let text = (try? TextFile.read("/proc/sys/kernel/random/boot_id")) ?? ""
        // FNV-1a: kept in a file, so it must be the same in every process.
        return text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
