import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#endif

/// Why an attempt ended without a whole answer.
struct AttemptFailure: Error {
    enum Kind: String {
        case connect
        case tls
        case reset
        case truncated
        case protocolError = "protocol"
        case connectTimeout = "connect_timeout"
        case firstByteTimeout = "first_byte_timeout"
        case idleTimeout = "idle_timeout"
        case overloaded
    }

    let kind: Kind
    /// For the log and the audit; never for the caller, since it may name the backend.
    let detail: String

    /// Of a connection that was not made, as the system says why.
    static func connecting(_ error: any Error) -> AttemptFailure {
        let isTimeout =
            (error as? ChannelError).map { if case .connectTimeout = $0 { true } else { false } } ?? false
        return AttemptFailure(kind: isTimeout ? .connectTimeout : .connect, detail: words(error))
    }

    /// Of a connection on which no TLS came about.
    static func securing(_ error: any Error) -> AttemptFailure {
        let text = "\(error)"
        // BoringSSL's own word for it; what stands around it are places in its source.
        guard let place = text.firstRange(of: "OPENSSL_internal:") else {
            return AttemptFailure(kind: .tls, detail: text)
        }
        let name = text[place.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        return AttemptFailure(kind: .tls, detail: name.lowercased().replacing("_", with: " "))
    }

    private static func words(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)).lowercased() }
        guard let error = error as? NIOConnectionError else { return "\(error)" }
        if let first = error.connectionErrors.first {
            let more = error.connectionErrors.count - 1
            return words(first.error) + (more > 0 ? ", and so are \(more) more addresses" : "")
        }
        return (error.dnsAError ?? error.dnsAAAAError).map { words($0) } ?? "\(error.host) has no address"
    }

    var refusal: Refusal {
        switch kind {
        case .connect: Refusal(.upstreamError, "The upstream cannot be reached.")
        case .tls: Refusal(.upstreamError, "No secure connection to the upstream can be made.")
        case .reset: Refusal(.upstreamError, "The upstream closed the connection without an answer.")
        case .truncated: Refusal(.truncated, "The upstream ended its answer too early.")
        case .protocolError: Refusal(.upstreamProtocol, "The upstream's answer is not valid HTTP.")
        case .connectTimeout: Refusal(.upstreamTimeout, "Connecting to the upstream took too long.")
        case .firstByteTimeout:
            Refusal(.upstreamTimeout, "The upstream sent no first byte of an answer in time.")
        case .idleTimeout: Refusal(.upstreamTimeout, "The upstream's answer was idle for too long.")
        case .overloaded:
            Refusal(.overloaded, "Too many connections to the upstream are open.", retryAfter: 1)
        }
    }
}
