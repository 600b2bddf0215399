/// Numbers as people read them.
enum NumberText {
    /// A whole number: `1,284,511`.
    static func count(_ number: Int) -> String {
        let digits = Array(String(abs(number)))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + text
    }

    /// A share of one: `98.91 %`.
    static func percent(_ share: Double?) -> String {
        share.map { "\(decimal($0 * 100, $0 > 0.9995 || $0 == 0 ? 0 : 2)) %" } ?? "–"
    }

    /// Milliseconds: `0.1 ms`, `412 ms`, `3.41 s`, `2 m 05 s`.
    static func latency(_ milliseconds: Double?) -> String {
        guard let milliseconds else { return "–" }
        if milliseconds < 10 { return "\(decimal(milliseconds, 1)) ms" }
        if milliseconds < 1000 { return "\(Int(milliseconds.rounded())) ms" }
        if milliseconds < 10_000 { return "\(decimal(milliseconds / 1000, 2)) s" }
        if milliseconds < 120_000 { return "\(decimal(milliseconds / 1000, 1)) s" }
        let seconds = Int(milliseconds / 1000)
        return "\(seconds / 60) m \(seconds % 60 < 10 ? "0" : "")\(seconds % 60) s"
    }

    static func rate(_ value: Double) -> String {
        if value >= 100 || value == value.rounded() { return count(Int(value.rounded())) }
        let tenths = (value * 10).rounded()
        return decimal(value, value >= 10 || tenths == value * 10 ? 1 : 2)
    }

    /// With so many digits behind the point.
    static func decimal(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "–" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let whole = Int((abs(value) * scale).rounded())
        let sign = value < 0 && whole > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(whole) }
        let fraction = String(whole % Int(scale))
        return sign
            + "\(whole / Int(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }
}
