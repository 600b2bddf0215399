/// What the script at hand has printed, up to a limit; a worker has one thread and one script at a time.
enum ScriptOutput {
    static let limit = 65_536

    nonisolated(unsafe) private static var lines: [UInt8] = []

    static func begin() {
        lines.removeAll(keepingCapacity: true)
    }

    static func print(_ text: String) {
        guard lines.count < limit else { return }
        lines += text.utf8
        lines.append(UInt8(ascii: "\n"))
        if lines.count > limit { lines = Array(lines[..<limit]) + Array("\n… and more\n".utf8) }
    }

    static func take() -> String {
        String(decoding: lines, as: UTF8.self)
    }
}
