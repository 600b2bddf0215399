/// What a piece of the screen means; a theme says how each looks.
enum StyleRole: String, CaseIterable, Sendable, Hashable {
    case text
    case muted
    case accent
    case heading
    case title
    case rule
    case border
    /// The ground of what floats over the panes.
    case floating
    case selection
    case marked
    case cursor
    case match
    case tab
    case tabActive = "tab_active"
    case tableHeader = "table_header"
    case key
    case hint
    case badge
    case ok
    case warning
    case error
    case info
    case input
    case inputActive = "input_active"
    case placeholder
    case button
    case buttonActive = "button_active"
    case disabled
    case axis
    case rate
    case success
    case p50
    case p95
    case p99
    case name
    case string
    case number
    case punctuation
    case keyword
    case comment
    /// A line that does not hold, and the place in it.
    case fault
    case faultPlace = "fault_place"
}
