import CRE2
import Operations

/// Texts and regular expressions that are looked for together, in one pass and in linear time.
///
/// Unchecked: RE2 objects are immutable once compiled and safe to use from any thread.
final class PatternSet: @unchecked Sendable {
    private let set: OpaquePointer
    private(set) var count = 0

    init() {
        set = cre2_set_new()
    }

    deinit {
        cre2_set_free(set)
    }

    /// Before `compile`.
    ///
    /// - Returns: the pattern's number.
    /// - Throws: `OperationsError` that says what does not hold.
    func add(_ pattern: String, isLiteral: Bool, parameter: String) throws(OperationsError) -> Int {
        var reason = [CChar](repeating: 0, count: 256)
        var text = pattern
        let index = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                cre2_set_add(set, $0.baseAddress, $0.count, isLiteral, &reason, reason.count)
            }
        }
        guard index >= 0 else {
            let why = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw OperationsError(
                .invalid,
                "the pattern \(pattern) does not hold: \(why)",
                parameter: parameter
            )
        }
        count += 1
        return Int(index)
    }

    func compile() throws(OperationsError) {
        guard cre2_set_compile(set) else {
            throw OperationsError(.invalid, "the patterns of all rules need too much memory together")
        }
    }

    /// The numbers of patterns that occur in some bytes.
    struct Hits: Sendable {
        static let none = Hits()

        fileprivate(set) var numbers: [Int] = []
        private var isHit: [Bool] = []

        fileprivate init() {}

        fileprivate init(_ found: UnsafeBufferPointer<Int32>, of count: Int) {
            numbers = found.map(Int.init)
            isHit = Array(repeating: false, count: count)
            for number in numbers { isHit[number] = true }
        }

        func contains(_ number: Int) -> Bool { !numbers.isEmpty && isHit[number] }
    }

    /// Those that occur; none, too, when there was not memory enough to find out.
    func occurring(in bytes: [UInt8]) -> Hits {
        guard count > 0, !bytes.isEmpty else { return .none }
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: count) { found in
            let matches = bytes.withUnsafeBytes { raw in
                raw.withMemoryRebound(to: CChar.self) {
                    cre2_set_match(set, $0.baseAddress, $0.count, found.baseAddress, count)
                }
            }
            guard matches > 0 else { return .none }
            return Hits(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(found)[..<Int(matches)]), of: count)
        }
    }
}
