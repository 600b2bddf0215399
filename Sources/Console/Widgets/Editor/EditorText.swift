/// A place in a text: a line and how many scalars of it stand before, both from 0.
struct EditorPlace: Comparable, Sendable {
    var line: Int
    var column: Int

    static let start = EditorPlace(line: 0, column: 0)

    static func < (left: EditorPlace, right: EditorPlace) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

extension String {
    /// Letter for letter: to Swift texts are equal when they look alike.
    func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

/// Several lines of text, of which any stretch can be replaced by another.
///
/// Of scalars and not of characters: a mark that is typed behind a letter makes one character of both, and every
/// place behind it would be another one.
struct EditorText: Equatable, Sendable {
    typealias Line = [Unicode.Scalar]

    private(set) var lines: [Line]
    /// UTF-8, line ends included.
    private(set) var byteCount: Int

    init(_ text: String = "") {
        let text = Self.clean(text)
        lines = Self.lines(of: text)
        byteCount = text.utf8.count
    }

    var text: String { Self.text(of: lines[...]) }
    var end: EditorPlace { EditorPlace(line: lines.count - 1, column: lines[lines.count - 1].count) }

    /// The nearest place that there is.
    func clamped(_ place: EditorPlace) -> EditorPlace {
        let line = min(max(place.line, 0), lines.count - 1)
        return EditorPlace(line: line, column: min(max(place.column, 0), lines[line].count))
    }

    /// What stands between two places.
    func text(from start: EditorPlace, to end: EditorPlace) -> String {
        var part = lines[start.line...end.line]
        // The end first: in a single line it counts from the same beginning.
        part[end.line].removeSubrange(end.column...)
        part[start.line].removeSubrange(..<start.column)
        return Self.text(of: part)
    }

    /// Puts a text in the place of what stands between two places.
    ///
    /// - Returns: where the new text ends.
    mutating func replace(from start: EditorPlace, to end: EditorPlace, with new: String) -> EditorPlace {
        byteCount += new.utf8.count - text(from: start, to: end).utf8.count
        let after = lines[end.line][end.column...]
        var parts = Self.lines(of: new)
        parts[0] = lines[start.line][..<start.column] + parts[0]
        let last = parts.count - 1
        let place = EditorPlace(line: start.line + last, column: parts[last].count)
        parts[last] += after
        lines.replaceSubrange(start.line...end.line, with: parts)
        return place
    }

    /// Where a text ends that begins at a place.
    static func end(of text: String, from start: EditorPlace) -> EditorPlace {
        let parts = lines(of: text)
        let last = parts[parts.count - 1].count
        return EditorPlace(
            line: start.line + parts.count - 1,
            column: parts.count == 1 ? start.column + last : last
        )
    }

    private static func lines(of text: String) -> [Line] {
        text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0) }
    }

    private static func text(of lines: ArraySlice<Line>) -> String {
        var text = String.UnicodeScalarView()
        for (index, line) in lines.enumerated() {
            if index > 0 { text.append("\n") }
            text.append(contentsOf: line)
        }
        return String(text)
    }

    /// One kind of line end, and no control characters besides it and tabs: none of them can be seen.
    static func clean(_ text: String) -> String {
        var clean = String.UnicodeScalarView()
        var wasReturn = false
        for scalar in text.unicodeScalars {
            defer { wasReturn = scalar == "\r" }
            if scalar == "\n", wasReturn { continue }
            if scalar == "\r" || scalar == "\n" {
                clean.append("\n")
            } else if scalar == "\t" || scalar.value >= 0x20 && scalar.value != 0x7F {
                clean.append(scalar)
            }
        }
        return String(clean)
    }
}
