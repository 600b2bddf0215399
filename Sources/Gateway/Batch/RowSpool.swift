import CLinux
import Crypto
import Operations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#endif

/// Rows that wait for the rest of their file, on the disk.
///
/// In a file that nobody else can open, sealed with a key that is nowhere but here: whatever ends the process leaves
/// nothing behind.
final class RowSpool<Column: ImportColumn> {
    /// Rows go to the disk in pieces of about this size.
    private static var pieceSize: Int { 256 << 10 }

    private let descriptor: Int32
    private let key = SymmetricKey(size: .bits256)
    private var pieces: [Int] = []
    private var buffer = ByteWriter()
    private(set) var count = 0

    /// - Throws: `SystemError` where no file can be made in the folder.
    init(folder: String) throws(SystemError) {
        descriptor = clinux_open_unnamed(folder)
        guard descriptor >= 0 else { throw SystemError("cannot make a file in \(folder)") }
    }

    deinit { close(descriptor) }

    func add(_ row: ImportRow<Column>) throws {
        buffer.number(row.number)
        for text in row.all { buffer.text(text) }
        count += 1
        if buffer.bytes.count >= Self.pieceSize { try flush() }
    }

    private func flush() throws {
        guard !buffer.bytes.isEmpty else { return }
        // The place of a piece is part of its seal: none can take another's.
        let place = Data("\(pieces.count)".utf8)
        let sealed = try AES.GCM.seal(Data(buffer.bytes), using: key, authenticating: place)
        guard let bytes = sealed.combined else { throw MasterKey.SealFailure() }
        try write(bytes)
        pieces.append(bytes.count)
        buffer.bytes.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: Data) throws(SystemError) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("cannot write the rows of an import") }
            rest = rest.dropFirst(count)
        }
    }

    /// All rows, in pieces.
    func read(_ take: ([ImportRow<Column>]) throws -> Void) throws {
        try flush()
        var offset = 0
        for (index, size) in pieces.enumerated() {
            var bytes = [UInt8](repeating: 0, count: size)
            guard pread(descriptor, &bytes, size, off_t(offset)) == size else {
                throw SystemError("cannot read the rows of an import")
            }
            offset += size
            let box = try AES.GCM.SealedBox(combined: Data(bytes))
            let plain = try AES.GCM.open(box, using: key, authenticating: Data("\(index)".utf8))
            var reader = ByteReader(Array(plain))
            var rows: [ImportRow<Column>] = []
            while !reader.isAtEnd {
                let number = reader.number()
                rows.append(ImportRow(number: number, texts: Column.allCases.map { _ in reader.text() }))
            }
            try take(rows)
        }
    }
}

/// Numbers and texts one after the other.
private struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func number(_ number: Int) {
        withUnsafeBytes(of: Int64(number)) { bytes += $0 }
    }

    /// Its length, -1 for nil, then the text.
    mutating func text(_ text: String?) {
        guard let text else { return withUnsafeBytes(of: Int32(-1)) { bytes += $0 } }
        withUnsafeBytes(of: Int32(text.utf8.count)) { bytes += $0 }
        bytes += text.utf8
    }
}

private struct ByteReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func number() -> Int {
        defer { offset += 8 }
        return Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int64.self) })
    }

    mutating func text() -> String? {
        let count = Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int32.self) })
        offset += 4
        guard count >= 0 else { return nil }
        defer { offset += count }
        return String(decoding: bytes[offset..<(offset + count)], as: UTF8.self)
    }
}
