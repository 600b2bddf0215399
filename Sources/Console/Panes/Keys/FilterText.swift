/// Filters that the console makes itself.
enum FilterText {
    /// Exactly one client key, whatever stands in its name.
    static func client(_ name: String) -> String {
        "client=\(quoted(name))"
    }

    static func upstream(_ slug: String) -> String { "upstream=\(quoted(slug))" }

    static func upstreamKey(_ name: String) -> String { "ukey=\(quoted(name))" }

    private static func quoted(_ name: String) -> String {
        "\"\(name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
