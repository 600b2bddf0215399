/// The upper end of a chart's axis: a round number that grows at once and shrinks only after a while, so that the
/// picture neither clips nor jumps.
struct ChartScale: Equatable, Sendable {
    private(set) var top: Double
    private var small = 0
    private let floor: Double
    /// How many updates in a row must need less before it shrinks.
    static let patience = 5

    init(floor: Double) {
        self.floor = floor
        top = floor
    }

    mutating func update(_ highest: Double) {
        let wanted = Self.round(max(highest, floor))
        if wanted > top {
            (top, small) = (wanted, 0)
        } else if wanted < top {
            small += 1
            if small >= Self.patience { (top, small) = (wanted, 0) }
        } else {
            small = 0
        }
    }

    /// After another window or filter the past does not matter.
    mutating func reset() {
        (top, small) = (floor, 0)
    }

    /// The next of 1, 2, 2.5, 4, 5 times a power of ten.
    static func round(_ value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        var power = 1.0
        while power * 10 <= value { power *= 10 }
        while power > value { power /= 10 }
        for step in [1, 2, 2.5, 4, 5, 10] where step * power >= value * 0.999_999 {
            return step * power
        }
        return power * 10
    }
}
