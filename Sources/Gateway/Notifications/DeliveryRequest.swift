import Crypto
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Turns a message into what its channel's other side takes.
struct DeliveryRequest {
    let channel: NotificationChannelSettings
    let entries: [NotificationEntry]
    let text: MessageText
    /// Tells messages apart, also after a restart.
    let messageID: String
    let host: String
    let now: Timestamp

    func request(allowed: [CIDR], caFile: String?) -> CurlRequest {
        let guarding = AddressGuard(allowed: allowed, mayBeInternal: channel.kind == .email)
        let (url, content) =
            switch channel.kind {
            case .email: mail()
            case .webhook: webhook()
            case .dingtalk: dingtalk()
            }
        return CurlRequest(url: url, content: content, guarding: guarding, caFile: caFile)
    }

    private func mail() -> (String, CurlRequest.Content) {
        let address = channel.address
        let security = address.smtpSecurity ?? .starttls
        let host = address.smtpHost ?? ""
        let literal = host.contains(":") ? "[\(host)]" : host
        let from = address.fromEmail ?? ""
        let to = address.toEmails ?? []
        let domain = from.split(separator: "@").last.map(String.init) ?? "localhost"
        let message = MailMessage.bytes(text, from: from, to: to, at: now, host: domain, id: messageID)
        let mail = CurlRequest.Mail(
            from: from,
            to: to,
            message: message,
            user: address.smtpUser,
            password: address.smtpPassword.map { Secret($0) },
            upgrades: security == .starttls
        )
        let port = address.smtpPort ?? 587
        // The path is what the client calls itself.
        return ("\(security == .tls ? "smtps" : "smtp")://\(literal):\(port)/\(domain)", .mail(mail))
    }

    private func webhook() -> (String, CurlRequest.Content) {
        let body = Array(webhookBody.utf8)
        var headers = ["Content-Type: application/json"]
        if let secret = channel.address.secret, !secret.isEmpty {
            let time = "\(now.seconds)"
            let digest = Self.digest(Array("\(time).".utf8) + body, secret)
            let hex = Hexadecimal.text(digest)
            headers.append("X-FastGate-Signature: t=\(time),v1=\(hex)")
        }
        for (name, value) in (channel.address.headers ?? [:]).sorted(by: { $0.key < $1.key }) {
            headers.removeAll { $0.lowercased().hasPrefix(name.lowercased() + ":") }
            // With a semicolon libcurl sends a header that has no value.
            headers.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        return (channel.address.webhookUrl ?? "", .post(body: body, headers: headers))
    }

    /// `{"event","time","severity","data"}`; several at once have the event `digest` and stand in `data.events`.
    private var webhookBody: String {
        if entries.count == 1, let entry = entries.first { return Self.json(entry) }
        let severity = entries.map(\.event.severity).max() ?? .info
        let events = entries.map(Self.json).joined(separator: ",")
        return "{\"event\":\"digest\",\"time\":\"\(now)\",\"severity\":\"\(severity.rawValue)\","
            + "\"data\":{\"count\":\(entries.count),\"events\":[\(events)]}}"
    }

    private static func json(_ entry: NotificationEntry) -> String {
        var fields = entry.data.sorted { $0.key < $1.key }.map { name, value in
            // Ids and limits are numbers, as in the API.
            let isNumber = (name.hasSuffix("_id") || name == "limit") && Int(value) != nil
            return "\(Self.quoted(name)):\(isNumber ? value : Self.quoted(value))"
        }
        fields.append("\"subject\":\(Self.quoted(entry.subject))")
        if entry.count > 1 { fields.append("\"count\":\(entry.count)") }
        return "{\"event\":\"\(entry.event.rawValue)\",\"time\":\"\(Timestamp(microseconds: entry.at))\","
            + "\"severity\":\"\(entry.event.severity.rawValue)\",\"data\":{\(fields.joined(separator: ","))}}"
    }

    /// A robot takes 20,000 bytes.
    private static let robotLimit = 18_000

    private func dingtalk() -> (String, CurlRequest.Content) {
        var url = channel.address.webhookUrl ?? ""
        if let secret = channel.address.secret, !secret.isEmpty {
            let milliseconds = now.microseconds / 1000
            let digest = Self.digest(Array("\(milliseconds)\n\(secret)".utf8), secret)
            let sign = String(
                decoding: PercentEncoding.encode(Data(digest).base64EncodedString()),
                as: UTF8.self
            )
            url += "\(url.contains("?") ? "&" : "?")timestamp=\(milliseconds)&sign=\(sign)"
        }
        let body = text.body.utf8.count <= Self.robotLimit ? text.body : Self.cut(text.body)
        let json =
            "{\"msgtype\":\"markdown\",\"markdown\":{\"title\":\(Self.quoted(text.title)),"
            + "\"text\":\(Self.quoted(body))}}"
        return (
            url, .post(body: Array(json.utf8), headers: ["Content-Type: application/json; charset=utf-8"])
        )
    }

    private static func cut(_ text: String) -> String {
        var result = ""
        var count = 0
        for character in text {
            count += character.utf8.count
            guard count <= robotLimit else { return result + "…" }
            result.append(character)
        }
        return result
    }

    private static func digest(_ bytes: [UInt8], _ secret: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: Array(secret.utf8))))
    }

    private static func quoted(_ text: String) -> String {
        String(decoding: JSONText.quote(text), as: UTF8.self)
    }
}
