import Testing

@testable import Gateway

@Suite struct `Cost cache` {
    @Test func `what was dear to find is not looked for again at once`() {
        let cache = CostCache<Int>()
        var asked = 0
        func find() -> Int {
            asked += 1
            // Work that takes a while, without sleeping.
            let end = ContinuousClock.now + .milliseconds(20)
            while ContinuousClock.now < end {}
            return asked
        }
        for _ in 0..<100 {
            #expect(cache.value(for: "x", find) == 1)
        }
        #expect(asked == 1)
        #expect(cache.value(for: "y", find) == 2)
    }

    @Test func `a failure is not kept`() {
        struct Failure: Error {}
        let cache = CostCache<Int>()
        #expect(throws: Failure.self) { try cache.value(for: "x") { throw Failure() } }
        #expect(cache.value(for: "x") { 7 } == 7)
    }
}
