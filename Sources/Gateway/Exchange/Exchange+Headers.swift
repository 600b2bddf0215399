import NIOCore
import Operations

/// The upstream's own headers, some of which scripts compute while the exchange waits.
extension Exchange {
    func computeHeaders() {
        let attempt = outcome.attempts
        worker.headerValues.make(
            upstream.headers,
            clientKey: request.clientKey.id,
            context: scriptContext()
        ) { result in
            // The caller may have left, or an operator may have ended it.
            guard !self.isFinished, self.outcome.attempts == attempt else { return }
            switch result {
            case .lines(let lines):
                self.attempts.headerLines = lines
                self.connect()
            case .failed(let name, let reason):
                self.outcome.detail = "header \(name): \(reason)"
                let message = "The value of the header \(name) could not be computed."
                self.end(with: Refusal(.headerScriptFailed, message))
            }
        }
    }

    /// What scripts are told of the request, as JSON; the names are those of `ScriptContext`.
    private func scriptContext() -> String {
        let message = request.head.message
        let members: [(String, String)] = [
            ("method", request.head.method.text.description),
            ("path", request.path.isEmpty ? "/" : message.text(request.path)),
            ("query", request.admitted.query.map(message.text) ?? ""),
            ("client_key", request.clientKey.name), ("owner", request.clientKey.owner),
            ("upstream", upstream.slug),
            ("time", Timestamp(microseconds: WallClock.now().microseconds).description),
        ]
        var json: [UInt8] = Array("{\"attempt\":\(outcome.attempts)".utf8)
        for (name, value) in members {
            json += Array(",\"\(name)\":".utf8) + JSONText.quote(value)
        }
        return String(decoding: json + [UInt8(ascii: "}")], as: UTF8.self)
    }
}
