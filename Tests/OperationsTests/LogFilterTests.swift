import FoundationEssentials
import Operations
import Testing

@Suite struct `Log filter` {
    private func condition(
        _ field: LogFilter.Field,
        _ relation: LogFilter.Relation,
        _ value: LogFilter.Value
    ) -> LogFilter {
        .condition(LogFilter.Condition(field: field, relation: relation, value: value))
    }

    @Test func `the specification's example is read`() throws {
        let text = """
            status>=500 and upstream:miniai and (client:team-a or owner:app) and latency>2s and not path:/v1/models and "quota"
            """
        let expected: LogFilter = .and(
            .and(
                .and(
                    .and(
                        .and(
                            condition(.status, .greaterOrEqual, .number(500)),
                            condition(.upstream, .contains, .text("miniai"))
                        ),
                        .or(
                            condition(.client, .contains, .text("team-a")),
                            condition(.owner, .contains, .text("app"))
                        )
                    ),
                    condition(.latency, .greater, .microseconds(2_000_000))
                ),
                .not(condition(.path, .contains, .text("/v1/models")))
            ),
            .text("quota")
        )
        #expect(try LogFilter(parsing: text) == expected)
    }

    @Test func `a space means and, and or binds weaker`() throws {
        let parsed = try LogFilter(parsing: "a b or c")
        #expect(parsed == .or(.and(.text("a"), .text("b")), .text("c")))
    }

    @Test func `values have their units`() throws {
        #expect(try LogFilter(parsing: "status:5xx") == condition(.status, .contains, .statusClass(5)))
        #expect(try LogFilter(parsing: "bytes>64kb") == condition(.bytes, .greater, .bytes(65_536)))
        #expect(try LogFilter(parsing: "ttft<250ms") == condition(.ttft, .less, .microseconds(250_000)))
        let longest = 3_999_999_999_999_000
        #expect(
            try LogFilter(parsing: "latency>3999999999999")
                == condition(.latency, .greater, .microseconds(longest))
        )
        #expect(try LogFilter(parsing: "latency>1.5") == condition(.latency, .greater, .microseconds(1500)))
        #expect(try LogFilter(parsing: "time>-15m") == condition(.time, .greater, .fromNow(-900_000_000)))
        #expect(try LogFilter(parsing: "stream:true") == condition(.stream, .contains, .flag(true)))
        #expect(try LogFilter(parsing: "path~^/v[12]/") == condition(.path, .matches, .text("^/v[12]/")))
        #expect(try LogFilter(parsing: "owner:\"a b\"") == condition(.owner, .contains, .text("a b")))
        #expect(try LogFilter(parsing: "http://x/y") == .text("http://x/y"))
        #expect(try LogFilter(parsing: "") == .all)
        #expect(try LogFilter(parsing: "\"status>5\"") == .text("status>5"))
    }

    @Test(
        arguments: [
            ("status>>3", 8), ("nope:1", 1), ("a and", 6), ("(a", 3), ("a)", 2), ("status:", 8),
            ("latency>2parsecs", 9),
            ("a and nope=1", 7), ("\"abc", 1), ("not", 4), ("or a", 1), ("stream:perhaps", 8),
            ("time>soon", 6), ("latency>1e30", 9), ("latency>4000000000000", 9), ("latency>nan", 9),
            ("ttft<-inf", 6),
        ]
    )
    func `a fault is told with its column`(text: String, column: Int) {
        do throws(LogFilterError) {
            _ = try LogFilter(parsing: text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect(error.column == column, "\(text): \(error)")
        }
    }

    @Test func `nesting and length are limited`() {
        #expect(throws: LogFilterError.self) {
            try LogFilter(
                parsing: String(repeating: "(", count: 100) + "a" + String(repeating: ")", count: 100)
            )
        }
        #expect(throws: LogFilterError.self) { try LogFilter(parsing: String(repeating: "a", count: 2001)) }
    }

    @Test func `no text traps the parser`() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "(", ")", "and", "or", "not", " ", "\"", "status", ">=", ":", "~", "5xx", "é", "\\", "2s", "time",
            "-1m",
        ]
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            // Either result is right; reaching the next text is what is tested.
            _ = try? LogFilter(parsing: text.joined())
        }
    }
}

@Suite struct `Units and times` {
    @Test(arguments: [
        ("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("90d", 7_776_000_000),
    ])
    func `durations are read and written`(text: String, milliseconds: Int) throws {
        let duration = try #require(Duration(text: text))
        #expect(duration.milliseconds == milliseconds)
        #expect(duration.text == text)
    }

    @Test(arguments: ["", "10", "s", "-1s", "1 s", "1w", "1.5s", "99999999999999999999s"])
    func `what is no duration is refused`(text: String) {
        #expect(Duration(text: text) == nil)
    }

    @Test(arguments: [("512", 512), ("64kb", 65_536), ("10gb", 10 << 30), ("0b", 0)])
    func `sizes are read`(text: String, bytes: Int) {
        #expect(ByteCount(text: text)?.bytes == bytes)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_795_257_482_361_968, "2026-11-21T10:38:02.361Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (-1_000_000, "1969-12-31T23:59:59Z"),
        ]
    )
    func `times are written in RFC 3339`(microseconds: Int, text: String) throws {
        let time = Timestamp(microseconds: microseconds)
        #expect(time.description == text)
        #expect(try #require(Timestamp(text: text)).microseconds / 1000 == microseconds / 1000)
    }

    @Test(arguments: ["2026-11-21T10:38:02+01:00", "2026-11-21t10:38:02z"])
    func `offsets and small letters are read`(text: String) {
        #expect(Timestamp(text: text) != nil)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-13-01T00:00:00Z", "2026-11-21T25:00:00Z", "2026-11-21T10:38:02", "x",
    ])
    func `what is no time is refused`(text: String) {
        #expect(Timestamp(text: text) == nil)
    }

    @Test func `a change keeps, clears or sets`() throws {
        let keep = try JSONForm.value(ClientKeyChange.self, from: .init("{}".utf8))
        #expect(keep.owner.applied(to: "a") == "a")
        let clear = try JSONForm.value(ClientKeyChange.self, from: .init(#"{"expires_at":null}"#.utf8))
        #expect(clear.expiresAt.applied(to: Timestamp(seconds: 1)) == nil)
        #expect(!clear.expiresAt.isKept)
        let set = try JSONForm.value(ClientKeyChange.self, from: .init(#"{"owner":"b"}"#.utf8))
        #expect(set.owner.applied(to: "a") == "b")
        #expect(try JSONForm.text(set) == #"{"owner":"b"}"#)
        #expect(try JSONForm.text(clear) == #"{"expires_at":null}"#)
    }
}
