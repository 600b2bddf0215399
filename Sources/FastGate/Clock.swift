import CLinux
import Operations

/// The time of day.
enum Clock {
    static func now() -> Timestamp {
        Timestamp(microseconds: Int(clinux_wall_clock_microseconds()))
    }
}
