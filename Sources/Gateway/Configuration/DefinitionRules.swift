import Operations

/// What a name or value must look like, for the file and for operators alike.
enum DefinitionRules {
    static let slugRule = "must be 1 to 64 of a-z, 0-9, - and _, beginning with a letter or digit"

    static let attempts = 1...20
    static let weights = 1...1000
    static let priorities = 0...1000
    static let rests = Duration.seconds(1)...Duration.seconds(90 * 86_400)

    static let probeIntervals = Duration.seconds(1)...Duration.seconds(86_400)
    static let probePathRule = "must begin with / and hold no space, at most 1024 bytes"

    static func isProbePath(_ text: String) -> Bool {
        text.hasPrefix("/") && text.utf8.count <= 1024 && text.utf8.allSatisfy(ASCII.isTarget)
            && !text.contains("#")
    }

    static func isSlug(_ text: String) -> Bool {
        guard let first = text.utf8.first, (1...64).contains(text.utf8.count) else { return false }
        let isAllowed = text.utf8.allSatisfy {
            $0 >= 0x61 && $0 <= 0x7A || ASCII.isDigit($0) || $0 == UInt8(ascii: "-")
                || $0 == UInt8(ascii: "_")
        }
        return isAllowed && first != UInt8(ascii: "-") && first != UInt8(ascii: "_")
    }

    /// What is wrong with a list of upstreams that stand in for one, in words.
    static func fault(inFallbacks slugs: [String], of slug: String) -> String? {
        if slugs.contains(slug) { return "\(slug) cannot stand in for itself" }
        if Set(slugs).count < slugs.count { return "names an upstream twice" }
        if slugs.count > 8 { return "holds more than 8 upstreams" }
        return slugs.first { !isSlug($0) }.map { "\($0) \(slugRule)" }
    }

    static func isHeaderName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 256 && text.utf8.allSatisfy(ASCII.isToken)
    }

    /// An injected header must not be able to reframe, reroute or impersonate.
    static func check(_ key: UpstreamKeyDefinition, value: Secret) throws(ConfigurationError) {
        guard !value.value.isEmpty else { throw ConfigurationError("must not be empty") }
        guard value.value.utf8.count <= 16_384 else { throw ConfigurationError("is longer than 16384 bytes") }
        let text = key.valuePrefix + value.value
        guard text.utf8.allSatisfy(ASCII.isFieldText) else {
            throw ConfigurationError("holds a control character")
        }
        switch key.location {
        case .header:
            guard isHeaderName(key.paramName) else {
                throw ConfigurationError("param_name is not a header name")
            }
            let name = key.paramName.lowercased().utf8.withContiguousStorageIfAvailable {
                HeaderName.recognise(UnsafeRawBufferPointer($0))
            }
            let reserved = HeaderNameSet.hopByHop.union([.host, .contentLength, .expect])
            if let name, reserved.contains(name) {
                throw ConfigurationError("param_name \(key.paramName) is reserved")
            }
        case .query, .body:
            guard !key.paramName.isEmpty, key.paramName.utf8.count <= 256,
                key.paramName.utf8.allSatisfy(ASCII.isFieldText)
            else { throw ConfigurationError("param_name is empty or not plain text") }
        }
    }
}
