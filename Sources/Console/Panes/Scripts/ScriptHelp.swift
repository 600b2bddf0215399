import Operations

/// What a script may use, beside the editor until there is a result.
enum ScriptHelp {
    static func rows(_ language: ScriptLanguage) -> [(name: String, text: String)] {
        let context = ("context", "method path query client_key owner upstream attempt time")
        let limits = ("limits", "1 s unless set, 64 kB of source, 8,192 bytes of value")
        switch language {
        case .javascript:
            return [
                ("return", "what the function returns is the header's value"),
                context,
                ("hashes", "md5 sha1 sha256 sha512(data, form)"),
                ("signing", "hmac(algorithm, key, data, form)"),
                ("random", "crypto.randomUUID() crypto.getRandomValues(bytes)"),
                ("coding", "base64 base64url hex: encode decode; btoa atob"),
                ("forms", "hex, unless base64 base64url bytes is asked for"),
                ("look", "console.log(…) is shown here"),
                limits,
            ]
        case .python:
            return [
                ("result", "what it is set to is the header's value"),
                context,
                ("import", "base64 datetime hashlib hmac json math random re secrets string time uuid"),
                ("look", "print(…) is shown here"),
                ("not", "names with a leading underscore, files, sockets, exec, eval"),
                limits,
            ]
        }
    }
}
