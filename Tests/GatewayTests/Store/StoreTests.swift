import Foundation
import Operations
import Testing

@testable import Gateway

@Suite struct `Configuration store` {
    private let user = Operator(name: "tester", role: .admin, via: "console")

    private func directory(_ folder: TemporaryFolder) throws -> DataDirectory {
        try DataDirectory(path: folder.path)
    }

    @Test func `a second gateway on the same data is refused with the first one's pid`() throws {
        let folder = try TemporaryFolder()
        let first = try directory(folder)
        #expect { try directory(folder) } throws: { error in
            "\(error)".contains("pid \(getpid())") && "\(error)".contains("fastgate console")
        }
        withExtendedLifetime(first) {}
    }

    @Test func `a database that was lost never looks like a first start`() throws {
        let folder = try TemporaryFolder()
        let directory = try directory(folder)
        _ = try Store.open(directory)
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: directory.configurationDatabase + suffix)
        }
        #expect(throws: StartFailure.self) { try Store.open(directory) }
        _ = FileManager.default.createFile(atPath: directory.configurationDatabase, contents: Data())
        #expect(throws: StartFailure.self) { try Store.open(directory) }
    }

    @Test func `a file that is no database is explained`() throws {
        let folder = try TemporaryFolder()
        let directory = try directory(folder)
        try Data(repeating: 65, count: 8192).write(to: URL(fileURLWithPath: directory.configurationDatabase))
        #expect { try Store.open(directory) } throws: { "\($0)".contains("restore it from a backup") }
    }

    @Test func `the wrong master key is refused and changes nothing`() throws {
        let folder = try TemporaryFolder()
        let store = try Store.open(try directory(folder))
        let key = try #require(MasterKey(base64: MasterKey.generateText()))
        try store.verify(key)
        try store.verify(key)
        let other = try #require(MasterKey(base64: MasterKey.generateText()))
        #expect { try store.verify(other) } throws: { "\($0)".contains("nothing was changed") }
        try store.verify(key)
    }

    @Test func `a missing master key is made only while nothing was sealed`() throws {
        let folder = try TemporaryFolder()
        let file = folder.path + "/master.key"
        #expect(throws: StartFailure.self) {
            try MasterKeySource.load(environment: nil, file: file, mayCreate: false)
        }
        _ = try MasterKeySource.load(environment: nil, file: file, mayCreate: true)
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        chmod(file, 0o644)
        #expect { try MasterKeySource.load(environment: nil, file: file, mayCreate: false) } throws: {
            "\($0)".contains("chmod 600")
        }
        #expect(throws: StartFailure.self) {
            try MasterKeySource.load(environment: "short", file: file, mayCreate: true)
        }
    }

    @Test func `a sealed value opens only in its own place, and no byte of it may change`() throws {
        let key = try #require(MasterKey(base64: MasterKey.generateText()))
        let sealed = try key.seal(Secret("sk-secret"), place: "upstream_keys/1/value")
        #expect(try key.open(sealed, place: "upstream_keys/1/value").value == "sk-secret")
        #expect(throws: (any Error).self) { try key.open(sealed, place: "upstream_keys/2/value") }
        for index in sealed.indices {
            var broken = sealed
            broken[index] ^= 1
            #expect(throws: (any Error).self) { try key.open(broken, place: "upstream_keys/1/value") }
        }
    }

    @Test func `client keys are listed in pages, searched literally and changed by version`() throws {
        let folder = try TemporaryFolder()
        let store = ClientKeyStore(database: try Store.open(try directory(folder)).database)
        for index in 1...5 {
            let token = ClientKeyToken.generate()
            let key = ClientKey(
                id: 0,
                name: "key_\(index)%",
                owner: "o",
                prefix: token.prefix,
                last4: token.lastFour,
                createdAt: Timestamp(seconds: index)
            )
            _ = try store.insert(ClientKeyRow(key: key, digest: token.digest), by: user)
        }
        var query = ClientKeyQuery()
        query.limit = 2
        var ids: [Int] = []
        repeat {
            let page = try store.page(query)
            ids += page.items.map(\.id)
            query.cursor = page.nextCursor
        } while query.cursor != nil
        #expect(ids == [5, 4, 3, 2, 1])
        query = ClientKeyQuery()
        query.search = "%%"
        #expect(try store.page(query).items.isEmpty)
        query.search = "_3%"
        #expect(try store.page(query).items.map(\.id) == [3])
        let changed = try store.update(3, ifVersion: 1, by: user, action: "change") { $0.key.owner = "new" }
        #expect(changed.version == 2)
        #expect(throws: OperationsError.self) {
            try store.update(3, ifVersion: 1, by: user, action: "change") { $0.key.owner = "late" }
        }
        #expect(try store.find(3).key.owner == "new")
    }
}
