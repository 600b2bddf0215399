import Operations
import Testing

@testable import Gateway

@Suite struct `Configuration loader` {
    private func load(
        _ text: String,
        environment: [String: String] = [:]
    ) throws(ConfigurationFaults) -> LoadedConfiguration {
        try ConfigurationLoader.load(
            text: text,
            file: "/etc/fastgate/fastgate.yaml",
            environment: environment
        )
    }

    @Test func `the seeds' configuration is read whole`() throws {
        let text = """
            server:  { host: 0.0.0.0, port: 8514, workers: 0, trusted_proxies: [10.0.0.0/8] }
            cors:    { origins: ["*"], headers: ["*"], max_age: 600s }
            admin:   { host: 127.0.0.1, port: 8515, socket: data/fastgate.sock, operators: [ { group: ops, role: operator } ] }
            storage: { path: data, master_key_file: data/master.key }
            time_zone: UTC
            limits:  { max_request_line_bytes: 8192, header_timeout: 10s, keepalive_requests: 0 }
            audit:   { mode: normal, bodies: true, max_body_bytes: 65536, retain_rows: 90d, retain_bodies: 7d, max_disk: 10gb }
            metrics: { public: false }
            upstreams:
              - slug: miniai
                base_url: http://172.16.99.32:1030/miniai
                strip_headers: [host, x-api-key, authorization, x-forwarded-for]
                keys: [ { name: real, value: "${MINIAI_KEY}", location: header, param_name: Authorization, value_prefix: "Bearer " } ]
            """
        let configuration = try load(text, environment: ["MINIAI_KEY": "sk-1"]).configuration
        #expect(configuration.storage.path == "/etc/fastgate/data")
        #expect(configuration.audit.maxDisk == ByteCount(10 << 30))
        #expect(configuration.audit.retainRows == .seconds(90 * 86_400))
        let upstream = try #require(configuration.upstreams.first)
        #expect(upstream.definition.baseURL.authority == "172.16.99.32:1030")
        #expect(upstream.definition.baseURL.path == "/miniai")
        #expect(upstream.keys.first?.value == Secret("sk-1"))
        #expect("\(upstream.keys)".contains("sk-1") == false)
    }

    @Test func `an empty file is a configuration of defaults`() throws {
        #expect(try load("").configuration.server.port == 8514)
    }

    @Test(
        arguments: [
            // (text, line, column, part of the message)
            ("serverr: {}", 1, 1, "did you mean server?"),
            ("server: { port: 99999 }", 1, 17, "from 0 to 65535"),
            ("server: { port: abc }", 1, 17, "a whole number"),
            ("server: [1]", 1, 9, "a mapping"),
            ("server:\n  host: a\n  host: b", 3, 3, "stands twice"),
            ("limits:\n  header_timeout: 10", 2, 19, "a duration"),
            ("limits: { max_headers: 0 }", 1, 24, "from 1 to 1000"),
            ("audit: { max_disk: 10xb }", 1, 20, "a size"),
            ("audit: { max_disk: 10 }", 1, 20, "at least 8mb"),
            ("audit: { max_disk: 8388607 }", 1, 20, "at least 8mb"),
            ("audit: { mode: loud }", 1, 16, "normal, strict, off"),
            ("audit: { bodies: maybe }", 1, 18, "true or false"),
            ("time_zone: Mars/Olympus", 1, 12, "not a time zone"),
            ("server: { trusted_proxies: [10.0.0.0/99] }", 1, 28, "not an address"),
            ("server: { tls: { certificate: /nope } }", 1, 16, "needs both"),
            ("admin: { host: 0.0.0.0 }", 1, 16, "loopback"),
            ("admin: { operators: [ { role: viewer } ] }", 1, 23, "a user or a group"),
            ("upstreams: {}", 1, 12, "must be a list"),
            ("upstreams:\n  - base_url: http://a", 2, 5, "is required"),
            ("upstreams:\n  - slug: A B\n    base_url: http://a", 2, 11, "a-z, 0-9"),
            ("upstreams:\n  - slug: a\n    base_url: ftp://a", 3, 15, "http://"),
            ("upstreams:\n  - slug: a\n    base_url: http://u@a", 3, 15, "may not hold a user"),
            ("upstreams:\n  - slug: a\n    base_url: http://169.254.169.254", 3, 15, "metadata"),
            (
                "upstreams:\n  - { slug: a, base_url: \"http://a\" }\n  - { slug: a, base_url: \"http://b\" }",
                3, 13, "another upstream"
            ),
            (
                "upstreams:\n  - slug: a\n    base_url: http://a\n    keys: [ { name: k, value: \"${NOPE}\" } ]",
                4, 31, "NOPE, which is not set"
            ),
            (
                "upstreams:\n  - slug: a\n    base_url: http://a\n    keys: [ { name: k, value: \"a\\nb\" } ]",
                4, 31, "control character"
            ),
            (
                "upstreams:\n  - slug: a\n    base_url: http://a\n    keys: [ { name: k, value: \"file:/nope/x\" } ]",
                4, 31, "cannot read"
            ),
            (
                "upstreams:\n  - slug: a\n    base_url: http://a\n    keys: [ { name: k, value: v, param_name: Host } ]",
                4, 31, "reserved"
            ),
            ("a: [1, 2", 2, 1, ""), ("\tserver: {}", 1, 1, ""), ("server: \"unclosed", 1, 18, ""),
        ]
    )
    func `a fault is told with its line and column`(text: String, line: Int, column: Int, message: String) {
        do throws(ConfigurationFaults) {
            _ = try load(text)
            Issue.record("accepted: \(text)")
        } catch {
            let fault = error.faults.first
            #expect(fault?.line == line, "\(error)")
            #expect(fault?.column == column, "\(error)")
            #expect(error.description.contains(message), "\(error)")
        }
    }

    @Test func `every fault of a file is told at once`() {
        do throws(ConfigurationFaults) {
            _ = try load("server: { port: x }\naudit: { mode: y }\nnope: 1")
            Issue.record("accepted")
        } catch {
            #expect(error.faults.map(\.line) == [1, 2, 3])
        }
    }

    @Test(
        arguments: [
            ("${A}", "1"), ("x${A}y${B}z", "x1y2z"), ("${C:-d}", "d"), ("${A:-d}", "1"), ("${E:-d}", "d"),
            ("$A", "$A"),
            ("${E}", ""),
        ]
    )
    func `variables are replaced`(text: String, expected: String) throws {
        let environment = ["A": "1", "B": "2", "E": ""]
        #expect(try VariableExpansion.expand(text, environment: environment) == expected)
    }

    @Test(arguments: ["${", "${}", "${1A}", "${A B}", "${NOPE}"])
    func `a variable that does not hold is a fault`(text: String) {
        #expect(throws: ConfigurationError.self) { try VariableExpansion.expand(text, environment: [:]) }
    }
}
