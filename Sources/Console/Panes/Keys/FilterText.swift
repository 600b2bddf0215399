/// Filters that the console makes itself.
enum FilterText {
    /// Exactly one client key, whatever stands in its name.
    static func client(_ name: String) -> String {
        "client=\"\(name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
    }
}
