/// Follows a `text/event-stream` as it passes, in any pieces, and changes nothing.
///
/// It counts the events that carry data (`[DONE]` not among them), knows where the last event boundary was
/// and picks up the usage that providers report in a stream's last events.
struct EventStreamScanner {
    /// A longer line is followed but not read: usage stands in short ones.
    static let lineLimit = 65_536

    private(set) var events = 0
    private(set) var usage: TokenUsage?
    private(set) var sawDone = false
    private(set) var usesEventLines = false
    private var eventHasData = false
    private var eventIsDone = false
    /// The start of a line whose end has not arrived.
    private var carry: [UInt8] = []
    private var carryIsCut = false
    private var lineIsEmpty = true
    private var lastWasCarriageReturn = false

    /// Whether the bytes so far end between two events.
    var isAtBoundary: Bool { lineIsEmpty && !eventHasData }

    mutating func scan(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        if lastWasCarriageReturn, bytes.first == ASCII.lf { start = 1 }
        lastWasCarriageReturn = bytes.last == ASCII.cr
        var lineFeed = ASCII.firstIndex(of: ASCII.lf, in: bytes, from: start)
        while start < bytes.count {
            if let found = lineFeed, found < start {
                lineFeed = ASCII.firstIndex(of: ASCII.lf, in: bytes, from: start)
            }
            guard let end = lineEnd(in: bytes, from: start, lineFeed) else {
                keep(UnsafeRawBufferPointer(rebasing: bytes[start...]))
                return
            }
            finishLine(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            let isPair = bytes[end] == ASCII.cr && end + 1 < bytes.count && bytes[end + 1] == ASCII.lf
            start = end + (isPair ? 2 : 1)
        }
    }

    /// Lines end in LF, CR LF or a lone CR; the last is looked for up to the next LF only.
    private func lineEnd(in bytes: UnsafeRawBufferPointer, from start: Int, _ lineFeed: Int?) -> Int? {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[..<(lineFeed ?? bytes.count)])
        return ASCII.firstIndex(of: ASCII.cr, in: rest, from: start) ?? lineFeed
    }

    private mutating func keep(_ part: UnsafeRawBufferPointer) {
        lineIsEmpty = lineIsEmpty && part.isEmpty
        if carry.count + part.count > Self.lineLimit {
            carryIsCut = true
            carry.append(contentsOf: part.prefix(max(0, 16 - carry.count)))
        } else {
            carry.append(contentsOf: part)
        }
    }

    private mutating func finishLine(_ end: UnsafeRawBufferPointer) {
        if carry.isEmpty && !carryIsCut {
            line(end, isCut: false)
        } else {
            keep(end)
            let whole = carry
            let isCut = carryIsCut
            carry.removeAll(keepingCapacity: true)
            carryIsCut = false
            whole.withUnsafeBytes { line($0, isCut: isCut) }
        }
        lineIsEmpty = true
    }

    private mutating func line(_ line: UnsafeRawBufferPointer, isCut: Bool) {
        guard let first = line.first else {
            if eventHasData {
                if eventIsDone { sawDone = true } else { events += 1 }
            }
            eventHasData = false
            eventIsDone = false
            return
        }
        if first == UInt8(ascii: "e"), ASCII.begins(line, with: "event:") { usesEventLines = true }
        guard first == UInt8(ascii: "d"), ASCII.begins(line, with: "data:") else { return }
        eventHasData = true
        let data = ASCII.trimmed(UnsafeRawBufferPointer(rebasing: line[5...]))
        if data.count == 6, data.elementsEqual("[DONE]".utf8) { eventIsDone = true }
        if !isCut, data.first == UInt8(ascii: "{"), let report = TokenUsage.find(in: data) {
            if usage == nil { usage = report } else { usage?.merge(report) }
        }
    }
}
