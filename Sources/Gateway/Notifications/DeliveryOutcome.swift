import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What has come of one try to hand a message over.
enum DeliveryOutcome: Sendable, Equatable {
    case delivered(String)
    /// Nobody's fault that lasts: tried again for a day.
    case unreachable(String)
    /// The other side has too many; seconds where it says how long.
    case throttled(String, seconds: Int?)
    /// It was understood and refused, which seldom changes by itself: tried again a few times.
    case refused(String)
    /// Trying again is of no use.
    case hopeless(String)

    var detail: String {
        switch self {
        case .delivered(let text), .unreachable(let text), .throttled(let text, _), .refused(let text),
            .hopeless(let text):
            text
        }
    }

    var isDelivered: Bool { if case .delivered = self { true } else { false } }

    init(_ kind: NotificationChannelKind, _ result: Result<CurlAnswer, CurlFailure>) {
        switch (kind, result) {
        case (_, .failure(let failure)): self = Self.failed(failure)
        case (.email, .success(let answer)): self = .delivered("accepted (\(answer.status))")
        case (.webhook, .success(let answer)): self = Self.webhook(answer)
        case (.dingtalk, .success(let answer)): self = Self.dingtalk(answer)
        }
    }

    private static func failed(_ failure: CurlFailure) -> DeliveryOutcome {
        let message = TextLine.safe(String(failure.message.prefix(300)))
        if failure.isDenied { return .hopeless(message) }
        return (500..<600).contains(failure.status) ? .refused(message) : .unreachable(message)
    }

    private static func webhook(_ answer: CurlAnswer) -> DeliveryOutcome {
        let text = "status \(answer.status)" + excerpt(answer)
        switch answer.status {
        case 200..<300: return .delivered("status \(answer.status)")
        case 300..<400: return .refused("\(text): redirects are not followed")
        case 429: return .throttled(text, seconds: answer.retryAfter > 0 ? answer.retryAfter : nil)
        case 408, 425, 500...: return .unreachable(text)
        default: return .refused(text)
        }
    }

    private struct RobotAnswer: Decodable {
        var errcode: Int
        var errmsg: String?
    }

    /// A robot answers 200 also to what it refuses.
    private static func dingtalk(_ answer: CurlAnswer) -> DeliveryOutcome {
        guard answer.status == 200 else { return webhook(answer).orRefused(answer.status) }
        guard let robot = try? JSONForm.value(RobotAnswer.self, from: Data(answer.body)) else {
            // Whatever it was, it was no robot that took the message.
            return .refused("the answer is not a robot's" + excerpt(answer))
        }
        let text = "errcode \(robot.errcode): \(TextLine.safe(String((robot.errmsg ?? "").prefix(200))))"
        switch robot.errcode {
        case 0: return .delivered("errcode 0")
        // A robot that is spoken to too often is closed for ten minutes.
        case 130_101, 410_100: return .throttled(text, seconds: 600)
        case -1: return .unreachable(text)
        default: return .refused(text)
        }
    }

    private func orRefused(_ status: Int) -> DeliveryOutcome {
        isDelivered ? .refused("status \(status)") : self
    }

    private static func excerpt(_ answer: CurlAnswer) -> String {
        guard !answer.body.isEmpty else { return "" }
        let text = TextLine.safe(String(decoding: answer.body.prefix(200), as: UTF8.self))
        return ": " + text
    }
}
