import Operations

/// The metrics in Prometheus's text format (version 0.0.4); labels are bounded by configuration.
struct PrometheusPage {
    let totals: Telemetry.Totals
    let status: Status
    let upstreams: [Upstream]
    let keys: [UpstreamKey]
    /// Refusals by `scope.window`.
    let limited: [String: Int]

    private static let buckets = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
    ]

    var text: String {
        var page = ""
        let slugs = Dictionary(uniqueKeysWithValues: upstreams.map { ($0.id, $0.slug) })
        page += header(
            "fastgate_requests_total",
            "counter",
            "Exchanges by status; 0 is one that got no answer."
        )
        for (code, count) in totals.statuses.sorted(by: { $0.key < $1.key }) {
            page += "fastgate_requests_total{status=\"\(code)\"} \(count)\n"
        }
        page += header("fastgate_errors_total", "counter", "Exchanges that ended with an error code.")
        for (code, count) in totals.errors.sorted(by: { $0.key < $1.key }) {
            page += "fastgate_errors_total{code=\"\(code)\"} \(count)\n"
        }
        page += header(
            "fastgate_request_duration_seconds",
            "histogram",
            "From the request's head to the answer's end."
        )
        page += histogram(
            "fastgate_request_duration_seconds",
            "",
            totals.all.latency,
            sum: totals.all.latencySum
        )
        page += header(
            "fastgate_ttft_seconds",
            "histogram",
            "From the request's head to the answer's first byte."
        )
        for (id, cell) in totals.byUpstream.sorted(by: { $0.key < $1.key }) {
            guard let slug = slugs[id] else { continue }
            page += histogram(
                "fastgate_ttft_seconds",
                "upstream=\"\(slug)\",",
                cell.timeToFirstByte,
                sum: nil
            )
        }
        page += single("fastgate_upstream_attempts_total", "counter", "Attempts sent.", totals.attempts)
        page += single(
            "fastgate_tokens_total",
            "counter",
            "Tokens that providers reported.",
            totals.all.promptTokens + totals.all.completionTokens
        )
        page += header("fastgate_rate_limited_total", "counter", "Requests that a limit has refused.")
        for (parameter, count) in limited.sorted(by: { $0.key < $1.key }) {
            let parts = parameter.split(separator: ".")
            page += "fastgate_rate_limited_total{scope=\"\(parts[0])\",window=\"\(parts[1])\"} \(count)\n"
        }
        page += header("fastgate_key_state", "gauge", "1 for the state an upstream key is in.")
        for key in keys {
            let labels =
                "upstream=\"\(key.upstream)\",key=\"\(Self.escape(key.name))\",state=\"\(key.state.rawValue)\""
            page += "fastgate_key_state{\(labels)} 1\n"
        }
        page += header("fastgate_script_runs_total", "counter", "Scripts by language and what came of them.")
        for script in status.scripts {
            for (outcome, count) in script.runs.sorted(by: { $0.key < $1.key }) {
                let labels = "language=\"\(script.language.rawValue)\",outcome=\"\(outcome)\""
                page += "fastgate_script_runs_total{\(labels)} \(count)\n"
            }
        }
        page += header("fastgate_script_workers", "gauge", "Worker processes that run scripts.")
        for script in status.scripts {
            page += "fastgate_script_workers{language=\"\(script.language.rawValue)\"} \(script.workers)\n"
        }
        return page + gauges
    }

    private var gauges: String {
        single("fastgate_in_flight", "gauge", "Exchanges that run now.", status.inFlight)
            + single("fastgate_connections", "gauge", "Callers' connections.", status.connections)
            + single(
                "fastgate_upstream_connections",
                "gauge",
                "Connections to backends, idle ones included.",
                status.upstreamConnections
            )
            + single(
                "fastgate_audit_pending",
                "gauge",
                "Exchanges in the journal, not in the database.",
                status.audit.pending
            )
            + single(
                "fastgate_audit_dropped_total",
                "counter",
                "Audit records that were lost.",
                status.audit.dropped
            )
            + single(
                "fastgate_audit_disk_bytes",
                "gauge",
                "Size of the audit's databases.",
                status.audit.diskBytes
            )
            + single("fastgate_resident_bytes", "gauge", "Resident memory.", status.residentBytes)
            + single("fastgate_open_files", "gauge", "Open file descriptors.", status.openFiles)
            + single("fastgate_uptime_seconds", "gauge", "Since the start.", status.uptimeSeconds)
    }

    private func header(_ name: String, _ type: String, _ help: String) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private func single(_ name: String, _ type: String, _ help: String, _ value: Int) -> String {
        header(name, type, help) + "\(name) \(value)\n"
    }

    private func histogram(_ name: String, _ labels: String, _ values: LatencyHistogram, sum: Int?) -> String
    {
        var text = ""
        for bound in Self.buckets {
            text += "\(name)_bucket{\(labels)le=\"\(bound)\"} \(values.count(upTo: Int(bound * 1_000_000)))\n"
        }
        text += "\(name)_bucket{\(labels)le=\"+Inf\"} \(values.count)\n"
        let plain = labels.isEmpty ? "" : "{\(labels.dropLast())}"
        let total =
            sum ?? values.buckets.reduce(0) { $0 + LatencyHistogram.middle(of: $1.index) * Int($1.count) }
        text += "\(name)_sum\(plain) \(Double(total) / 1_000_000)\n"
        return text + "\(name)_count\(plain) \(values.count)\n"
    }

    /// Backslash, quote and line end (Prometheus exposition formats, "Text-based format").
    private static func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}
