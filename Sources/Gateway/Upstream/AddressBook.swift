import CLinux
import NIOCore
import NIOPosix
import Synchronization

/// The addresses of backends' names, looked up once for all that connect at the same time and kept for a short while:
/// a burst of connects asks the name server one question.
final class AddressBook: Sendable {
    /// `getaddrinfo` tells no lifetime; this is how long a moved backend may be missed.
    static let lifetime = TimeAmount.seconds(10)
    /// For this long after that an address may still be used while the name is looked up again, or cannot be.
    static let grace = TimeAmount.minutes(10)
    /// A name that cannot be looked up is asked for no more often than this.
    static let retryInterval = TimeAmount.seconds(1)
    /// Lookups block; a few dead name servers must not hold up the names of others.
    private static let threads = NIOThreadPool(numberOfThreads: 8)
    /// Of one name.
    static let maximumAddresses = 16

    typealias Lookup = @Sendable (String) throws -> [String]

    struct LookupFailed: Error, CustomStringConvertible {
        let description: String
    }

    private struct Entry {
        var addresses: [String] = []
        var expires = NIODeadline.uptimeNanoseconds(0)
        /// Why the last lookup failed; told until `expires`.
        var failure: LookupFailed?
        var usableUntil = NIODeadline.uptimeNanoseconds(0)
        /// From here on the name may be looked up again, whatever became of its addresses.
        var retryAt = NIODeadline.uptimeNanoseconds(0)
        /// Those who wait for the lookup under way; nil when there is none.
        var waiting: [EventLoopPromise<[String]>]?
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let lookup: Lookup
    private let clock: @Sendable () -> NIODeadline

    init(
        clock: @escaping @Sendable () -> NIODeadline = { .now() },
        lookup: @escaping Lookup = AddressBook.systemLookup
    ) {
        self.clock = clock
        self.lookup = lookup
    }

    /// Most preferred first, both families.
    func addresses(of host: String, on loop: any EventLoop) -> EventLoopFuture<[String]> {
        let promise = loop.makePromise(of: [String].self)
        let (known, starts) = entries.withLock { entries -> (Result<[String], any Error>?, Bool) in
            var entry = entries[host] ?? Entry()
            defer { entries[host] = entry }
            let now = clock()
            let isUsable = entry.usableUntil > now
            if entry.expires > now {
                if let failure = entry.failure, !isUsable { return (.failure(failure), false) }
                return (.success(entry.addresses), false)
            }
            let starts = entry.waiting == nil
            entry.waiting = entry.waiting ?? []
            if isUsable { return (.success(entry.addresses), starts) }
            entry.waiting?.append(promise)
            return (nil, starts)
        }
        if let known { promise.completeWith(known) }
        if starts { start(host) }
        return promise.futureResult
    }

    /// Asks anew soon: none of the addresses answered.
    ///
    /// A backend that is down costs no more than one lookup for each
    /// `retryInterval`.
    func forget(_ host: String) {
        entries.withLock { entries in
            guard let entry = entries[host] else { return }
            entries[host]?.expires = min(entry.expires, entry.retryAt)
        }
    }

    private func start(_ host: String) {
        Self.threads.start()
        Self.threads.submit { [self] _ in
            let result = Result { try lookup(host) }
            let waiting = entries.withLock { entries -> [EventLoopPromise<[String]>] in
                var entry = entries[host] ?? Entry()
                let waiting = entry.waiting ?? []
                let now = clock()
                switch result {
                case .success(let addresses):
                    entry = Entry(addresses: addresses, expires: now + Self.lifetime)
                    entry.usableUntil = entry.expires + Self.grace
                case .failure(let error):
                    entry.waiting = nil
                    entry.failure = error as? LookupFailed ?? LookupFailed(description: "\(host): \(error)")
                    entry.expires = now + Self.retryInterval
                }
                entry.retryAt = now + Self.retryInterval
                entries[host] = entry
                return waiting
            }
            for promise in waiting {
                promise.completeWith(result)
            }
        }
    }

    private static func systemLookup(_ host: String) throws -> [String] {
        let length = Int(CLINUX_ADDRESS_LENGTH)
        var texts = [CChar](repeating: 0, count: maximumAddresses * length)
        let count = clinux_addresses_of(host, &texts, Int32(maximumAddresses))
        guard count >= 0 else {
            throw LookupFailed(description: "\(host): \(String(cString: clinux_lookup_error(count)))")
        }
        return (0..<Int(count)).map { index in
            let bytes = texts[index * length..<(index + 1) * length].prefix { $0 != 0 }
            return String(decoding: bytes.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }
}

/// Hands the address book's answers to NIO's connector, which tries them in turn (RFC 8305).
struct AddressBookResolver: Resolver, Sendable {
    let book: AddressBook
    let loop: any EventLoop

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        addresses(of: host, port, isSix: false)
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        addresses(of: host, port, isSix: true)
    }

    func cancelQueries() {
        // A lookup serves everyone who asks meanwhile, so it runs to its end.
    }

    /// Addresses that no backend may have are left out here, before anything connects to them.
    private func addresses(of host: String, _ port: Int, isSix: Bool) -> EventLoopFuture<[SocketAddress]> {
        book.addresses(of: host, on: loop).flatMapThrowing { texts in
            let allowed = texts.filter { IPAddress($0)?.isForbiddenUpstream == false }
            guard !allowed.isEmpty || texts.isEmpty else { throw ForbiddenAddress(host: host) }
            return try allowed.filter { $0.contains(":") == isSix }
                .map { try SocketAddress(ipAddress: $0, port: port) }
        }
    }
}

/// The name leads to an address at which clouds keep credentials.
struct ForbiddenAddress: Error, CustomStringConvertible {
    let host: String

    var description: String { "\(host) leads to a link-local or metadata address" }
}
