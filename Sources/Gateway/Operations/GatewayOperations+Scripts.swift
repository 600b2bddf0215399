package import Operations

extension GatewayOperations {
    package func testScript(_ test: ScriptTest, by user: Operator) async throws -> ScriptTestResult {
        try user.require(.operator)
        try ScriptChecks.check(test.script)
        let longest = gateway.scripts.settings.timeout
        var limit = longest
        if let milliseconds = test.timeoutMs {
            guard (1...longest.milliseconds).contains(milliseconds) else {
                let range = "must be from 1 to \(longest.milliseconds), the configured limit"
                throw OperationsError(.invalid, range, parameter: "timeout_ms")
            }
            limit = .milliseconds(milliseconds)
        }
        let draft = test.context ?? ScriptContextDraft()
        let context = draft.context(now: Timestamp(microseconds: WallClock.now().microseconds))
        let outcome = await gateway.scripts.run(
            test.language,
            test.script,
            context: try JSONForm.text(context),
            limit: limit
        )
        return ScriptTestResult(outcome)
    }
}

/// What may be a script at all.
enum ScriptChecks {
    static func check(_ script: String, parameter: String = "script") throws(OperationsError) {
        let refuse = { OperationsError(.invalid, $0, parameter: parameter) }
        let text = script.utf8
        if text.allSatisfy({ $0 <= 0x20 }) { throw refuse("is empty") }
        if text.count > ScriptTest.sizeLimit {
            throw refuse("has \(text.count) bytes; a script can have \(ScriptTest.sizeLimit)")
        }
        if text.contains(0) { throw refuse("holds a NUL character") }
    }
}

extension ScriptTestResult {
    fileprivate init(_ outcome: ScriptOutcome) {
        var (result, fault): (String?, Fault?)
        switch outcome.end {
        case .value(let value):
            result = value
            // It is to be the value of a header.
            fault = HeaderRuleChecks.fault(ofValue: value).map { Fault(message: "the value \($0)") }
        case .failed(let message, let line, let column):
            fault = Fault(message: message, line: line > 0 ? line : nil, column: column > 0 ? column : nil)
        case .timedOut, .tooMuchMemory, .crashed, .refused:
            fault = Fault(message: outcome.failure ?? "the script failed")
        }
        self.init(
            result: result,
            error: fault,
            output: outcome.output,
            durationMs: Double(outcome.microseconds) / 1000,
            memoryBytes: outcome.residentBytes
        )
    }
}
