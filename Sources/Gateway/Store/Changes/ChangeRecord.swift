import Operations

/// One line of the operators' audit; `before` and `after` are JSON without secrets.
struct ChangeRecord {
    let at = WallClock.now().microseconds
    let user: Operator
    let action: String
    let object: String
    let objectID: Int?
    var before: String?
    var after: String?
    /// The line that this one takes back.
    var undoes: Int?
}
