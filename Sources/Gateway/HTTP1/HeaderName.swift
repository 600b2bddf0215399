/// The header names that the gateway acts on; every other header is `other` and travels untouched.
enum HeaderName: UInt8, Sendable {
    case other
    case acceptEncoding
    case accessControlRequestHeaders
    case accessControlRequestMethod
    case altSvc
    case apiKey
    case authorization
    case connection
    case contentEncoding
    case contentLength
    case contentType
    case cookie
    case expect
    case fastgateAttempts
    case fastgateOverhead
    case host
    case keepAlive
    case origin
    case proxyAuthenticate
    case proxyAuthorization
    case proxyConnection
    case server
    case setCookie
    case te
    case trailer
    case transferEncoding
    case upgrade
    case via
    case xAPIKey
    case xForwardedFor
    case xGoogAPIKey
    case xRequestID

    /// The name of these bytes, whatever their case.
    ///
    /// The bytes must already be known to be token characters, so folding with 0x20 is safe.
    static func recognise(_ bytes: UnsafeRawBufferPointer) -> HeaderName {
        guard let first = bytes.first else { return .other }
        guard let (text, name) = candidate(length: bytes.count, first: first | 0x20, second: second(bytes))
        else {
            return .other
        }
        return ASCII.equalFolded(bytes, text) ? name : .other
    }

    private static func second(_ bytes: UnsafeRawBufferPointer) -> UInt8 {
        bytes.count > 1 ? bytes[1] | 0x20 : 0
    }

    /// The one known name that could have this length and start; the caller compares the rest.
    private static func candidate(length: Int, first: UInt8, second: UInt8) -> (StaticString, HeaderName)? {
        switch (length, first, second) {
        case (2, UInt8(ascii: "t"), _): ("te", .te)
        case (3, UInt8(ascii: "v"), _): ("via", .via)
        case (4, UInt8(ascii: "h"), _): ("host", .host)
        case (6, UInt8(ascii: "c"), _): ("cookie", .cookie)
        case (6, UInt8(ascii: "e"), _): ("expect", .expect)
        case (6, UInt8(ascii: "o"), _): ("origin", .origin)
        case (6, UInt8(ascii: "s"), _): ("server", .server)
        case (7, UInt8(ascii: "a"), UInt8(ascii: "p")): ("api-key", .apiKey)
        case (7, UInt8(ascii: "a"), _): ("alt-svc", .altSvc)
        case (7, UInt8(ascii: "t"), _): ("trailer", .trailer)
        case (7, UInt8(ascii: "u"), _): ("upgrade", .upgrade)
        case (9, UInt8(ascii: "x"), _): ("x-api-key", .xAPIKey)
        case (10, UInt8(ascii: "c"), _): ("connection", .connection)
        case (10, UInt8(ascii: "k"), _): ("keep-alive", .keepAlive)
        case (10, UInt8(ascii: "s"), _): ("set-cookie", .setCookie)
        case (12, UInt8(ascii: "c"), _): ("content-type", .contentType)
        case (12, UInt8(ascii: "x"), _): ("x-request-id", .xRequestID)
        case (13, UInt8(ascii: "a"), _): ("authorization", .authorization)
        case (14, UInt8(ascii: "c"), _): ("content-length", .contentLength)
        case (14, UInt8(ascii: "x"), _): ("x-goog-api-key", .xGoogAPIKey)
        case (15, UInt8(ascii: "a"), _): ("accept-encoding", .acceptEncoding)
        case (15, UInt8(ascii: "x"), _): ("x-forwarded-for", .xForwardedFor)
        case (16, UInt8(ascii: "c"), _): ("content-encoding", .contentEncoding)
        case (16, UInt8(ascii: "p"), _): ("proxy-connection", .proxyConnection)
        case (17, UInt8(ascii: "t"), _): ("transfer-encoding", .transferEncoding)
        case (18, UInt8(ascii: "p"), _): ("proxy-authenticate", .proxyAuthenticate)
        case (19, UInt8(ascii: "p"), _): ("proxy-authorization", .proxyAuthorization)
        case (19, UInt8(ascii: "x"), _): ("x-fastgate-attempts", .fastgateAttempts)
        case (22, UInt8(ascii: "x"), _): ("x-fastgate-overhead-us", .fastgateOverhead)
        case (29, UInt8(ascii: "a"), _): ("access-control-request-method", .accessControlRequestMethod)
        case (30, UInt8(ascii: "a"), _): ("access-control-request-headers", .accessControlRequestHeaders)
        default: nil
        }
    }
}

/// A set of known header names, tested with one shift.
struct HeaderNameSet: Sendable, ExpressibleByArrayLiteral {
    private var bits: UInt64 = 0

    init(arrayLiteral names: HeaderName...) {
        for name in names {
            insert(name)
        }
    }

    mutating func insert(_ name: HeaderName) {
        bits |= 1 << UInt64(name.rawValue)
    }

    func contains(_ name: HeaderName) -> Bool {
        bits >> UInt64(name.rawValue) & 1 == 1
    }

    func union(_ other: HeaderNameSet) -> HeaderNameSet {
        var result = self
        result.bits |= other.bits
        return result
    }

    /// Headers that speak of one connection and are never forwarded (RFC 9110 §7.6.1).
    static let hopByHop: HeaderNameSet = [
        .connection, .keepAlive, .proxyConnection, .proxyAuthenticate, .proxyAuthorization, .te, .trailer,
        .transferEncoding, .upgrade,
    ]

    /// Headers in which a client key can arrive; none of them ever reaches an upstream.
    static let credentials: HeaderNameSet = [.xAPIKey, .authorization, .apiKey, .xGoogAPIKey]
}
