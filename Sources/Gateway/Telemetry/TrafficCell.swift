/// What happened in one stretch of time to one scope.
struct TrafficCell: Equatable, Sendable {
    var requests = 0
    /// Status 2xx or 3xx, and no error.
    var successes = 0
    /// Everything else but what callers did to themselves.
    var failures = 0
    /// Caller gone, 401-404, and our 429: counted apart, and never held against the success rate.
    var callerFaults = 0
    var bytesIn = 0
    var bytesOut = 0
    var promptTokens = 0
    var completionTokens = 0
    var latencySum = 0
    var latency = LatencyHistogram()
    var timeToFirstByte = LatencyHistogram()

    private static let mostTokens = 1 << 40

    mutating func merge(_ other: TrafficCell) {
        requests += other.requests
        successes += other.successes
        failures += other.failures
        callerFaults += other.callerFaults
        bytesIn += other.bytesIn
        bytesOut += other.bytesOut
        promptTokens += other.promptTokens
        completionTokens += other.completionTokens
        latencySum += other.latencySum
        latency.merge(other.latency)
        timeToFirstByte.merge(other.timeToFirstByte)
    }

    /// nil when nothing was rated.
    var successRate: Double? {
        let rated = successes + failures
        return rated == 0 ? nil : Double(successes) / Double(rated)
    }

    mutating func count(status: Int?, error: String?) {
        requests += 1
        switch (status, error) {
        case (_, "caller_gone"): callerFaults += 1
        case (.some(401...404), _), (.some(429), .some): callerFaults += 1
        case (.some(200..<400), nil): successes += 1
        default: failures += 1
        }
    }
}

extension TrafficCell {
    /// Numbers in a fixed order, then both histograms; the form in which a cell is stored.
    var encoded: [UInt8] {
        var bytes: [UInt8] = [1]
        let numbers = [
            requests, successes, failures, callerFaults, bytesIn, bytesOut, promptTokens, completionTokens,
            latencySum,
        ]
        for number in numbers {
            Self.write(number, &bytes)
        }
        for histogram in [latency, timeToFirstByte] {
            Self.write(histogram.buckets.count, &bytes)
            for bucket in histogram.buckets {
                bytes.append(bucket.index)
                Self.write(Int(bucket.count), &bytes)
            }
        }
        return bytes
    }

    init?(encoded bytes: [UInt8]) {
        self.init()
        var rest = bytes.dropFirst()[...]
        guard bytes.first == 1 else { return nil }
        var numbers: [Int] = []
        for _ in 0..<9 {
            guard let number = Self.read(&rest) else { return nil }
            numbers.append(number)
        }
        (requests, successes, failures, callerFaults) = (numbers[0], numbers[1], numbers[2], numbers[3])
        (bytesIn, bytesOut) = (numbers[4], numbers[5])
        // What a version before took from a provider without a bound must not make sums overflow.
        (promptTokens, completionTokens) = (
            min(numbers[6], Self.mostTokens), min(numbers[7], Self.mostTokens)
        )
        latencySum = numbers[8]
        guard let first = Self.readHistogram(&rest), let second = Self.readHistogram(&rest) else {
            return nil
        }
        (latency, timeToFirstByte) = (first, second)
    }

    private static func readHistogram(_ bytes: inout ArraySlice<UInt8>) -> LatencyHistogram? {
        guard let count = read(&bytes), count <= 256 else { return nil }
        var buckets: [LatencyHistogram.Bucket] = []
        for _ in 0..<count {
            guard let index = bytes.popFirst(), let count = read(&bytes), count <= UInt32.max else {
                return nil
            }
            buckets.append(LatencyHistogram.Bucket(index: index, count: UInt32(count)))
        }
        return LatencyHistogram(buckets)
    }

    /// Seven bits a byte, the lowest first.
    private static func write(_ number: Int, _ bytes: inout [UInt8]) {
        var rest = UInt64(max(number, 0))
        while rest > 127 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func read(_ bytes: inout ArraySlice<UInt8>) -> Int? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            number |= UInt64(byte & 127) << shift
            if byte < 128 { return Int(number) }
        }
        return nil
    }
}
