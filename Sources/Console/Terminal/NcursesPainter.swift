import CLinux
import CNcurses

#if canImport(Glibc)
import Glibc
#endif

/// Turns a buffer into the bytes that change the terminal's screen into it; ncurses knows what is there and finds
/// the difference.
///
/// ncurses writes into memory, not to the terminal: it would wait for a stalled one, and this thread with it.
/// Everything here stays on one thread. ncurses' state is the process's, so there is one painter at a time.
final class NcursesPainter {
    private let memory: Int32
    private let output: UnsafeMutablePointer<FILE>
    private let input: UnsafeMutablePointer<FILE>
    private let screen: OpaquePointer
    private let hasColors: Bool
    private var shown: CellBuffer?
    private var pairs: [UInt64: Int32] = [:]
    /// What the terminal's own database offers, at most what was asked for.
    let depth: ColorDepth
    /// The name that was found in the database.
    let terminalName: String

    init?(_ capabilities: TerminalCapabilities, size: Size) {
        // ncurses counts columns by the C library, which must know that this is UTF-8.
        setlocale(LC_CTYPE, capabilities.isUTF8 ? "C.UTF-8" : "C")
        memory = clinux_memory_file()
        guard memory >= 0, let output = fdopen(memory, "w"), let input = fopen("/dev/null", "re") else {
            return nil
        }
        self.output = output
        self.input = input
        var found: (screen: OpaquePointer, name: String)?
        Self.keepingSignals {
            for name in capabilities.terminalNames where found == nil {
                found = newterm(name, output, input).map { ($0, name) }
            }
        }
        guard let found else {
            fclose(output)
            fclose(input)
            return nil
        }
        (screen, terminalName) = found
        hasColors = has_colors() && capabilities.depth != .mono
        var depth = capabilities.depth
        if hasColors {
            start_color()
            use_default_colors()
            if cncurses_colors() < 256 { depth = .ansi }
            if cncurses_colors() <= 256, depth == .truecolor { depth = .indexed }
        } else {
            depth = .mono
        }
        self.depth = depth
        resize(to: size)
        let window = cncurses_stdscr()
        leaveok(window, true)
        idlok(window, true)
        // What newterm has written supposes another size; the first frame says it again rightly.
        endwin()
        _ = takeBytes()
    }

    /// `newterm` takes signals whose disposition is the default, with handlers that end the process at once.
    private static func keepingSignals(_ work: () -> Void) {
        let taken = [SIGINT, SIGTERM, SIGTSTP, SIGWINCH]
        var ignored = sigaction()
        ignored.__sigaction_handler.sa_handler = SIG_IGN
        var before = taken.map { number in
            var old = sigaction()
            sigaction(number, &ignored, &old)
            return old
        }
        work()
        for (index, number) in taken.enumerated() {
            sigaction(number, &before[index], nil)
        }
    }

    deinit {
        delscreen(screen)
        fclose(output)
        fclose(input)
    }

    func resize(to size: Size) {
        resizeterm(Int32(size.lines), Int32(size.columns))
        repaint()
    }

    /// Forgets what the terminal shows: the next frame is sent whole.
    func repaint() {
        shown = nil
        clearok(cncurses_stdscr(), true)
    }

    /// The bytes of the way back to the shell's screen.
    func end() -> [UInt8] {
        endwin()
        return takeBytes()
    }

    func paint(_ buffer: CellBuffer, cursor: (x: Int, y: Int)?) -> [UInt8] {
        let window = cncurses_stdscr()
        for y in 0..<buffer.height where isChanged(line: y, in: buffer) {
            var line: [cchar_t] = []
            line.reserveCapacity(buffer.width)
            for x in 0..<buffer.width where buffer[x, y].width > 0 {
                line.append(cell(buffer[x, y]))
            }
            mvwadd_wchnstr(window, Int32(y), 0, line, Int32(line.count))
        }
        shown = buffer
        curs_set(cursor == nil ? 0 : 1)
        leaveok(window, cursor == nil)
        if let cursor { wmove(window, Int32(cursor.y), Int32(cursor.x)) }
        wnoutrefresh(window)
        doupdate()
        return takeBytes()
    }

    private func isChanged(line y: Int, in buffer: CellBuffer) -> Bool {
        guard let shown, shown.width == buffer.width, shown.height == buffer.height else { return true }
        let range = (y * buffer.width)..<((y + 1) * buffer.width)
        return buffer.cells[range] != shown.cells[range]
    }

    private func cell(_ cell: Cell) -> cchar_t {
        var result = cchar_t()
        let attributes = cell.style.attributes
        var flags: attr_t = 0
        if attributes.contains(.bold) { flags |= cncurses_bold() }
        if attributes.contains(.dim) { flags |= cncurses_dim() }
        if attributes.contains(.underline) { flags |= cncurses_underline() }
        if attributes.contains(.reverse) { flags |= cncurses_reverse() }
        if attributes.contains(.italic) { flags |= cncurses_italic() }
        let pair = hasColors ? pair(cell.style) : 0
        cncurses_set_cell(&result, wchar_t(cell.scalar), wchar_t(cell.mark), flags, pair)
        return result
    }

    private func pair(_ style: Style) -> Int32 {
        if style.foreground == .standard, style.background == .standard { return 0 }
        let key = UInt64(style.foreground.code) << 32 | UInt64(style.background.code)
        if let known = pairs[key] { return known }
        let pair = alloc_pair(Self.number(style.foreground), Self.number(style.background))
        pairs[key] = max(pair, 0)
        return max(pair, 0)
    }

    private static func number(_ color: Color) -> Int32 {
        if let index = color.index { return Int32(index) }
        guard let (red, green, blue) = color.components else { return -1 }
        // Direct-colour terminals keep the first eight values for their palette.
        return max(8, Int32(red << 16 | green << 8 | blue))
    }

    /// ncurses resets the terminal's palette (OSC 104) when it begins and ends; an operator may have chosen one.
    private static func withoutPaletteReset(_ bytes: [UInt8]) -> [UInt8] {
        let mark = Array("\u{1B}]104\u{07}".utf8)
        guard let range = bytes.firstRange(of: mark) else { return bytes }
        return Array(bytes[..<range.lowerBound]) + withoutPaletteReset(Array(bytes[range.upperBound...]))
    }

    /// What ncurses has written since the last call.
    private func takeBytes() -> [UInt8] {
        fflush(output)
        let count = Int(lseek(memory, 0, SEEK_CUR))
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        let copied = pread(memory, &bytes, count, 0)
        lseek(memory, 0, SEEK_SET)
        ftruncate(memory, 0)
        return Self.withoutPaletteReset(Array(bytes.prefix(max(copied, 0))))
    }
}
