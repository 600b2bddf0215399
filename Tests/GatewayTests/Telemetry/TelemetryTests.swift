import Testing

@testable import Gateway

@Suite struct `Telemetry figures` {
    @Test func `a percentile is at most 13 % wrong at any size`() {
        for value in [1, 3, 4, 10, 99, 1000, 12_345, 999_999, 60_000_000] {
            var histogram = LatencyHistogram()
            histogram.record(microseconds: value)
            let median = histogram.percentile(0.5) ?? 0
            #expect(abs(Double(median - value)) <= Double(value) * 0.13, "\(value) became \(median)")
        }
    }

    @Test func `percentiles are those of the sorted values`() {
        var histogram = LatencyHistogram()
        for value in 1...1000 {
            histogram.record(microseconds: value * 1000)
        }
        for (share, expected) in [(0.5, 500_000.0), (0.95, 950_000), (0.99, 990_000)] {
            let value = Double(histogram.percentile(share) ?? 0)
            #expect(abs(value - expected) < expected * 0.13)
        }
        #expect(LatencyHistogram().percentile(0.5) == nil)
    }

    @Test func `merging is the same as recording together`() {
        var random = SystemRandomNumberGenerator()
        var (together, left, right) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for index in 0..<500 {
            let value = Int.random(in: 0...10_000_000, using: &random)
            together.record(microseconds: value)
            if index % 2 == 0 { left.record(microseconds: value) } else { right.record(microseconds: value) }
        }
        left.merge(right)
        #expect(left == together)
    }

    @Test func `a stored cell comes back as it was`() {
        var cell = TrafficCell()
        cell.count(status: 200, error: nil)
        cell.count(status: 502, error: "upstream_error")
        cell.bytesIn = 1 << 40
        cell.latency.record(microseconds: 1234)
        cell.timeToFirstByte.record(microseconds: 99)
        #expect(TrafficCell(encoded: cell.encoded) == cell)
        for cut in 0..<cell.encoded.count {
            #expect(TrafficCell(encoded: Array(cell.encoded[..<cut])) == nil)
        }
    }

    @Test(
        arguments: [
            (200, nil, 1, 0, 0), (304, nil, 1, 0, 0), (500, nil, 0, 1, 0), (400, nil, 0, 1, 0),
            (401, nil, 0, 0, 1),
            (404, "not_found", 0, 0, 1), (429, "rate_limit_exceeded", 0, 0, 1), (429, nil, 0, 1, 0),
            (200, "truncated", 0, 1, 0), (nil, "caller_gone", 0, 0, 1), (200, "caller_gone", 0, 0, 1),
        ] as [(Int?, String?, Int, Int, Int)]
    )
    func `success is 2xx or 3xx without an error, and callers' faults are apart`(
        status: Int?,
        error: String?,
        successes: Int,
        failures: Int,
        callerFaults: Int
    ) {
        var cell = TrafficCell()
        cell.count(status: status, error: error)
        #expect([cell.successes, cell.failures, cell.callerFaults] == [successes, failures, callerFaults])
    }
}
