import Foundation
import Synchronization

/// A provider's key in all the forms in which an answer may repeat it: as it is, escaped for a URL or for JSON, in
/// base64 wherever it stands in a longer text, and in hexadecimal digits.
///
/// A pool may have thousands: the forms are worked out when an answer is first looked at.
final class SecretForms: Sendable {
    /// What is shorter would be found in every other text.
    private static let shortest = 8

    /// The key itself.
    let plain: [UInt8]
    private let forms = Mutex<[[UInt8]]?>(nil)

    init(_ secret: String) {
        plain = Array(secret.utf8)
    }

    /// Covers it in place, also where a copy ends inside it.
    func cover(in body: UnsafeMutableRawBufferPointer) {
        guard body.count >= Self.shortest, plain.count >= Self.shortest else { return }
        let forms = forms.withLock { known in
            if let known { return known }
            let made = Self.make(plain)
            known = made
            return made
        }
        for form in forms {
            form.withUnsafeBytes { Redaction.cover($0, in: body, atLeast: Self.shortest) }
        }
    }

    private static func make(_ plain: [UInt8]) -> [[UInt8]] {
        var forms = [plain]
        func add(_ form: [UInt8]) {
            if form.count >= shortest, !forms.contains(form) { forms.append(form) }
        }
        let text = String(decoding: plain, as: UTF8.self)
        let quoted = Array(JSONText.quote(text).dropFirst().dropLast())
        add(quoted)
        add(quoted.flatMap { $0 == UInt8(ascii: "/") ? [UInt8(ascii: "\\"), $0] : [$0] })
        // As encoders do that write JSON for HTML, and some that write no other.
        for letters in ["&<>", "&<>='", "&<>='+/"] { add(unicodeEscapes(quoted, Array(letters.utf8))) }
        let escaped = PercentEncoding.encode(text)
        add(escaped)
        add(lowerEscapes(escaped))
        add(Array(String(decoding: escaped, as: UTF8.self).replacing("%2F", with: "/").utf8))
        add(Array(entities(text).utf8))
        for place in 0..<3 {
            let encoded = base64(plain, at: place)
            add(encoded)
            add(encoded.map { $0 == UInt8(ascii: "+") ? 0x2D : $0 == UInt8(ascii: "/") ? 0x5F : $0 })
        }
        for digits in ["0123456789abcdef", "0123456789ABCDEF"].map({ Array($0.utf8) }) {
            add(plain.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        }
        return forms
    }

    /// `\u0026` for `&`.
    private static func unicodeEscapes(_ quoted: [UInt8], _ letters: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return quoted.flatMap { byte in
            letters.contains(byte)
                ? Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]] : [byte]
        }
    }

    private static func entities(_ text: String) -> String {
        [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")].reduce(text) {
            $0.replacing($1.0, with: $1.1)
        }
    }

    /// `%2b` for `%2B`.
    private static func lowerEscapes(_ escaped: [UInt8]) -> [UInt8] {
        var left = 0
        return escaped.map { byte in
            if byte == UInt8(ascii: "%") {
                left = 2
                return byte
            }
            guard left > 0 else { return byte }
            left -= 1
            return ASCII.lowercased(byte)
        }
    }

    /// What stands in base64 of a text in which so many bytes, or three more of them, come before the secret: only the
    /// digits that those around it do not change.
    private static func base64(_ secret: [UInt8], at place: Int) -> [UInt8] {
        let whole = Array(Data(Array(repeating: 0, count: place) + secret).base64EncodedString().utf8)
        let first = (place * 8 + 5) / 6
        return Array(whole[first..<((place + secret.count) * 8 / 6)])
    }
}
