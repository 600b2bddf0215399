import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Operations

/// Turns every error into the envelope; the one place that knows an operator's statuses.
struct ErrorAnswers: RouterMiddleware {
    typealias Context = AdminContext

    let allowed: AllowedMethods

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as OperationsError {
            return answer(error, status: Self.status(of: error.code), context)
        } catch let error as DecodingError {
            return answer(StrictBody.explain(error), status: .unprocessableContent, context)
        } catch is TooManyFailures {
            let error = OperationsError(.unauthorized, "too many wrong tokens; wait a minute")
            // The same status as for one wrong token: whoever guesses learns nothing, and waits.
            var answer = answer(error, status: .unauthorized, context)
            answer.headers[.retryAfter] = "60"
            return answer
        } catch let error as any HTTPResponseError {
            if error.status == .notFound, let methods = allowed.methods(request.uri.path) {
                let refusal = OperationsError(
                    .methodNotAllowed,
                    "this can be asked \(methods) and not \(request.method)"
                )
                var answer = answer(refusal, status: .methodNotAllowed, context)
                answer.headers[.allow] = methods
                return answer
            }
            let code: OperationsError.Code = error.status == .notFound ? .notFound : .badRequest
            let message = error.status == .notFound ? "there is nothing here" : "the request cannot be read"
            return answer(OperationsError(code, message), status: error.status, context)
        } catch is CancellationError {
            let error = OperationsError(.unavailable, "the gateway is about to end")
            return answer(error, status: Self.status(of: error.code), context)
        } catch {
            context.logger.error(
                "an operation failed",
                metadata: [
                    "path": "\(request.uri.path)", "error": "\(error)", "request_id": "adm_\(context.id)",
                ]
            )
            let message = "the operation failed; the gateway's log says why"
            return answer(OperationsError(.internalError, message), status: .internalServerError, context)
        }
    }

    private static func status(of code: OperationsError.Code) -> HTTPResponse.Status {
        switch code {
        case .badRequest: .badRequest
        case .unauthorized: .unauthorized
        case .permissionDenied: .forbidden
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .conflict, .managedByFile: .conflict
        case .preconditionFailed: .preconditionFailed
        case .invalid: .unprocessableContent
        case .unavailable: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }

    private func answer(
        _ error: OperationsError,
        status: HTTPResponse.Status,
        _ context: AdminContext
    ) -> Response {
        let envelope = ErrorEnvelope(error: .init(error, requestId: "adm_\(context.id)"))
        // Plain text fields always encode.
        let body = (try? JSONForm.data(envelope)).map(Array.init) ?? []
        var headers = HTTPFields([HTTPField(name: .contentType, value: "application/json")])
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// The error envelope: `{"error":{"message","type","param","code","request_id"}}`.
struct ErrorEnvelope: Codable {
    struct Body: Codable {
        let message: String
        let type: String
        @ShownNull var param: String?
        let code: String
        /// By which the gateway's log knows it.
        var requestId: String?

        init(_ error: OperationsError, requestId: String?) {
            self.requestId = requestId
            message = error.message
            code = error.code.rawValue
            switch error.code {
            case .unauthorized: type = "authentication_error"
            case .permissionDenied: type = "permission_error"
            case .unavailable, .internalError: type = "server_error"
            default: type = "invalid_request_error"
            }
            param = error.parameter
        }
    }

    let error: Body
}
