import CLinux

#if canImport(Glibc)
import Glibc
#endif

/// One preallocated, memory-mapped file of the journal.
///
/// What is written here survives the process: the pages belong to the kernel. The blocks are allocated
/// beforehand, because a write into a sparse mapping of a full disk kills the process with SIGBUS.
///
/// Unchecked: one loop writes, one actor reads, and a record's length is published after its bytes.
final class JournalSegment: @unchecked Sendable {
    static let headerSize = 64
    static let recordHeaderSize = 8
    private static let magic: UInt32 = 0x314A_4746

    let path: String
    let size: Int
    private let memory: UnsafeMutableRawPointer

    /// Where the next record goes; the writing loop's alone.
    private(set) var writePosition = headerSize
    /// Where the next record is read; the reading actor's alone.
    var readPosition = headerSize

    /// Makes a new file, or opens one that a crash has left.
    init(path: String, size: Int, isNew: Bool) throws(SystemError) {
        let flags = isNew ? O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC : O_RDWR | O_CLOEXEC
        let descriptor = open(path, flags, 0o640)
        guard descriptor >= 0 else { throw SystemError("cannot open \(path)") }
        defer { close(descriptor) }
        if isNew {
            let code = posix_fallocate(descriptor, 0, size)
            guard code == 0 else {
                unlink(path)
                throw SystemError("cannot allocate \(path)", code: code)
            }
        }
        let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { throw SystemError("cannot map \(path)") }
        memory = mapped
        self.path = path
        self.size = size
        if isNew { begin() }
    }

    deinit {
        munmap(memory, size)
    }

    var isJournal: Bool { clinux_load_acquire_u32(memory) == Self.magic }

    /// Whether it was made, but never begun.
    var isBlank: Bool {
        UnsafeRawBufferPointer(start: memory, count: Self.headerSize + Self.recordHeaderSize).allSatisfy {
            $0 == 0
        }
    }

    /// Empties the segment for another use.
    func begin() {
        clinux_store_release_u32(memory + Self.headerSize, 0)
        clinux_store_release_u32(memory, Self.magic)
        writePosition = Self.headerSize
        readPosition = Self.headerSize
    }

    func remove() {
        unlink(path)
    }

    // MARK: Writing

    /// Room for a record of at most so many bytes, its header not counted; nil when the segment is full.
    func room(for count: Int) -> UnsafeMutableRawBufferPointer? {
        // The next record's length must also fit, as the zero that ends the segment.
        guard writePosition + Self.recordHeaderSize + count + 16 <= size else { return nil }
        return UnsafeMutableRawBufferPointer(
            start: memory + writePosition + Self.recordHeaderSize,
            count: count
        )
    }

    /// Publishes the record that was written into `room`.
    func publish(count: Int, kind: UInt32) {
        let total = (Self.recordHeaderSize + count + 7) & ~7
        clinux_store_release_u32(memory + writePosition + total, 0)
        memory.storeBytes(of: kind, toByteOffset: writePosition + 4, as: UInt32.self)
        clinux_store_release_u32(memory + writePosition, UInt32(Self.recordHeaderSize + count))
        writePosition += total
    }

    // MARK: Reading

    /// The record at `readPosition`, without stepping over it.
    func nextRecord() -> (kind: UInt32, bytes: UnsafeRawBufferPointer)? {
        guard readPosition + Self.recordHeaderSize <= size else { return nil }
        let length = Int(clinux_load_acquire_u32(memory + readPosition))
        guard length >= Self.recordHeaderSize, readPosition + length <= size else { return nil }
        let kind = memory.load(fromByteOffset: readPosition + 4, as: UInt32.self)
        let start = UnsafeRawPointer(memory + readPosition + Self.recordHeaderSize)
        return (kind, UnsafeRawBufferPointer(start: start, count: length - Self.recordHeaderSize))
    }

    func skipRecord(_ bytes: UnsafeRawBufferPointer) {
        readPosition += (Self.recordHeaderSize + bytes.count + 7) & ~7
    }
}
