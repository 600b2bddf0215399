import HTTPTypes
import Hummingbird
import NIOCore
import Operations

/// The file that a request brings: as a form's part, or as the whole body.
enum UploadedFile {
    /// More is no list of keys.
    private static let limit = 1 << 30

    /// - Throws: `OperationsError` for a form that has no boundary.
    static func stream(_ request: Request) throws -> ByteStream {
        let contentType = request.headers[.contentType] ?? ""
        let isForm = contentType.lowercased().hasPrefix("multipart/")
        let boundary = MultipartReader.boundary(contentType)
        guard !isForm || boundary != nil else {
            throw OperationsError(.badRequest, "a form needs multipart/form-data with a boundary")
        }
        let pieces = BodyPieces(
            request.body,
            form: boundary.map { MultipartReader(boundary: $0, field: "file") },
            limit: limit
        )
        return ByteStream { try await pieces.next() }
    }

    /// A body's pieces, one after the other.
    ///
    /// `@unchecked`: a stream asks for the next piece only once it has the one before.
    private final class BodyPieces: @unchecked Sendable {
        private var iterator: RequestBody.AsyncIterator
        private var form: MultipartReader?
        private var left: Int

        init(_ body: RequestBody, form: MultipartReader?, limit: Int) {
            iterator = body.makeAsyncIterator()
            self.form = form
            left = limit
        }

        func next() async throws -> [UInt8]? {
            while let piece = try await iterator.next() {
                left -= piece.readableBytes
                guard left >= 0 else {
                    throw OperationsError(.invalid, "is larger than 1gb", parameter: "file")
                }
                let bytes = try read(piece)
                if !bytes.isEmpty { return bytes }
            }
            do throws(MultipartReader.Fault) {
                try form?.finish()
            } catch {
                throw OperationsError(.invalid, error.message, parameter: "file")
            }
            return nil
        }

        private func read(_ piece: ByteBuffer) throws -> [UInt8] {
            guard form != nil else { return Array(piece.readableBytesView) }
            do throws(MultipartReader.Fault) {
                return try form?.read(piece.readableBytesView) ?? []
            } catch {
                throw OperationsError(.invalid, error.message, parameter: "file")
            }
        }
    }
}
