/// What fields of requests have to be like, by their names, as far as JSON Schema can say it.
enum FieldRules {
    private static let duration: JSONValue = "^[0-9]{1,9}(ms|s|m|h|d)$"

    private static let rules: [String: [String: JSONValue]] = [
        "name": ["minLength": .number(1), "maxLength": .number(200)],
        "slug": ["pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"],
        "base_url": ["pattern": "^https?://[^ ?#@]+$"],
        "key_value": ["minLength": .number(1), "maxLength": .number(16_384)],
        "script": ["minLength": .number(1), "maxLength": .number(65_536)],
        "interval": ["pattern": duration], "dedupe": ["pattern": duration],
        "max_cooldown": ["pattern": duration],
        "connect": ["pattern": duration], "first_byte": ["pattern": duration], "idle": ["pattern": duration],
        "max_time": ["pattern": duration],
        "from": ["pattern": "^[0-2][0-9]:[0-5][0-9]$"], "to": ["pattern": "^[0-2][0-9]:[0-5][0-9]$"],
        "webhook_url": ["pattern": "^https?://"],
        "from_email": ["pattern": "^[^@ ]+@[^@ ]+$"],
        "position": ["minimum": .number(1)], "weight": ["minimum": .number(1), "maximum": .number(1000)],
        "priority": ["minimum": .number(0), "maximum": .number(1000)],
        "cache_seconds": ["minimum": .number(0), "maximum": .number(86_400)],
        "overlap_seconds": ["minimum": .number(0), "maximum": .number(7_776_000)],
        "smtp_port": ["minimum": .number(1), "maximum": .number(65_535)],
        "max_per_minute": ["minimum": .number(1), "maximum": .number(600)],
        "max_attempts": ["minimum": .number(1), "maximum": .number(20)],
        "timeout_ms": ["minimum": .number(1)],
        "key_ids": ["minItems": .number(1), "maxItems": .number(100_000)],
    ]

    /// Answers are described as they are.
    static func narrowed(_ schema: JSONValue, _ name: String, _ direction: TypeSchema.Direction) -> JSONValue
    {
        guard direction == .request, let rule = rules[name], case .object(var fields) = schema,
            fields["enum"] == nil
        else { return schema }
        for (key, value) in rule where fits(key, fields["type"]) { fields[key] = value }
        return .object(fields)
    }

    /// A name that means a text here is a list elsewhere.
    private static func fits(_ key: String, _ type: JSONValue?) -> Bool {
        let wanted =
            switch key {
            case "minimum", "maximum": "integer"
            case "minItems", "maxItems": "array"
            default: "string"
            }
        switch type {
        case .string(let name)?: return name == wanted
        case .array(let names)?:
            return names.contains { if case .string(wanted) = $0 { true } else { false } }
        default: return false
        }
    }
}
