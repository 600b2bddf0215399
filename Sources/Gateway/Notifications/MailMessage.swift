import Crypto
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Addresses as they may stand in a mail server's commands.
enum MailAddress {
    /// One `@`, no space, no control character, nothing that means something to a server, 254 bytes at most.
    ///
    /// libcurl passes CR and LF on to the server as they are (curl #22119), so nothing here may hold one.
    static func isValid(_ text: String) -> Bool {
        guard text.utf8.count <= 254, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return false }
        guard !text.contains(where: { "<>()[],;:\\\"".contains($0) }) else { return false }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && parts[0].utf8.count <= 64 && !parts[1].isEmpty
            && !parts[1].hasPrefix(".") && !parts[1].hasSuffix(".") && !parts[1].contains("..")
    }
}

/// A message as mail servers take it (RFC 5322, RFC 2045, RFC 2047): every line ends with CR LF, and only ASCII.
enum MailMessage {
    static func bytes(
        _ text: MessageText,
        from: String,
        to: [String],
        at time: Timestamp,
        host: String,
        id: String
    ) -> [UInt8] {
        let header = [
            "From: FastGate <\(from)>",
            "To: \(to.joined(separator: ",\r\n "))",
            "Subject: \(subject(text.title))",
            "Date: \(date(time))",
            "Message-ID: <\(id)@\(host)>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
            "Auto-Submitted: auto-generated",
        ]
        let body = Data(text.body.utf8).base64EncodedString(options: [
            .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
        ])
        return Array((header.joined(separator: "\r\n") + "\r\n\r\n" + body + "\r\n").utf8)
    }

    /// Encoded words, none of which cuts a scalar in two; a line of them has at most 76 characters, its name included.
    static func subject(_ title: String) -> String {
        let line = TextLine.safe(title)
        if line.utf8.allSatisfy({ $0 < 0x7F }), line.utf8.count <= 200 { return line }
        var words: [String] = []
        var piece: [UInt8] = []
        func end() {
            if !piece.isEmpty { words.append("=?utf-8?B?\(Data(piece).base64EncodedString())?=") }
            piece = []
        }
        for scalar in line.unicodeScalars {
            let bytes = String(scalar).utf8
            // 39 bytes become 52 characters, and twelve are the frame.
            if piece.count + bytes.count > 39 { end() }
            piece += bytes
        }
        end()
        return words.joined(separator: "\r\n ")
    }

    /// `Sun, 02 Nov 2025 10:30:00 +0000`.
    static func date(_ time: Timestamp) -> String {
        let text = time.description
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = text.prefix(10).split(separator: "-")
        // 1970-01-01 was a Thursday.
        let day = days[(time.seconds / 86_400 % 7 + 7) % 7]
        let month = Int(parts[1]).map { months[$0 - 1] } ?? "Jan"
        return "\(day), \(parts[2]) \(month) \(parts[0]) \(text.dropFirst(11).prefix(8)) +0000"
    }
}
