import GRDBSQLite

/// A prepared statement bound straight from memory, for the writer's hot loop.
///
/// GRDB's value layer costs more per row than SQLite itself; everything else goes through GRDB.
final class RawStatement {
    struct Failure: Error, CustomStringConvertible {
        let code: Int32
        let description: String

        /// Whether space is what is missing.
        var isFull: Bool { code & 0xFF == SQLITE_FULL }
    }

    private let handle: OpaquePointer
    private let connection: OpaquePointer
    private var column: Int32 = 0

    init(_ connection: OpaquePointer, _ sql: String) throws(Failure) {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else { throw Self.failure(code, connection) }
        self.handle = handle
        self.connection = connection
    }

    deinit {
        sqlite3_finalize(handle)
    }

    private static func failure(_ code: Int32, _ connection: OpaquePointer) -> Failure {
        Failure(code: code, description: String(cString: sqlite3_errmsg(connection)))
    }

    func bind(_ number: Int?) {
        column += 1
        if let number {
            sqlite3_bind_int64(handle, column, Int64(number))
        } else {
            sqlite3_bind_null(handle, column)
        }
    }

    /// The bytes must stay where they are until `run` has returned.
    func bindText(_ bytes: UnsafeRawBufferPointer?) {
        column += 1
        guard let bytes else {
            sqlite3_bind_null(handle, column)
            return
        }
        let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        // An empty buffer may have no address, and SQLite takes a missing address for NULL.
        guard let start else {
            sqlite3_bind_text(handle, column, "", 0, nil)
            return
        }
        sqlite3_bind_text(handle, column, start, Int32(bytes.count), nil)
    }

    /// A text that SQLite keeps for itself until `run` has returned.
    func bindCopy(_ text: String?) {
        guard var text else { return bindText(nil) }
        column += 1
        _ = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                sqlite3_bind_text(handle, column, $0.baseAddress, Int32($0.count), Self.transient)
            }
        }
    }

    /// SQLITE_TRANSIENT, which is a cast that Swift does not import.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    /// The bytes must stay where they are until `run` has returned; an empty buffer is NULL.
    func bindBlob(_ bytes: UnsafeRawBufferPointer?) {
        column += 1
        guard let bytes, !bytes.isEmpty else {
            sqlite3_bind_null(handle, column)
            return
        }
        sqlite3_bind_blob(handle, column, bytes.baseAddress, Int32(bytes.count), nil)
    }

    func run() throws(Failure) {
        let code = sqlite3_step(handle)
        column = 0
        sqlite3_reset(handle)
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw Self.failure(code, connection) }
    }
}
