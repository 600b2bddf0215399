import Operations

/// A log record as lines to read and texts to copy.
enum RecordText {
    static func isError(_ record: LogRecord) -> Bool {
        record.error != nil || (record.status ?? 500) >= 400
    }

    /// On one line, for the clipboard.
    static func line(_ record: LogRecord, zone: Int) -> String {
        let status = record.status.map(String.init) ?? "---"
        let who = record.clientKey ?? "-"
        return "\(record.time) \(record.requestId) \(status) \(record.method) \(record.path) \(who)"
            + " \(NumberText.latency(record.latencyMs)) \(ByteText.short(record.bytesOut))\(record.error.map { " \($0)" } ?? "")"
    }

    /// What the list already knows, until the rest has come.
    static func heading(_ record: LogRecord, zone: Int) -> [TextView.Line] {
        [fact("Request", "\(record.method) \(record.path)"), TextView.Line(StyledText("loading …", .muted))]
    }

    static func lines(_ detail: LogDetail, zone: Int) -> [TextView.Line] {
        let record = detail.record
        var lines = facts(record, detail, zone)
        lines += attempts(detail) + skipped(detail, zone: zone)
        lines += part("Request headers", headers(detail.requestHeaders))
        lines += part(
            "Request body",
            body(detail.requestBody, detail.requestBodyBytes, detail.requestHeaders)
        )
        let whose = detail.passedAnswerOn ? "Response" : "Upstream's response, not passed on:"
        lines += part("\(whose) headers", headers(detail.responseHeaders))
        lines += part(
            "\(whose) body",
            body(
                detail.responseBody,
                detail.responseBodyBytes,
                detail.responseHeaders,
                detail.stream?.gaps ?? []
            )
        )
        return lines
    }

    // MARK: Parts

    private static func part(_ title: String, _ lines: [TextView.Line]) -> [TextView.Line] {
        [TextView.Line(StyledText("")), TextView.Line(StyledText(title, .heading))] + lines
    }

    private static func fact(_ name: String, _ value: String, _ role: StyleRole = .text) -> TextView.Line {
        let padding = String(repeating: " ", count: max(1, 15 - name.count))
        return TextView.Line(StyledText(name + padding, .muted).appending(value, role), copy: value)
    }

    private static func unsent(_ record: LogRecord) -> String {
        record.wasCutByCrash ? "not known: the gateway crashed" : "nothing sent"
    }

    private static func facts(_ record: LogRecord, _ detail: LogDetail, _ zone: Int) -> [TextView.Line] {
        var lines = [
            fact("Request", "\(record.method) \(record.path)\(record.query.map { "?\($0)" } ?? "")"),
            fact(
                "Answer",
                "\(record.status.map(String.init) ?? unsent(record))\(record.error.map { "  \($0)" } ?? "")",
                isError(record) ? .error : .ok
            ),
            fact(
                "Time",
                "\(TimeText.date(record.time, zone: zone)) \(TimeText.precise(record.time, zone: zone))"
            ),
            fact("Request id", record.requestId),
            fact(
                "Client",
                "\(record.clientKey ?? "–")  owner \(record.owner ?? "–")  from \(record.clientAddress)"
            ),
            fact("Upstream", "\(record.upstream ?? "–")\(record.upstreamKey.map { "  key \($0)" } ?? "")"),
            fact(
                "Took",
                "\(NumberText.latency(record.latencyMs))  first byte \(NumberText.latency(record.ttftMs))"
                    + "  of it ours \(record.overheadUs) µs"
            ),
            fact(
                "Size",
                "in \(ByteText.short(record.bytesIn))  out "
                    + (record.wasCutByCrash ? "not known" : ByteText.short(record.bytesOut))
            ),
        ]
        if let model = record.model { lines.append(fact("Model", model)) }
        if record.promptTokens != nil || record.completionTokens != nil {
            let (input, output) = (
                record.promptTokens.map(String.init), record.completionTokens.map(String.init)
            )
            lines.append(fact("Tokens", "\(input ?? "–") in  \(output ?? "–") out  \(record.usage.rawValue)"))
        }
        if record.isStream {
            let stream = detail.stream
            lines.append(
                fact(
                    "Stream",
                    "\(record.streamChunks) chunks in \(stream?.reads ?? 0) reads  first \(NumberText.latency(stream?.firstMs))"
                        + "  last \(NumberText.latency(stream?.lastMs))  longest gap \(NumberText.latency(stream?.longestGapMs))"
                )
            )
        }
        return lines
    }

    private static func skipped(_ detail: LogDetail, zone: Int) -> [TextView.Line] {
        detail.skipped.map { key in
            var text = StyledText("passed over  ", .muted).appending(key.upstreamKey, .name)
            if let reason = key.reason { text.append("  \(reason)", .warning) }
            if let until = key.until { text.append("  until \(TimeText.clock(until, zone: zone))", .muted) }
            return TextView.Line(text, copy: text.text)
        }
    }

    private static func attempts(_ detail: LogDetail) -> [TextView.Line] {
        guard !detail.attemptsDetail.isEmpty else {
            return part("Attempts", [note("none: nothing went upstream")])
        }
        return part(
            "Attempts",
            detail.attemptsDetail.flatMap { attempt -> [TextView.Line] in
                let key = "\(attempt.upstream ?? "–")/\(attempt.upstreamKey ?? "–")"
                let status = attempt.status.map(String.init) ?? "–"
                let isBad = attempt.error != nil || (attempt.status ?? 500) >= 400
                var text = StyledText("\(attempt.n)  ", .muted).appending(key, .name)
                text.append("  \(status)", isBad ? .error : .ok)
                text.append("  \(NumberText.latency(attempt.durationMs))")
                if let error = attempt.error { text.append("  \(error)", .error) }
                return [TextView.Line(text, copy: text.text)]
                    + attempt.rules.map { TextView.Line(StyledText("   rule \($0)", .muted), copy: $0) }
            }
        )
    }

    private static func note(_ text: String) -> TextView.Line {
        TextView.Line(StyledText(text, .muted))
    }

    private static func headers(_ headers: [String: String]?) -> [TextView.Line] {
        guard let headers else { return [note("not kept")] }
        guard !headers.isEmpty else { return [note("none")] }
        return headers.sorted { $0.key < $1.key }.map { name, value in
            let padding = String(repeating: " ", count: max(1, 22 - name.count))
            return TextView.Line(
                StyledText(name, .name).appending(padding).appending(value),
                copy: "\(name): \(value)"
            )
        }
    }

    private static func body(
        _ text: String?,
        _ size: Int?,
        _ headers: [String: String]?,
        _ gaps: [LogGap] = []
    ) -> [TextView.Line] {
        guard let text else { return [note("not kept")] }
        guard !text.isEmpty else { return [note("empty")] }
        let type = headers?.first { $0.key.lowercased() == "content-type" }?.value.lowercased() ?? ""
        var lines: [TextView.Line] = []
        if type.contains("event-stream") || text.hasPrefix("data:") {
            lines += transcript(text, gaps)
        } else if let pretty = PrettyJSON.lines(text) {
            lines += pretty.map { TextView.Line($0, copy: $0.text.trimmingSpaces()) }
        } else {
            lines += plain(text)
        }
        if let size, size > text.utf8.count {
            lines.append(note("… \(ByteText.short(text.utf8.count)) kept of \(ByteText.short(size))"))
        }
        return lines
    }

    private static func plain(_ text: String) -> [TextView.Line] {
        text.split(separator: "\n", omittingEmptySubsequences: false).prefix(2000).map { line in
            TextView.Line(StyledText(expandTabs(line)), copy: String(line))
        }
    }

    private static func expandTabs(_ line: Substring) -> String {
        String(line.replacing("\t", with: "    ").replacing("\r", with: ""))
    }

    /// An event's lines may end in either way.
    private static func lines(_ text: String) -> [Substring] {
        text.split { $0 == "\n" || $0 == "\r\n" }
    }

    /// The text that a stream has said, and then its events as they came.
    private static func transcript(_ text: String, _ gaps: [LogGap]) -> [TextView.Line] {
        let events = lines(text).filter { $0.hasPrefix("data:") }
            .map { String($0.dropFirst(5)).trimmingSpaces() }
        let said = events.compactMap(StreamText.delta).joined()
        var lines: [TextView.Line] = []
        if !said.isEmpty {
            lines += said.split(separator: "\n", omittingEmptySubsequences: false)
                .flatMap { Wrap.lines(String($0), width: 100) }
                .map { TextView.Line(StyledText($0, .string), copy: said) }
            lines.append(TextView.Line(StyledText("")))
        }
        return lines + plainEvents(text, gaps)
    }

    /// Each event with its number and what it adds to the text, and where it kept its reader waiting; what adds nothing
    /// stands as it came.
    private static func plainEvents(_ text: String, _ gaps: [LogGap]) -> [TextView.Line] {
        let pauses = Dictionary(gaps.map { ($0.after, $0.ms) }, uniquingKeysWith: +)
        var number = 0
        return Self.lines(text).prefix(2000).flatMap { line -> [TextView.Line] in
            guard line.hasPrefix("data:") else {
                return [TextView.Line(StyledText(expandTabs(line), .muted), copy: String(line))]
            }
            let pause = pauses[number].map { note("       \(NumberText.latency(Double($0))) later") }
            number += 1
            return [pause, event(line, number)].compactMap { $0 }
        }
    }

    private static func event(_ line: Substring, _ number: Int) -> TextView.Line {
        let data = String(line.dropFirst(5)).trimmingSpaces()
        let padding = String(repeating: " ", count: max(0, 5 - "\(number)".count))
        var shown = StyledText("\(padding)\(number)  ", .muted)
        if let delta = StreamText.delta(data), !delta.isEmpty {
            shown.append("+ ", .muted)
            shown.append(delta.replacing("\n", with: "⏎"), .string)
        } else {
            shown.append(expandTabs(data[...]))
        }
        return TextView.Line(shown, copy: String(line))
    }

    // MARK: curl

    /// The request as a command; the caller's key, which is not kept, has to be filled in.
    static func curl(_ detail: LogDetail, address: String) -> String {
        let query = detail.record.query.map { "?\($0)" } ?? ""
        var parts = [
            "curl", "-sS", "-X", detail.record.method,
            quoted("http://\(address)\(detail.record.path)\(query)"),
        ]
        let ours = ["host", "content-length", "connection", "accept-encoding", "user-agent", "accept"]
        for (name, value) in (detail.requestHeaders ?? [:]).sorted(by: { $0.key < $1.key })
        where !ours.contains(name.lowercased()) {
            let isKey = ["x-api-key", "authorization", "api-key", "x-goog-api-key"].contains(
                name.lowercased()
            )
            let shown = isKey ? name.lowercased() == "authorization" ? "Bearer $KEY" : "$KEY" : value
            parts += ["-H", isKey ? "\"\(name): \(shown)\"" : quoted("\(name): \(value)")]
        }
        if let body = detail.requestBody, !body.isEmpty { parts += ["--data-raw", quoted(body)] }
        return parts.joined(separator: " ")
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
