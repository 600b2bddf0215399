import Operations

/// How much of a quota is used, as in `▇▇▇▁▁ 61 %`.
enum QuotaBar {
    /// From 0 to 1; 0 without a quota.
    static func share(_ quota: Quota?, used: Int) -> Double {
        guard let quota, quota.total > 0 else { return 0 }
        return min(1, Double(used) / Double(quota.total))
    }

    static func text(_ quota: Quota?, used: Int, _ glyphs: Glyphs) -> StyledText {
        guard quota != nil else { return StyledText() }
        let share = share(quota, used: used)
        let bar = Sparkline.text((0..<5).map { share * 5 >= Double($0) + 0.5 ? 1 : 0 }, glyphs)
        let role: StyleRole = share >= 1 ? .error : share >= 0.8 ? .warning : .muted
        return StyledText(bar, role).appending(" \(Int(share * 100)) %", role)
    }
}
