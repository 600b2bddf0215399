#if canImport(Glibc)
import Glibc
#endif

/// Plain lines on the standard streams, written at once; what others wrote reaches the terminal as text only.
enum Output {
    static func line(_ text: String) {
        write(safe(text) + "\n", to: STDOUT_FILENO)
    }

    /// For programs: exactly as it is.
    static func json(_ text: String) {
        write(text + "\n", to: STDOUT_FILENO)
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

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // A reader that has gone away (`| head`) is no fault of ours, and there is nobody left to tell.
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
