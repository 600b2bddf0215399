import Operations

#if canImport(Glibc)
import Glibc
#endif

/// Plain lines on the standard streams, written at once; what others wrote reaches the terminal as text only.
enum Output {
    static func line(_ text: String) {
        write(safe(text) + "\n", to: STDOUT_FILENO)
    }

    /// A piece of a text, without a line end.
    static func text(_ text: String) {
        write(safe(text), to: STDOUT_FILENO)
    }

    /// For programs: exactly as it is.
    static func json(_ text: String) {
        write(text + "\n", to: STDOUT_FILENO)
    }

    /// A file that was asked for, as it is.
    static func plain(_ text: String) { bytes(Array(text.utf8)) }

    static func bytes(_ bytes: [UInt8]) { write(bytes[...], to: STDOUT_FILENO) }

    /// A piece of a file that somebody relies on.
    ///
    /// - Throws: `OperationsError` where it cannot be written, on a full disk for one.
    static func file(_ bytes: [UInt8]) throws {
        guard let code = write(bytes[...], to: STDOUT_FILENO), code != EPIPE else { return }
        throw OperationsError(.unavailable, "the file is not whole: \(String(cString: strerror(code)))")
    }

    /// What cannot be had a second time, whoever reads it.
    ///
    /// - Throws: `OperationsError` where it cannot be written, or nobody reads it any more.
    static func checked(_ bytes: [UInt8]) throws(OperationsError) {
        guard let code = write(bytes[...], to: STDOUT_FILENO) else { return }
        throw OperationsError(.unavailable, String(cString: strerror(code)))
    }

    static func errorLine(_ text: String) {
        write(safe(text) + "\n", to: STDERR_FILENO)
    }

    /// Line ends and tabs stay; every other control, bidi and invisible character is shown as its number.
    static func safe(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar != "\n" && scalar != "\t", .format, .lineSeparator,
                .paragraphSeparator, .surrogate:
                result += "<U+\(String(scalar.value, radix: 16, uppercase: true))>"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The same for a value that must not look like lines of ours.
    static func oneLine(_ text: String) -> String {
        safe(text).replacing("\n", with: "<U+A>").replacing("\t", with: "<U+9>")
    }

    private static func write(_ text: String, to descriptor: Int32) {
        write(Array(text.utf8)[...], to: descriptor)
    }

    /// - Returns: why not all of it was written.
    @discardableResult
    static func write(_ all: ArraySlice<UInt8>, to descriptor: Int32) -> Int32? {
        var bytes = all
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // A reader that has gone away (`| head`) is no fault of ours, and there is nobody left to tell.
            if count <= 0 { return errno }
            bytes = bytes.dropFirst(count)
        }
        return nil
    }
}

/// One line on a terminal that says how far long work has got; nothing where nobody watches.
final class ProgressLine: Sendable {
    private static let width = 24
    private let isShown = isatty(STDERR_FILENO) == 1

    func show(_ verb: String, _ count: Int, of total: Int, unit: String) {
        guard isShown else { return }
        let share = total > 0 ? min(1, Double(count) / Double(total)) : 0
        let filled = Int(share * Double(Self.width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        let amount = total > 0 ? "\(Int(share * 100)) %" : "\(count)"
        Output.progress("\r[\(bar)] \(verb) \(amount) \(total > 0 ? "of \(total) " : "")\(unit)   ")
    }

    func clear() {
        if isShown { Output.progress("\r\u{1B}[K") }
    }
}

extension Output {
    /// Ours alone: nothing that others wrote is in it.
    fileprivate static func progress(_ text: String) { write(text, to: STDERR_FILENO) }
}
