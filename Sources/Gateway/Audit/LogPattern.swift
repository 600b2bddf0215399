import CRE2
import GRDB
import Operations
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A regular expression of a log filter, matched in linear time.
///
/// Unchecked: RE2 objects are immutable once compiled and safe to use from any thread.
final class LogPattern: @unchecked Sendable {
    private let regex: OpaquePointer

    init(_ pattern: String) throws(OperationsError) {
        var reason = [CChar](repeating: 0, count: 256)
        var text = pattern
        let compiled = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                cre2_compile($0.baseAddress, $0.count, &reason, reason.count)
            }
        }
        guard let compiled else {
            let why = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw OperationsError(
                .invalid,
                "the pattern \(pattern) does not hold: \(why)",
                parameter: "filter"
            )
        }
        regex = compiled
    }

    deinit {
        cre2_free(regex)
    }

    func occurs(in bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.withMemoryRebound(to: CChar.self) { cre2_contains(regex, $0.baseAddress, $0.count) }
    }

    // MARK: In SQL

    private static let cache = Mutex<[String: LogPattern]>([:])
    private static let cacheLimit = 64

    /// A pattern that was compiled before, or is now.
    static func compiled(_ pattern: String) throws(OperationsError) -> LogPattern {
        if let found = cache.withLock({ $0[pattern] }) { return found }
        let made = try LogPattern(pattern)
        cache.withLock { all in
            if all.count >= cacheLimit { all.removeAll() }
            all[pattern] = made
        }
        return made
    }

    /// `matches(pattern, value)`: NULL never matches.
    static let function = DatabaseFunction("matches", argumentCount: 2, pure: true) { values in
        guard let pattern = String.fromDatabaseValue(values[0]) else { return false }
        let regex = try compiled(pattern)
        if let data = Data.fromDatabaseValue(values[1]) { return data.withUnsafeBytes(regex.occurs) }
        guard var text = String.fromDatabaseValue(values[1]) else { return false }
        return text.withUTF8 { regex.occurs(in: UnsafeRawBufferPointer($0)) }
    }
}
