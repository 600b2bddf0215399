import Operations
import Testing

@testable import Gateway

@Suite struct `Pace of a channel` {
    private static let second = 1_000_000
    private let robot = DigestPlan(.dingtalk)

    @Test func `no more go within a minute than may`() {
        var pace = ChannelPace(limit: 3)
        for now in 0..<3 {
            #expect(pace.mayGo(robot, waiting: 1) <= now * Self.second)
            pace.began(now: now * Self.second, isDigest: false)
            pace.delivered()
        }
        #expect(pace.mayGo(robot, waiting: 1) == 60 * Self.second)
        pace.began(now: 60 * Self.second, isDigest: false)
        #expect(pace.tries.count == 3 && pace.mayGo(robot, waiting: 1) == 61 * Self.second)
    }

    @Test func `a clock that is put back locks nobody out`() {
        var pace = ChannelPace(limit: 1)
        pace.began(now: 7200 * Self.second, isDigest: false)
        pace.began(now: 0, isDigest: false)
        #expect(pace.mayGo(robot, waiting: 1) == 60 * Self.second)
    }

    @Test func `what waits behind a digest becomes the next one`() {
        var pace = ChannelPace(limit: 20)
        pace.began(now: 0, isDigest: true)
        #expect(pace.mayGo(robot, waiting: 1) == robot.gap)
        pace.began(now: robot.gap, isDigest: false)
        #expect(pace.mayGo(robot, waiting: robot.singles) == 0)
        #expect(pace.mayGo(robot, waiting: robot.singles + 1) == 2 * robot.gap)
    }

    @Test func `it is tried after twice as long each time, and at least each minute`() {
        var pace = ChannelPace(limit: 20)
        var waits: [Int] = []
        for _ in 0..<9 {
            guard
                case .again(let at) = pace.failed(
                    .unreachable("no"),
                    messageAt: 0,
                    now: 0,
                    jitter: 0
                )
            else {
                Issue.record("it was given up")
                return
            }
            waits.append(at / Self.second)
        }
        #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        pace.delivered()
        #expect(pace.failed(.unreachable("no"), messageAt: 0, now: 0, jitter: 1) == .again(at: 750_000))
    }

    @Test(
        arguments: [(nil, 60), (0, 1), (7, 7), (3600, 3600), (3601, 3600), (Int.max, 3600)] as [(Int?, Int)]
    )
    func `who says when is believed, up to an hour`(said: Int?, waits: Int) {
        var pace = ChannelPace(limit: 20)
        let verdict = pace.failed(.throttled("", seconds: said), messageAt: 0, now: 0, jitter: 0)
        #expect(verdict == .again(at: waits * Self.second))
    }

    @Test func `what is refused is tried three times, and what came between does not count`() {
        var pace = ChannelPace(limit: 20)
        let refused = DeliveryOutcome.refused("no")
        #expect(pace.failed(refused, messageAt: 0, now: 0, jitter: 0) != .giveUp)
        #expect(pace.failed(.unreachable(""), messageAt: 0, now: 0, jitter: 0) != .giveUp)
        #expect(pace.failed(refused, messageAt: 0, now: 0, jitter: 0) != .giveUp)
        #expect(pace.failed(refused, messageAt: 0, now: 0, jitter: 0) == .giveUp)
        #expect(pace.refusals == 0)
        #expect(pace.failed(.hopeless("no"), messageAt: 0, now: 0, jitter: 0) == .giveUp)
    }

    @Test(arguments: [-1, 0, 1])
    func `a message is tried for a day`(more: Int) {
        var pace = ChannelPace(limit: 20)
        let verdict = pace.failed(
            .unreachable(""),
            messageAt: 5,
            now: 5 + ChannelPace.patience + more,
            jitter: 0
        )
        #expect((verdict == .giveUp) == (more >= 0))
    }

    @Test(arguments: NotificationChannelKind.allCases)
    func `few are told one by one and many at once`(kind: NotificationChannelKind) {
        let plan = DigestPlan(kind)
        #expect(plan.count(of: 0) == 0 && plan.count(of: plan.singles) == 1)
        #expect(plan.count(of: plan.singles + 1) == plan.singles + 1)
        #expect(plan.count(of: plan.most) == plan.most && plan.count(of: plan.most + 1) == plan.most)
    }

    @Test func `quiet hours may go over midnight`() throws {
        let night = try #require(QuietTime(QuietHours(from: "22:00", to: "07:00")))
        #expect(
            [1319, 1320, 1439, 0, 419, 420].map(night.contains) == [false, true, true, true, true, false]
        )
        let noon = try #require(QuietTime(QuietHours(from: "12:00", to: "13:30")))
        #expect([719, 720, 809, 810].map(noon.contains) == [false, true, true, false])
        #expect(QuietTime(QuietHours(from: "24:00", to: "07:00")) == nil && QuietTime(nil) == nil)
    }
}
