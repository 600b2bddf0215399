/// The languages in which a header's value can be computed.
package enum ScriptLanguage: String, Codable, Sendable, CaseIterable {
    /// The body of a function: `return …`.
    case javascript
    /// Statements that set `result`.
    case python
}

/// What a script knows of the request at hand; never a secret.
package struct ScriptContext: Codable, Sendable, Equatable {
    package var method: String
    package var path: String
    package var query: String
    /// The client key's name and its owner.
    package var clientKey: String
    package var owner: String
    package var upstream: String
    /// From 1.
    package var attempt: Int
    /// RFC 3339, UTC.
    package var time: Timestamp

    package init(
        method: String = "POST",
        path: String = "/v1/chat/completions",
        query: String = "",
        clientKey: String = "team-a",
        owner: String = "app",
        upstream: String = "openai",
        attempt: Int = 1,
        time: Timestamp
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.clientKey = clientKey
        self.owner = owner
        self.upstream = upstream
        self.attempt = attempt
        self.time = time
    }
}

/// Parts of a context that an operator sets; the others are those of an example.
package struct ScriptContextDraft: Codable, Sendable, Equatable {
    package var method: String?
    package var path: String?
    package var query: String?
    package var clientKey: String?
    package var owner: String?
    package var upstream: String?
    package var attempt: Int?
    package var time: Timestamp?

    package init() {}

    package func context(now: Timestamp) -> ScriptContext {
        let example = ScriptContext(time: now)
        return ScriptContext(
            method: method ?? example.method,
            path: path ?? example.path,
            query: query ?? example.query,
            clientKey: clientKey ?? example.clientKey,
            owner: owner ?? example.owner,
            upstream: upstream ?? example.upstream,
            attempt: attempt ?? example.attempt,
            time: time ?? example.time
        )
    }
}

/// A script to be run once, to see what it does.
package struct ScriptTest: Codable, Sendable, Equatable {
    package static let sizeLimit = 65_536
    package static let fields = ["language", "script", "context", "timeout_ms"]

    package var language: ScriptLanguage
    package var script: String
    package var context: ScriptContextDraft?
    /// At most the configured limit; absent for that.
    package var timeoutMs: Int?

    package init(language: ScriptLanguage, script: String) {
        self.language = language
        self.script = script
    }
}

/// What came of a run.
package struct ScriptTestResult: Codable, Sendable, Equatable {
    package struct Fault: Codable, Sendable, Equatable {
        package var message: String
        /// Of the script as typed, from 1; null when unknown.
        @ShownNull package var line: Int?
        @ShownNull package var column: Int?

        package init(message: String, line: Int? = nil, column: Int? = nil) {
            self.message = message
            _line = ShownNull(wrappedValue: line)
            _column = ShownNull(wrappedValue: column)
        }
    }

    package var success: Bool
    /// The value that a header would have.
    @ShownNull package var result: String?
    @ShownNull package var error: Fault?
    /// What it has printed.
    package var output: String
    package var durationMs: Double
    /// What the worker held in memory when the run ended.
    @ShownNull package var memoryBytes: Int?

    package init(
        result: String?,
        error: Fault?,
        output: String,
        durationMs: Double,
        memoryBytes: Int?
    ) {
        success = error == nil
        _result = ShownNull(wrappedValue: result)
        _error = ShownNull(wrappedValue: error)
        self.output = output
        self.durationMs = durationMs
        _memoryBytes = ShownNull(wrappedValue: memoryBytes)
    }
}

/// A script to begin with.
package struct ScriptExample: Codable, Sendable, Equatable {
    package var name: String
    package var language: ScriptLanguage
    package var title: String
    package var script: String

    package init(name: String, language: ScriptLanguage, title: String, script: String) {
        self.name = name
        self.language = language
        self.title = title
        self.script = script
    }
}

/// Trying scripts.
package protocol ScriptOperations: Sendable {
    /// Runs a script once in the jail; a script that fails is a result, too.
    func testScript(_ test: ScriptTest, by user: Operator) async throws -> ScriptTestResult
}
