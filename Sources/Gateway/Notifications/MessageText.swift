import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The language of the texts that ship.
enum NotificationLanguage: String, Sendable, CaseIterable {
    case en
    case zh
}

/// What a person is told.
struct MessageText: Sendable, Equatable {
    var title: String
    /// Markdown.
    var body: String
}

/// An event as it is told: one row of the history on its way out.
struct NotificationEntry: Sendable, Equatable {
    var id: Int
    var event: NotificationEvent
    var subject: String
    var data: [String: String]
    /// Microseconds since 1970.
    var at: Int
    var count: Int
}

/// Fills templates in, and makes one text of many events.
struct MessageComposer: Sendable {
    /// A digest names so many of its events one by one.
    private static let namedInDigest = 20

    let language: NotificationLanguage
    /// Of times of day.
    let zone: String
    let host: String

    func text(_ entry: NotificationEntry, by template: (title: String, body: String)) -> MessageText {
        let values = values(entry)
        return MessageText(
            title: TextLine.safe(TemplateText.filled(template.title, with: values)),
            body: TemplateText.filled(template.body, with: values)
        )
    }

    func values(_ entry: NotificationEntry) -> [String: String] {
        var values = entry.data
        values["event"] = entry.event.rawValue
        values["title"] = NotificationWords.title(entry.event, language)
        values["severity"] = entry.event.severity.rawValue
        values["subject"] = entry.subject
        values["time"] = time(entry.at)
        values["count"] = entry.count > 1 ? "\(entry.count)" : ""
        values["gateway"] = host
        return values
    }

    func digest(_ entries: [NotificationEntry]) -> MessageText {
        let isChinese = language == .zh
        let total = entries.reduce(0) { $0 + $1.count }
        let counts = Dictionary(grouping: entries, by: \.event)
            .map { (event: $0.key, count: $0.value.reduce(0) { $0 + $1.count }) }
            .sorted { ($1.event.severity, $0.event.rawValue) < ($0.event.severity, $1.event.rawValue) }
        let title = isChinese ? "FastGate: \(total) 个事件" : "FastGate: \(total) events"
        var lines = [isChinese ? "### FastGate 告警汇总" : "### FastGate alerts", ""]
        let (first, last) = (entries.map(\.at).min() ?? 0, entries.map(\.at).max() ?? 0)
        lines.append("**\(isChinese ? "事件数" : "Events")**: \(total)")
        lines.append("")
        lines.append("**\(isChinese ? "时间" : "Time")**: \(time(first)) – \(time(last))")
        lines.append("")
        for (event, count) in counts {
            lines.append("- \(NotificationWords.title(event, language)): \(count)")
        }
        lines.append("")
        for entry in entries.prefix(Self.namedInDigest) {
            let reason = entry.data["reason"].map { ": \($0)" } ?? ""
            lines.append("- \(NotificationWords.title(entry.event, language)) · \(entry.subject)\(reason)")
        }
        let more = entries.count - Self.namedInDigest
        if more > 0 { lines.append(isChinese ? "- 另有 \(more) 个" : "- and \(more) more, in the history") }
        lines += ["", "---", NotificationWords.footer(language)]
        return MessageText(title: title, body: lines.joined(separator: "\n"))
    }

    /// `2025-11-02 10:30:00` in the gateway's zone.
    func time(_ microseconds: Int) -> String {
        let offset = ZoneTime.secondsEast(of: zone, at: microseconds)
        let text = Timestamp(seconds: Timestamp(microseconds: microseconds).seconds + offset).description
        return String(text.prefix(19)).replacing("T", with: " ")
    }
}

/// What the clock of a zone shows.
enum ZoneTime {
    static func secondsEast(of zone: String, at microseconds: Int) -> Int {
        guard zone != "UTC", let zone = TimeZone(identifier: zone) else { return 0 }
        return zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(microseconds) / 1_000_000))
    }

    /// Minutes since midnight.
    static func minuteOfDay(in zone: String, at microseconds: Int) -> Int {
        let seconds = Timestamp(microseconds: microseconds).seconds + secondsEast(of: zone, at: microseconds)
        return ((seconds % 86_400) + 86_400) % 86_400 / 60
    }
}

/// The words and templates that ship.
enum NotificationWords {
    static func title(_ event: NotificationEvent, _ language: NotificationLanguage) -> String {
        switch language {
        case .en:
            switch event {
            case .keyDisabled: "key disabled"
            case .keyBanned: "key banned"
            case .keyRecovered: "key recovered"
            case .quotaExceeded: "quota used up"
            case .rateLimitExceeded: "rate limit reached"
            case .upstreamDown: "upstream down"
            case .upstreamRecovered: "upstream recovered"
            case .poolExhausted: "no usable key"
            case .auditDegraded: "audit degraded"
            case .scriptFailing: "script failing"
            case .ruleMatched: "rule matched"
            case .test: "test"
            }
        case .zh:
            switch event {
            case .keyDisabled: "密钥禁用"
            case .keyBanned: "密钥封禁"
            case .keyRecovered: "密钥恢复"
            case .quotaExceeded: "配额用尽"
            case .rateLimitExceeded: "频率限制"
            case .upstreamDown: "上游不可用"
            case .upstreamRecovered: "上游恢复"
            case .poolExhausted: "无可用密钥"
            case .auditDegraded: "审计降级"
            case .scriptFailing: "脚本失败"
            case .ruleMatched: "规则触发"
            case .test: "测试"
            }
        }
    }

    static func footer(_ language: NotificationLanguage) -> String {
        language == .zh ? "*FastGate 自动告警*" : "*Sent by FastGate*"
    }

    /// The seeds' form: what, which, why, when; a line of which nothing is known is left out.
    static func template(
        _ event: NotificationEvent,
        _ language: NotificationLanguage
    ) -> (title: String, body: String) {
        let isChinese = language == .zh
        func label(_ english: String, _ chinese: String) -> String { isChinese ? chinese : english }
        let colon = ": "
        var lines = [label("### FastGate alert", "### FastGate 告警通知"), ""]
        lines += ["**\(label("Event", "事件类型"))**\(colon){{title}}", ""]
        let fields = event.fields
        if fields.contains("key_id") {
            lines.append("**\(label("Key", "密钥信息"))**:")
            lines.append("- ID: {{key_id}}")
            lines.append("- \(label("Name", "名称")): {{key_name}}")
            lines.append("- \(label("Upstream", "上游")): {{upstream_name}}")
            lines.append("")
        } else if fields.contains("upstream_name") {
            lines += ["**\(label("Upstream", "上游"))**\(colon){{upstream_name}}", ""]
        }
        for (field, english, chinese) in [
            ("header_name", "Header", "请求头"), ("rule_name", "Rule", "规则"), ("scope", "Scope", "范围"),
            ("window", "Window", "窗口"), ("limit", "Limit", "限额"), ("resets_at", "Begins anew", "重置时间"),
            ("operator", "Operator", "操作员"), ("channel", "Channel", "渠道"),
        ] where fields.contains(field) {
            lines += ["**\(label(english, chinese))**\(colon){{\(field)}}", ""]
        }
        lines += [
            "**\(label("Reason", "原因"))**\(colon){{reason}}", "",
            "**\(label("Time", "时间"))**\(colon){{time}}", "",
            "**\(label("How often", "次数"))**\(colon){{count}}", "",
            "---", footer(language),
        ]
        return ("FastGate: {{title}} {{subject}}", lines.joined(separator: "\n"))
    }
}
