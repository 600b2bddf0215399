import Foundation
import Operations

@testable import Console

/// A gateway's answers with everything in them, the same at every run.
enum Fixture {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    static let themes = "\(root)/themes"

    static func time(_ secondsAgo: Int) -> Timestamp {
        ConsoleDriver.start.advanced(by: .seconds(-secondsAgo))
    }

    static func record(_ index: Int) -> LogRecord {
        var record = LogRecord(id: 1000 + index, requestId: "req_\(index)", time: time(200 - index))
        record.clientKey = ["app", "team-batch", "lab"][index % 3]
        record.owner = ["web", "ml", "research"][index % 3]
        record.upstream = index % 4 == 0 ? "openai" : "miniai"
        record.upstreamKey = "real-\(index % 2)"
        record.clientAddress = "10.1.2.3"
        record.method = "POST"
        record.path = "/proxy/\(record.upstream ?? "")/v2/chat/completions"
        record.status = index % 10 == 7 ? 429 : index % 10 == 3 ? 502 : 200
        record.error = index % 10 == 7 ? "rate_limited" : index % 10 == 3 ? "upstream_unreachable" : nil
        record.latencyMs = Double(100 + index * 37 % 4000)
        record.ttftMs = Double(80 + index % 40)
        record.bytesIn = 1100
        record.bytesOut = 300 + index * 211
        record.isStream = index % 2 == 0
        record.streamChunks = record.isStream ? 40 + index : 0
        record.model = "gpt-4o-mini"
        record.promptTokens = 12
        record.completionTokens = 180
        record.usage = .reported
        record.attempts = 1
        record.overheadUs = 141
        return record
    }

    static func records(_ count: Int) -> [LogRecord] {
        (0..<count).map(record)
    }

    static func detail(_ index: Int) -> LogDetail {
        var detail = LogDetail(record: record(index))
        detail.requestHeaders = [
            "content-type": "application/json", "x-api-key": "fg_7kq2…", "user-agent": "openai/3.52",
        ]
        detail.requestBody =
            #"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Summarise it"}]}"#
        detail.responseHeaders = ["content-type": "text/event-stream"]
        detail.responseBody = """
            data: {"choices":[{"delta":{"content":"Hello"}}]}

            data: {"choices":[{"delta":{"content":" you"}}]}

            data: [DONE]

            """
        var attempt = LogAttempt(n: 1)
        attempt.upstream = "miniai"
        attempt.upstreamKey = "real-1"
        attempt.status = detail.record.status
        attempt.durationMs = 412
        detail.attemptsDetail = [attempt]
        return detail
    }

    static func keys() -> [ClientKey] {
        let rows: [(String, String, String)] = [
            ("app", "web", "fg_7kq2m9xa"), ("team-batch", "ml", "fg_p04d7hzz"),
            ("lab", "research", "fg_qq81n2vc"),
            ("old-ci", "infra", "fg_z6t0c3ee"),
        ]
        var keys = rows.enumerated().map { index, row in
            ClientKey(
                id: index + 1,
                name: row.0,
                owner: row.1,
                prefix: row.2,
                last4: "abcd",
                createdAt: time(86_400)
            )
        }
        keys[0].expiresAt = Timestamp(text: "2027-03-01T00:00:00Z")
        keys[0].lastUsedAt = time(2)
        keys[1].enabled = false
        keys[2].expiresAt = time(-6 * 86_400)
        keys[2].lastUsedAt = time(240)
        keys[2].permissions = ClientKeyPermissions(upstreams: ["miniai"], paths: ["/v1/chat/*"])
        keys[3].revokedAt = time(86_400 * 20)
        return keys
    }

    static func upstreams() -> [Upstream] {
        ["miniai", "openai"].enumerated().map { index, slug in
            var upstream = Upstream(
                id: index + 1,
                slug: slug,
                name: slug,
                baseUrl: "http://127.0.0.1:9/",
                timeouts: Timeouts(connect: "5s", firstByte: "60s", idle: "60s"),
                source: index == 0 ? .file : .database
            )
            upstream.keys = index == 0 ? 2 : 4
            upstream.health = index == 0 ? "no_usable_key" : "up"
            guard index == 1 else { return upstream }
            upstream.probe = Probe(path: "/v1/models", interval: "30s")
            var probe = ProbeResult(time: time(12), path: "/v1/models", upstreamKey: "key-1")
            (probe.success, probe.status, probe.message) = (true, 200, "It answers, and takes the key.")
            upstream.lastProbe = probe
            upstream.fallbacks = ["miniai"]
            return upstream
        }
    }

    static func headers() -> [HeaderRule] {
        var time = HeaderRule(id: 1, upstreamId: 1, name: "X-Timestamp", kind: .javascript)
        (time.script, time.position, time.runs, time.p95Ms) = (
            "return new Date().toISOString();", 1, 1204, 0.4
        )
        var team = HeaderRule(id: 2, upstreamId: 1, name: "X-Team", kind: .static)
        (team.value, team.position) = ("platform", 2)
        var sign = HeaderRule(id: 3, upstreamId: 1, name: "X-Signature", kind: .python)
        sign.script = "import hashlib\nresult = hashlib.sha256(context[\"body\"]).hexdigest()"
        (sign.position, sign.runs, sign.errors, sign.failing) = (3, 40, 12, true)
        (sign.lastError, sign.onFailure, sign.cacheSeconds) = ("line 2: KeyError: 'body'", .omit, 60)
        var other = HeaderRule(id: 4, upstreamId: 2, name: "X-Other", kind: .static)
        (other.value, other.position, other.enabled) = ("1", 1, false)
        return [time, team, sign, other]
    }

    static let scriptFault = ScriptTestResult(
        result: nil,
        error: .init(message: "KeyError: 'body'", line: 2, column: 27),
        output: "looking for the body\n",
        durationMs: 0.31,
        memoryBytes: 8_700_000
    )

    static func rules() -> [Rule] {
        let texts = [
            ("dead credential", "status 401 then disable_key, retry_next_key"),
            (
                "out of quota",
                #"status 400, 403, 429 and body contains "insufficient_quota" then exhaust_key, retry_next_key"#
            ),
            ("throttled", "status 429 then cooldown_key 60s, retry_next_key"),
            (
                "slow region",
                "status 5xx and latency > 5s and 3 times in 1m then cooldown_upstream 5m fixed, notify"
            ),
        ]
        return texts.enumerated().compactMap { index, entry in
            guard let text = try? RuleText(parsing: entry.1) else { return nil }
            var rule = Rule(id: index + 1, name: entry.0, when: text.when, then: text.then)
            rule.threshold = text.threshold
            (rule.hits, rule.lastHitAt) = index == 2 ? (212, time(40)) : (0, nil)
            if index == 3 { (rule.enabled, rule.upstreamId) = (false, 1) }
            return rule
        }
    }

    /// A wave with a gap and a spike.
    static func charts(_ window: ChartWindow, until end: Timestamp = ConsoleDriver.start) -> Charts {
        let count = window.seconds / window.step
        let points = (0..<count).map { index in
            let isGap = (count / 3..<count / 3 + count / 20).contains(index)
            let wave = 60 + 40 * sin(Double(index) / 17)
            var point = ChartPoint(
                time: end.advanced(by: .seconds(-(count - index) * window.step)),
                requests: isGap ? 0 : Int(index == count * 2 / 3 ? 200 : wave) * window.step,
                errors: isGap ? 0 : index % 13
            )
            point.successRate = isGap ? nil : 0.97 + 0.03 * cos(Double(index) / 29)
            point.latencyP50Ms = isGap ? nil : 300 + 100 * sin(Double(index) / 31)
            point.latencyP95Ms = isGap ? nil : 900 + 300 * sin(Double(index) / 31)
            point.latencyP99Ms = isGap ? nil : 1500 + 700 * sin(Double(index) / 23)
            return point
        }
        return Charts(stepSeconds: window.step, points: points)
    }

    static func live() -> LiveSnapshot {
        var dashboard = Dashboard(requests: 1_284_511, inFlight: 47, state: "ok")
        dashboard.requestsPerSecond = 231
        dashboard.successRate = 0.9891
        dashboard.latencyAvgMs = 500
        dashboard.latencyP50Ms = 412
        dashboard.latencyP95Ms = 1020
        dashboard.latencyP99Ms = 2900
        dashboard.clientKeysActive = 12
        dashboard.upstreamKeysActive = 9
        dashboard.problems = [
            Problem(
                .error,
                kind: "pool",
                name: "openai/key-3",
                state: "banned",
                detail: "account_deactivated"
            ),
            Problem(.warning, kind: "traffic", name: "", state: "91 % success", detail: "14 of 160 failed"),
        ]
        let exchanges = (0..<3).map { index in
            LiveExchange(
                id: index,
                requestId: "req_l\(index)",
                ageMs: 1200,
                method: "POST",
                path: "/",
                state: "waiting"
            )
        }
        var snapshot = LiveSnapshot(time: ConsoleDriver.start, dashboard: dashboard, exchanges: exchanges)
        snapshot.uptimeSeconds = 12 * 86_400 + 4 * 3600
        snapshot.operators = 3
        snapshot.auditDiskBytes = 4_100_000_000
        return snapshot
    }

    static func status() -> Status {
        var audit = AuditStatus(mode: "normal", pending: 3, written: 128_440, dropped: 0)
        audit.diskBytes = 4_100_000_000
        var status = Status(
            version: "0.1.0",
            pid: 4711,
            state: "ok",
            startedAt: time(12 * 86_400),
            address: "0.0.0.0:8514",
            dataPath: "/var/lib/fastgate",
            audit: audit
        )
        status.configFile = "/etc/fastgate/fastgate.yaml"
        status.uptimeSeconds = 12 * 86_400
        status.eventLoops = 2
        status.connections = 61
        status.upstreamConnections = 52
        status.inFlight = 47
        status.residentBytes = 61_000_000
        status.openFiles = 140
        status.upstreams = 2
        status.clientKeys = 12
        var scripts = ScriptStatus(
            language: .javascript,
            workers: 2,
            busy: 0,
            runs: ["ok": 1204, "timeout": 1]
        )
        (scripts.started, scripts.killed) = (3, 1)
        status.scripts = [scripts]
        return status
    }

    static func changes() -> [OperatorChange] {
        (0..<5).map { index in
            var change = OperatorChange(
                id: 50 - index,
                time: time(index * 3000),
                operator: index % 2 == 0 ? "ops" : "alice",
                role: "admin",
                via: "socket",
                action: ["create", "change", "revoke", "rotate", "reload"][index],
                object: index == 4 ? "configuration" : "client_key"
            )
            change.objectId = index == 4 ? nil : index + 1
            change.after = #"{"name":"lab","enabled":true}"#
            return change
        }
    }
}

extension Fixture {
    static func pool() -> [UpstreamKey] {
        let states: [(state: KeyState, reason: String?, seconds: Int?)] = [
            (.active, nil, nil), (.cooling, "status 429 (throttled)", 41),
            (.banned, "leaked on a forum", nil), (.exhausted, "status 429 (out of quota)", 7200),
            (.disabled, "status 401 (dead credential)", nil), (.cooling, "status 500", nil),
        ]
        return states.enumerated().map { index, entry in
            var key = UpstreamKey(
                id: index + 1,
                upstreamId: index < 4 ? 2 : 1,
                upstream: index < 4 ? "openai" : "miniai",
                name: "key-\(index + 1)",
                maskedValue: "sk-…\(1000 + index)",
                source: .file
            )
            (key.state, key.reason) = (entry.state, entry.reason)
            key.until = entry.seconds.map { time(-$0) }
            key.inFlight = index == 0 ? 3 : 0
            key.lastUsedAt = time(index * 100)
            key.lastError = index == 0 ? "status 503" : nil
            if index == 1 {
                (key.source, key.enableQuota, key.quotaTotal, key.quotaUsed) = (.database, true, 500, 430)
                key.quotaPeriod = .day
            }
            return key
        }
    }
}

extension ConsoleDriver {
    /// A console that has been answered everything it asked for.
    mutating func fill() {
        answer(.charts(Fixture.charts(state.dashboard.window), state.dashboard.request(state.filter.text)))
        answer(.live(Fixture.live()))
        answer(.recent(Fixture.records(50).reversed(), filter: state.filter.text))
        answer(
            .logs(
                LogPage(
                    records: Fixture.records(200).reversed(),
                    filter: state.filter.text,
                    cursor: "1"
                )
            )
        )
        var top = StatsItem(name: "app", requests: 1204, errors: 3, latencyAvgMs: 400)
        top.bytesIn = 1
        let errors = StatsItem(name: "rate_limited", requests: 20, errors: 20, latencyAvgMs: 1)
        answer(
            .stats(
                [.clientKey: [top], .owner: [top], .upstream: [top], .error: [errors]],
                filter: state.filter.text
            )
        )
        answer(.pool(Fixture.pool()))
        answer(.keys(Fixture.keys(), isComplete: true))
        answer(.upstreams(Fixture.upstreams()))
        answer(.rules(Fixture.rules()))
        answer(.headers(Fixture.headers()))
        answer(.channels(Fixture.channels()))
        answer(.tasks(Fixture.tasks()))
        answer(.notifications(Fixture.notifications()))
        answer(.usage([1: KeyUsage(today: 1204, parts: [1, 2, 2, 5, 7, 6, 3, 2])]))
        answer(.status(Fixture.status()))
        answer(
            .operators([OperatorPresence(name: "ops", role: .admin, via: "socket", since: Fixture.time(600))])
        )
        answer(.changes(Fixture.changes()))
        _ = takeEffects()
    }
}
