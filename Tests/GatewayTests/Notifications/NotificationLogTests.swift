import Operations
import Testing

@testable import Gateway

@Suite struct `History of notifications` {
    private static let second = 1_000_000
    private let robot = DigestPlan(.dingtalk)
    private let folder: TemporaryFolder
    private let log: NotificationLog
    private let channel = NotificationChannelSettings(id: 7, name: "duty", kind: .dingtalk)

    init() throws {
        folder = try TemporaryFolder()
        log = try NotificationLog(path: folder.path + "/notifications.db")
    }

    private func entry(_ event: NotificationEvent, key: Int = 1, at: Int = 0) -> NotificationLog.Entry {
        let place = NotificationInbox.Place(event: event, upstream: 1, id: key)
        return NotificationLog.Entry(
            news: .init(place: place, data: ["reason": "why"], first: at, last: at),
            subject: "key \(key)",
            channels: [channel]
        )
    }

    private func history(_ status: NotificationRecord.Status) throws -> [NotificationRecord] {
        var query = NotificationQuery()
        (query.status, query.limit) = (status, 2000)
        return try log.history(query, before: .max)
    }

    @Test(arguments: [-1, 0, 1])
    func `a queue leaves out what has waited longest beyond its limit`(more: Int) throws {
        let count = NotificationLog.queueLimit + more
        try log.add((1...count).map { entry(.keyBanned, key: $0) }, now: 0)
        #expect(try log.waiting(now: 0)[7]?.due == min(count, NotificationLog.queueLimit))
        #expect(try history(.dropped).map(\.subject) == (more > 0 ? ["key 1"] : []))
    }

    @Test(arguments: [-1, 0, 1])
    func `a list shows the last tries of a message and counts all`(more: Int) throws {
        try log.add([entry(.keyBanned)], now: 0)
        let message = try #require(try log.message(for: 7, robot, critical: false, now: 0))
        let count = NotificationRecord.shownTries + more
        for number in 1...count {
            try log.tried(message.id, .unreachable("\(number)"), isOver: false, began: number, now: number)
        }
        let record = try #require(try history(.pending).first)
        #expect(record.triesCount == count && record.tries.count == min(count, NotificationRecord.shownTries))
        #expect(record.tries.last?.detail == "\(count)")
        #expect(record.tries.first?.detail == (more > 0 ? "2" : "1"))
    }

    private func tell(at second: Int) throws -> [NotificationEvent] {
        let now = second * Self.second
        guard let message = try log.message(for: 7, robot, critical: false, now: now) else { return [] }
        try log.tried(message.id, .delivered("ok"), isOver: true, began: now, now: now)
        return message.entries.map(\.event)
    }

    private func happens(
        _ event: NotificationEvent,
        key: Int = 1,
        at second: Int
    ) throws -> [NotificationEvent] {
        let now = second * Self.second
        try log.add([entry(event, key: key, at: now)], now: now)
        return try tell(at: second)
    }

    @Test func `what goes back and forth is told so that the last word is true`() throws {
        #expect(try happens(.keyBanned, at: 1000) == [.keyBanned])
        #expect(try happens(.keyRecovered, at: 1060) == [.keyRecovered])
        // Told again when its five minutes are over, and no sooner.
        #expect(try happens(.keyBanned, at: 1120).isEmpty)
        #expect(try happens(.keyBanned, at: 1121).isEmpty)
        #expect(try tell(at: 1299).isEmpty)
        #expect(try tell(at: 1300) == [.keyBanned])
        // Of another key it says nothing.
        #expect(try happens(.keyRecovered, key: 2, at: 1301) == [.keyRecovered])
        #expect(try happens(.keyBanned, at: 1302).isEmpty && tell(at: 1700).isEmpty)
    }

    @Test func `what is over before it is told again is not told`() throws {
        #expect(try happens(.upstreamDown, at: 1000) == [.upstreamDown])
        #expect(try happens(.upstreamRecovered, at: 1030) == [.upstreamRecovered])
        #expect(try happens(.upstreamDown, at: 1060).isEmpty)
        #expect(try happens(.upstreamRecovered, at: 1090).isEmpty)
        #expect(try tell(at: 2000).isEmpty)
        #expect(try history(.dropped).map(\.reason) == ["over before it was told again"])
    }

    @Test func `a pool that is used up again after a key came back is told of`() throws {
        #expect(try happens(.poolExhausted, key: 0, at: 1000) == [.poolExhausted])
        #expect(try happens(.keyRecovered, at: 1010) == [.keyRecovered])
        #expect(try happens(.poolExhausted, key: 0, at: 1020) == [.poolExhausted])
        #expect(try happens(.poolExhausted, key: 0, at: 1030).isEmpty && tell(at: 1500).isEmpty)
    }

    @Test(arguments: [-1, 0, 1])
    func `the same again is only counted, for so long`(more: Int) throws {
        let dedupe = 300 * Self.second
        try log.add([entry(.keyBanned, at: 1000)], now: 0)
        try log.add([entry(.keyBanned, at: 1000 + dedupe + more)], now: 0)
        let isCounted = more < 0
        #expect(try history(.pending).map(\.count) == (isCounted ? [2] : [1, 1]))
    }

    @Test func `what was given up swallows nothing`() throws {
        try log.add([entry(.keyBanned)], now: 0)
        let message = try #require(try log.message(for: 7, robot, critical: false, now: 0))
        try log.tried(message.id, .hopeless("no"), isOver: true, began: 0, now: 1)
        try log.add([entry(.keyBanned, at: Self.second)], now: 0)
        #expect(try history(.dead).map(\.count) == [1] && history(.pending).map(\.count) == [1])
    }

    @Test func `what is critical does not wait behind a message for the morning`() throws {
        try log.add([entry(.keyRecovered)], now: 0)
        let evening = try #require(try log.message(for: 7, robot, critical: false, now: 0))
        #expect(try log.message(for: 7, robot, critical: true, now: 1) == nil)
        let critical = try #require(NotificationEvent.allCases.first { $0.severity == .critical })
        try log.add([entry(critical, key: 2, at: 2)], now: 2)
        let night = try #require(try log.message(for: 7, robot, critical: true, now: 3))
        #expect(night.entries.map(\.event) == [critical] && night.id != evening.id)
        try log.tried(night.id, .delivered("ok"), isOver: true, began: 3, now: 4)
        let morning = try #require(try log.message(for: 7, robot, critical: false, now: 5))
        #expect(morning.entries.map(\.event) == [.keyRecovered])
    }

    @Test func `a test waits for nothing, is nobody's message, and ends with the gateway`() throws {
        let place = NotificationInbox.Place(event: .test, id: 7, detail: "1")
        let test = try log.begin(test: .init(place: place, data: [:], first: 0, last: 0), on: channel)
        #expect(try log.waiting(now: 1).isEmpty && log.message(for: 7, robot, critical: false, now: 1) == nil)
        try log.close()
        let next = try NotificationLog(path: folder.path + "/notifications.db")
        let id = try #require(test.entries.first?.id)
        #expect(try next.record(id)?.status == .dead)
        #expect { try next.resend(id) } throws: { "\($0)".contains("test its channel again") }
    }

    @Test func `when a channel last told something outlives the gateway`() throws {
        #expect(try log.lastSent().isEmpty)
        try log.add([entry(.keyBanned)], now: 0)
        let message = try #require(try log.message(for: 7, robot, critical: false, now: 0))
        try log.tried(message.id, .delivered("ok"), isOver: true, began: 3, now: 42)
        #expect(try log.lastSent() == [7: 42])
    }
}

@Suite struct `News on their way` {
    @Test(arguments: [-1, 0, 1])
    func `more news than may be kept are counted as lost`(more: Int) {
        let inbox = NotificationInbox()
        for id in 1...(NotificationInbox.limit + more) {
            inbox.put(.init(event: .keyBanned, id: id), now: id) { [:] }
        }
        // What is there already is counted, however many there are.
        inbox.put(.init(event: .keyBanned, id: 1), now: 0) { [:] }
        let (news, lost) = inbox.take()
        #expect(news.count == NotificationInbox.limit + min(more, 0) && lost == max(more, 0))
        #expect(news.first?.count == 2)
    }
}
