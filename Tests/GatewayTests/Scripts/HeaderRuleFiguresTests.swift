import Testing

@testable import Gateway

@Suite struct `Figures of header rules` {
    @Test func `five failures in a row are failing, and one success is well again`() {
        let figures = HeaderRuleFigures()
        for (number, isFailing) in [(1, false), (2, false), (3, false), (4, false), (5, true), (6, true)] {
            let told = figures.record(microseconds: 1, failure: "no")
            #expect(figures.now.isFailing == isFailing, "\(number)")
            #expect(told == (number == 5 ? true : nil), "\(number)")
        }
        // So soon after the last word nothing is told, but it is known.
        let told = figures.record(microseconds: 1, failure: nil)
        #expect(told == nil && !figures.now.isFailing && figures.now.errors == 6 && figures.now.runs == 7)
    }

    @Test func `what a script says is kept up to its length`() {
        let figures = HeaderRuleFigures()
        for (count, kept) in [(499, 499), (500, 500), (501, 500), (131_072, 500)] {
            _ = figures.record(microseconds: 1, failure: String(repeating: "x", count: count))
            #expect(figures.now.lastError?.utf8.count == kept)
        }
    }
}
