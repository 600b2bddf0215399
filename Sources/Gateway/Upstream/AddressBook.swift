import CLinux
import NIOCore
import NIOPosix
import Synchronization

/// The addresses of backends' names, looked up once for all that connect at the same time and kept for a short while:
/// a burst of connects asks the name server one question.
final class AddressBook: Sendable {
    /// `getaddrinfo` tells no lifetime; this is how long a moved backend may be missed.
    static let lifetime = TimeAmount.seconds(10)
    /// Of one name.
    static let maximumAddresses = 16

    typealias Lookup = @Sendable (String) throws -> [String]

    struct LookupFailed: Error, CustomStringConvertible {
        let description: String
    }

    private struct Entry {
        var addresses: [String] = []
        var expires = NIODeadline.uptimeNanoseconds(0)
        /// Those who wait for the lookup under way; nil when there is none.
        var waiting: [EventLoopPromise<[String]>]?
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let lookup: Lookup

    init(lookup: @escaping Lookup = AddressBook.systemLookup) {
        self.lookup = lookup
    }

    /// Most preferred first, both families.
    func addresses(of host: String, on loop: any EventLoop) -> EventLoopFuture<[String]> {
        let promise = loop.makePromise(of: [String].self)
        let (known, starts) = entries.withLock { entries -> ([String]?, Bool) in
            var entry = entries[host] ?? Entry()
            defer { entries[host] = entry }
            if entry.expires > .now() { return (entry.addresses, false) }
            let starts = entry.waiting == nil
            entry.waiting = (entry.waiting ?? []) + [promise]
            return (nil, starts)
        }
        if let known { promise.succeed(known) }
        if starts { start(host) }
        return promise.futureResult
    }

    /// Asks anew next time: none of the addresses answered.
    func forget(_ host: String) {
        entries.withLock { entries in
            if entries[host]?.waiting == nil { entries[host] = nil }
        }
    }

    private func start(_ host: String) {
        NIOThreadPool.singleton.submit { [self] _ in
            let result = Result { try lookup(host) }
            let waiting = entries.withLock { entries -> [EventLoopPromise<[String]>] in
                let waiting = entries[host]?.waiting ?? []
                switch result {
                case .success(let addresses):
                    entries[host] = Entry(addresses: addresses, expires: .now() + Self.lifetime)
                case .failure: entries[host] = nil
                }
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
