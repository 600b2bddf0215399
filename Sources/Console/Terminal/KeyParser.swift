/// Turns the bytes of a terminal into keys, pastes, clicks and changes of focus.
///
/// Sans I/O. An own parser rather than ncurses' because that one waits inside a call, knows neither pastes nor
/// focus, and names keys after the terminal's database, which is missing on many servers. Sequences of VT, xterm,
/// rxvt and the Linux console are read alike; what is not known is dropped whole, never typed.
struct KeyParser {
    /// A paste may not grow without end; the rest is dropped.
    static let pasteLimit = 1 << 20
    /// The longest sequence that is waited for; longer ones are garbage.
    private static let sequenceLimit = 64

    private var bytes: [UInt8] = []
    private var paste: [UInt8]?

    /// Whether a lone Esc may be waiting for the rest of a sequence.
    var isWaiting: Bool { !bytes.isEmpty && paste == nil }

    mutating func feed(_ new: some Sequence<UInt8>) -> [TerminalEvent] {
        var events: [TerminalEvent] = []
        // Alt with a letter arrives in one piece. What comes after an Esc that has been waiting is a key of its own,
        // unless it is the rest of a sequence that the network has cut in two.
        if bytes == [0x1B], paste == nil, let first = new.first(where: { _ in true }),
            !Self.openers.contains(first)
        {
            bytes = []
            events.append(.key(.escape))
        }
        bytes += new
        while !bytes.isEmpty {
            if paste != nil {
                guard let event = takePaste() else { break }
                events.append(event)
                continue
            }
            guard let (event, length) = next() else { break }
            bytes.removeFirst(length)
            if let event { events.append(event) }
        }
        return events
    }

    /// Time has passed: what waits is what it is.
    mutating func flush() -> [TerminalEvent] {
        guard paste == nil, let first = bytes.first else { return [] }
        defer { bytes = [] }
        guard first == 0x1B else { return [] }
        var events: [TerminalEvent] = [.key(.escape)]
        if bytes.count > 1, bytes[1] == 0x5B || bytes[1] == 0x4F {
            events = bytes.count == 2 ? [.key(Key("alt-\(bytes[1] == 0x5B ? "[" : "o")"))] : []
        }
        return events
    }

    // MARK: One event

    /// The first event and its length, nil when more bytes are needed.
    private mutating func next() -> (TerminalEvent?, Int)? {
        let first = bytes[0]
        if first == 0x1B { return escape() }
        if first < 0x20 || first == 0x7F { return (control(first).map(TerminalEvent.key), 1) }
        return character()
    }

    private func control(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x09: .tab
        case 0x0D, 0x0A: .enter
        case 0x08, 0x7F: .backspace
        case 0x00: Key("ctrl-space")
        case 1...26: Key("ctrl-\(Character(UnicodeScalar(byte + 0x60)))")
        default: nil
        }
    }

    private func character() -> (TerminalEvent?, Int)? {
        let first = bytes[0]
        let length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0
        guard length > 0 else { return (nil, 1) }
        guard bytes.count >= length else {
            return bytes.dropFirst().allSatisfy { $0 >> 6 == 2 } ? nil : (nil, 1)
        }
        let text = String(decoding: bytes[0..<length], as: UTF8.self)
        guard text.unicodeScalars.count == 1, text != "\u{FFFD}" else { return (nil, 1) }
        // One byte of the upper control block is no text.
        guard let scalar = text.unicodeScalars.first, scalar.value >= 0xA0 || scalar.value < 0x80 else {
            return (nil, length)
        }
        return (.key(text == " " ? .space : Key(text)), length)
    }

    private mutating func escape() -> (TerminalEvent?, Int)? {
        guard bytes.count > 1 else { return nil }
        switch bytes[1] {
        case 0x5B: return control()
        case 0x4F:
            guard bytes.count > 2 else { return nil }
            return (Self.letters[bytes[2]].map { .key(Key($0)) }, 3)
        case 0x1B: return (.key(.escape), 1)
        // Strings that a terminal answers with (OSC, DCS, APC, PM), up to their end.
        case 0x5D, 0x50, 0x5F, 0x5E: return string()
        case 0x20..<0x7F:
            let letter = Character(UnicodeScalar(bytes[1]))
            return (.key(Key("alt-\(letter.lowercased())")), 2)
        default: return (.key(.escape), 1)
        }
    }

    private func string() -> (TerminalEvent?, Int)? {
        for index in 2..<max(2, bytes.count) {
            if bytes[index] == 0x07 { return (nil, index + 1) }
            if bytes[index] == 0x1B, index + 1 < bytes.count, bytes[index + 1] == 0x5C {
                return (nil, index + 2)
            }
        }
        return bytes.count > 4096 ? (nil, bytes.count) : nil
    }

    /// A control sequence: `ESC [`, parameters, intermediates, and a final byte.
    private mutating func control() -> (TerminalEvent?, Int)? {
        // The Linux console's function keys: `ESC [ [ A`.
        if bytes.count > 2, bytes[2] == 0x5B {
            guard bytes.count > 3 else { return nil }
            let number = Int(bytes[3]) - 0x40
            return ((1...5).contains(number) ? .key(Key("f\(number)")) : nil, 4)
        }
        guard let end = bytes.dropFirst(2).firstIndex(where: { $0 >= 0x40 && $0 < 0x7F }) else {
            return bytes.count > Self.sequenceLimit ? (nil, bytes.count) : nil
        }
        let parameters = bytes[2..<end]
        let length = end + 1
        if parameters.first == 0x3C { return (mouse(parameters.dropFirst(), final: bytes[end]), length) }
        // Mouse reports of old terminals: three more bytes.
        if bytes[end] == 0x4D, parameters.isEmpty {
            guard bytes.count >= length + 3 else { return nil }
            return (nil, length + 3)
        }
        if parameters.first == 0x3F { return (nil, length) }
        let numbers = Self.numbers(parameters)
        if bytes[end] == 0x7E, numbers.first == 200 {
            paste = []
            return (nil, length)
        }
        return (Self.event(final: bytes[end], numbers), length)
    }

    /// What may follow an Esc in a sequence: CSI, SS3, OSC, DCS, APC, PM.
    private static let openers: Set<UInt8> = [0x5B, 0x4F, 0x5D, 0x50, 0x5F, 0x5E]

    /// Small ones, whatever was sent: nothing that a terminal means is larger, and arithmetic on them must not end
    /// the process.
    private static func numbers(_ parameters: ArraySlice<UInt8>) -> [Int] {
        String(decoding: parameters, as: UTF8.self).split(separator: ";", omittingEmptySubsequences: false)
            .map { min(max(Int($0) ?? 0, 0), 9999) }
    }

    private static let letters: [UInt8: String] = [
        0x41: "up", 0x42: "down", 0x43: "right", 0x44: "left", 0x48: "home", 0x46: "end", 0x50: "f1",
        0x51: "f2",
        0x52: "f3", 0x53: "f4", 0x4D: "enter", 0x5A: "shift-tab",
    ]

    private static let numbered: [Int: String] = [
        1: "home", 2: "insert", 3: "delete", 4: "end", 5: "pgup", 6: "pgdn", 7: "home", 8: "end", 11: "f1",
        12: "f2", 13: "f3", 14: "f4", 15: "f5", 17: "f6", 18: "f7", 19: "f8", 20: "f9", 21: "f10", 23: "f11",
        24: "f12",
    ]

    private static func event(final: UInt8, _ numbers: [Int]) -> TerminalEvent? {
        switch final {
        case 0x49: return .focus(true)
        case 0x4F: return .focus(false)
        case 0x6E: return .answer
        default: break
        }
        guard let name = final == 0x7E ? numbered[numbers.first ?? 0] : letters[final] else { return nil }
        let modifiers = (numbers.count > 1 ? numbers[1] : 1) - 1
        let prefix =
            modifiers & 4 != 0 ? "ctrl-" : modifiers & 2 != 0 ? "alt-" : modifiers & 1 != 0 ? "shift-" : ""
        let key = Key(name.hasPrefix("shift-") ? name : prefix + name)
        return .key(Key.named.contains(key.name) ? key : Key(name))
    }

    /// SGR reports: `ESC [ < button ; column ; line M`, `m` when it is let go.
    private func mouse(_ parameters: ArraySlice<UInt8>, final: UInt8) -> TerminalEvent? {
        let numbers = Self.numbers(parameters)
        guard numbers.count == 3, final == 0x4D, numbers[1] > 0, numbers[2] > 0 else { return nil }
        let (x, y) = (numbers[1] - 1, numbers[2] - 1)
        switch numbers[0] {
        case 0: return .click(x: x, y: y)
        case 64: return .wheel(x: x, y: y, lines: -3)
        case 65: return .wheel(x: x, y: y, lines: 3)
        default: return nil
        }
    }

    // MARK: Pastes

    private static let pasteEnd: [UInt8] = [0x1B, 0x5B, 0x32, 0x30, 0x31, 0x7E]

    private mutating func takePaste() -> TerminalEvent? {
        let mark = Self.pasteEnd
        let end = bytes.indices.first { start in
            start + mark.count <= bytes.count && bytes[start..<(start + mark.count)].elementsEqual(mark)
        }
        // What may be the beginning of the mark stays until more is there.
        let ready = end ?? max(0, bytes.count - (mark.count - 1))
        let room = max(0, Self.pasteLimit - (paste?.count ?? 0))
        paste?.append(contentsOf: bytes[0..<min(ready, room)])
        bytes.removeFirst(end.map { $0 + mark.count } ?? ready)
        guard end != nil else { return nil }
        defer { paste = nil }
        return .paste(String(decoding: paste ?? [], as: UTF8.self))
    }
}
