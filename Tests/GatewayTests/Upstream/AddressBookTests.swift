import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Gateway

@Suite struct `Address book` {
    /// A name server of its own: counts what it is asked, and answers once it may.
    private final class NameServer: Sendable {
        let asked = Atomic<Int>(0)
        let answer: Mutex<Result<[String], AddressBook.LookupFailed>>

        init(_ answer: Result<[String], AddressBook.LookupFailed>) {
            self.answer = Mutex(answer)
        }

        func look() throws -> [String] {
            asked.wrappingAdd(1, ordering: .relaxed)
            return try answer.withLock { $0 }.get()
        }
    }

    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test func `many who ask at once are one question`() async throws {
        let server = NameServer(.success(["::1", "127.0.0.1"]))
        let book = AddressBook(lookup: { _ in try server.look() })
        let futures = (0..<100).map { _ in book.addresses(of: "backend.test", on: loop) }
        for future in futures {
            #expect(try await future.get() == ["::1", "127.0.0.1"])
        }
        #expect(server.asked.load(ordering: .relaxed) == 1)
    }

    @Test func `a failure is told, and not asked for again at once`() async throws {
        let server = NameServer(.failure(.init(description: "no such name")))
        let book = AddressBook(
            clock: { .uptimeNanoseconds(1_000_000_000_000) },
            lookup: { _ in try server.look() }
        )
        for _ in 0..<5 {
            await #expect(throws: AddressBook.LookupFailed.self) {
                try await book.addresses(of: "missing.test", on: loop).get()
            }
            // What the pool does after each connect that fails.
            book.forget("missing.test")
        }
        #expect(server.asked.load(ordering: .relaxed) == 1)
    }

    @Test func `known addresses outlive a name server that fails`() async throws {
        let server = NameServer(.success(["127.0.0.1"]))
        let book = AddressBook(lookup: { _ in try server.look() })
        _ = try await book.addresses(of: "backend.test", on: loop).get()
        server.answer.withLock { $0 = .failure(.init(description: "the name server is gone")) }
        // Forgetting takes effect once the name may be asked for again.
        while server.asked.load(ordering: .relaxed) < 2 {
            book.forget("backend.test")
            #expect(try await book.addresses(of: "backend.test", on: loop).get() == ["127.0.0.1"])
            await Task.yield()
        }
        #expect(try await book.addresses(of: "backend.test", on: loop).get() == ["127.0.0.1"])
    }

    @Test func `forbidden addresses are left out, and a name with no other is refused`() async throws {
        let server = NameServer(.success(["169.254.169.254", "127.0.0.1"]))
        let resolver = AddressBookResolver(book: AddressBook(lookup: { _ in try server.look() }), loop: loop)
        let four = try await resolver.initiateAQuery(host: "mixed.test", port: 80).get()
        #expect(four.compactMap(\.ipAddress) == ["127.0.0.1"])
        server.answer.withLock { $0 = .success(["169.254.169.254"]) }
        await #expect(throws: ForbiddenAddress.self) {
            try await resolver.initiateAQuery(host: "metadata.test", port: 80).get()
        }
    }
}
