import Foundation

/// A provider's key in all the forms in which an answer may repeat it: as it is, escaped for a URL or for JSON, in
/// base64 wherever it stands in a longer text, and in hexadecimal digits.
///
/// One block of memory, since a pool may have thousands: of each form its length in two bytes, and its bytes.
struct SecretForms: Sendable {
    /// What is shorter would be found in every other text.
    private static let shortest = 8
    private static let longest = Int(UInt16.max)

    private let block: [UInt8]

    init(_ secret: String) {
        let plain = Array(secret.utf8)
        var forms = [plain]
        func add(_ form: [UInt8]) {
            if form.count >= Self.shortest, form.count <= Self.longest, !forms.contains(form) {
                forms.append(form)
            }
        }
        if plain.count >= Self.shortest {
            let quoted = Array(JSONText.quote(secret).dropFirst().dropLast())
            add(quoted)
            add(quoted.flatMap { $0 == UInt8(ascii: "/") ? [UInt8(ascii: "\\"), $0] : [$0] })
            let escaped = PercentEncoding.encode(secret)
            add(escaped)
            add(Self.lowerEscapes(escaped))
            for place in 0..<3 {
                let encoded = Self.base64(plain, at: place)
                add(encoded)
                add(encoded.map { $0 == UInt8(ascii: "+") ? 0x2D : $0 == UInt8(ascii: "/") ? 0x5F : $0 })
            }
            let digits = Array("0123456789abcdef".utf8)
            add(plain.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        }
        block = forms.flatMap { [UInt8($0.count & 0xFF), UInt8($0.count >> 8 & 0xFF)] + $0 }
    }

    /// The key itself.
    var plain: [UInt8] {
        let length = Int(block[0]) | Int(block[1]) << 8
        return Array(block[2..<(2 + length)])
    }

    /// Covers it in place, also where a copy ends inside it.
    func cover(in body: UnsafeMutableRawBufferPointer) {
        guard body.count >= Self.shortest else { return }
        block.withUnsafeBytes { block in
            var place = 0
            while place < block.count {
                let length = Int(block[place]) | Int(block[place + 1]) << 8
                let form = UnsafeRawBufferPointer(rebasing: block[(place + 2)..<(place + 2 + length)])
                if length >= Self.shortest { Redaction.cover(form, in: body, atLeast: Self.shortest) }
                place += 2 + length
            }
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
