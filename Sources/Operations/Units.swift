/// A number of bytes, written `64kb` or `10gb` in configuration and JSON.
package struct ByteCount: Hashable, Sendable, Comparable {
    package let bytes: Int

    package init(_ bytes: Int) {
        self.bytes = bytes
    }

    /// Reads `512`, `512b`, `64kb`, `10mb`, `10gb`, `1tb`; a unit is 1024 of the one before.
    package init?(text: String) {
        guard let (number, unit) = Unit.split(text) else { return nil }
        let factor: Int
        switch unit {
        case "", "b": factor = 1
        case "k", "kb": factor = 1 << 10
        case "m", "mb": factor = 1 << 20
        case "g", "gb": factor = 1 << 30
        case "t", "tb": factor = 1 << 40
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { return nil }
        bytes = product
    }

    package static func < (left: ByteCount, right: ByteCount) -> Bool {
        left.bytes < right.bytes
    }
}

extension ByteCount: CustomStringConvertible {
    package var description: String {
        let units = ["b", "kb", "mb", "gb", "tb"]
        var rest = bytes
        var unit = 0
        while rest != 0, rest % 1024 == 0, unit < units.count - 1 {
            rest /= 1024
            unit += 1
        }
        return "\(rest)\(units[unit])"
    }
}

/// Bytes as people read them, in thousands: `512 B`, `9.8 kB`, `11 MB`.
package enum ByteText {
    package static func short(_ bytes: Int) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        guard unit > 0 else { return "\(bytes) B" }
        let tenths = Int((value * 10).rounded())
        let number = tenths < 100 ? "\(tenths / 10).\(tenths % 10)" : "\(Int(value.rounded()))"
        return "\(number) \(units[unit])"
    }
}

extension Duration {
    /// Reads `500ms`, `10s`, `5m`, `2h`, `90d`.
    package init?(text: String) {
        guard let (number, unit) = Unit.split(text) else { return nil }
        let sizes = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let size = sizes[unit], number <= Self.longestMilliseconds / size else { return nil }
        self = .milliseconds(number * size)
    }

    /// A hundred years: nobody means more, and sums with it do not overflow.
    private static let longestMilliseconds = 100 * 365 * 86_400_000

    /// The shortest whole unit: `500ms`, `10s`, `90d`.
    package var text: String {
        let milliseconds = self.milliseconds
        if milliseconds == 0 { return "0s" }
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        where milliseconds % size == 0 {
            return "\(milliseconds / size)\(unit)"
        }
        return "\(milliseconds)ms"
    }

    /// Whole milliseconds, rounded down.
    package var milliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}

private enum Unit {
    /// Digits, then lower-case letters, and nothing else.
    static func split(_ text: String) -> (number: Int, unit: String)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count)
        guard let number = Int(digits), unit.allSatisfy({ $0.isASCII && $0.isLetter && $0.isLowercase })
        else {
            return nil
        }
        return (number, String(unit))
    }
}
