import CCurl

#if canImport(Glibc)
import Glibc
#endif

/// What is handed over to another machine.
struct CurlRequest: Sendable {
    enum Content: Sendable {
        /// An HTTP POST with lines such as `Content-Type: application/json`.
        case post(body: [UInt8], headers: [String])
        /// A message with its own header, whose lines end with CR LF.
        case mail(Mail)
    }

    struct Mail: Sendable {
        var from: String
        var to: [String]
        var message: [UInt8]
        var user: String?
        var password: Secret?
        /// Encrypts after a greeting in the clear, or gives up.
        var upgrades: Bool
    }

    var url: String
    var content: Content
    var guarding: AddressGuard
    /// Authorities besides or instead of the system's.
    var caFile: String?

    static let connectLimit = 5000
    /// For the whole of it, in milliseconds.
    static let timeLimit = 20_000
}

/// What the other side has answered.
struct CurlAnswer: Sendable, Equatable {
    /// Of HTTP or SMTP.
    var status: Int
    /// The beginning of it.
    var body: [UInt8]
    /// Seconds, 0 when it does not say.
    var retryAfter: Int
}

/// Why no answer came.
struct CurlFailure: Error, Equatable {
    /// The address was refused by `AddressGuard`: trying again is of no use.
    var isDenied: Bool
    /// Of SMTP: what the server refused with, 0 otherwise.
    var status: Int
    var message: String
}

/// One transfer under way; only the transport's thread touches it.
final class CurlTransfer {
    typealias Completion = @Sendable (Result<CurlAnswer, CurlFailure>) -> Void

    /// More of an answer is not looked at.
    private static let answerLimit = 4096

    let handle: UnsafeMutableRawPointer
    private let request: CurlRequest
    private let completion: Completion
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private var answer: [UInt8] = []
    private var sent = 0
    private var deniedAddress: String?
    private var hasAllowedAddress = false
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// nil when libcurl has no memory for it; nothing is completed then.
    init?(_ request: CurlRequest, _ completion: @escaping Completion) {
        guard let handle = curl_easy_init() else { return nil }
        self.handle = handle
        self.request = request
        self.completion = completion
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(handle)
        errorText.deallocate()
        for list in lists { curl_slist_free_all(list) }
    }

    // MARK: Setting up

    /// To be called once it has its place in memory.
    func prepare() {
        set(CURLOPT_URL, request.url)
        set(CURLOPT_USERAGENT, "FastGate")
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        // A proxy of the environment would connect in our place, to wherever it likes.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_CONNECTTIMEOUT_MS, CurlRequest.connectLimit)
        set(CURLOPT_TIMEOUT_MS, CurlRequest.timeLimit)
        set(CURLOPT_FORBID_REUSE, 1)
        // A name that takes long to be looked up must not hold the thread when its transfer is given up.
        set(CURLOPT_QUICK_EXIT, 1)
        // A name is looked up each time: it may lead elsewhere by now.
        set(CURLOPT_DNS_CACHE_TIMEOUT, 0)
        if let caFile = request.caFile { set(CURLOPT_CAINFO, caFile) }
        _ = ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, me)
        _ = ccurl_set_socket_function(handle) { context, _, address in
            guard let context, let address else { return ccurl_bad_socket() }
            return Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().open(address)
        }
        _ = ccurl_set_pointer(handle, CURLOPT_WRITEDATA, me)
        _ = ccurl_set_data_function(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
            Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().take(piece)
            return piece.count
        }
        switch request.content {
        case .post(let body, let headers): prepare(body, headers)
        case .mail(let mail): prepare(mail)
        }
    }

    private func prepare(_ body: [UInt8], _ headers: [String]) {
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_POST, 1)
        set(CURLOPT_POSTFIELDSIZE, body.count)
        body.withUnsafeBufferPointer { bytes in
            _ = ccurl_set_pointer(
                handle,
                CURLOPT_COPYPOSTFIELDS,
                UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            )
        }
        // Without this line curl waits for a server's leave before it sends a larger body.
        setList(CURLOPT_HTTPHEADER, headers + ["Expect:"])
    }

    private func prepare(_ mail: CurlRequest.Mail) {
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        set(CURLOPT_USE_SSL, mail.upgrades ? Int(CURLUSESSL_ALL.rawValue) : Int(CURLUSESSL_NONE.rawValue))
        set(CURLOPT_MAIL_FROM, "<\(mail.from)>")
        setList(CURLOPT_MAIL_RCPT, mail.to.map { "<\($0)>" })
        // Who has left must not keep the others from being told.
        set(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1)
        if let user = mail.user { set(CURLOPT_USERNAME, user) }
        if let password = mail.password { set(CURLOPT_PASSWORD, password.value) }
        set(CURLOPT_UPLOAD, 1)
        _ = ccurl_set_pointer(handle, CURLOPT_READDATA, Unmanaged.passUnretained(self).toOpaque())
        _ = ccurl_set_data_function(handle, CURLOPT_READFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let room = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
            return Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().give(room)
        }
    }

    private func set(_ option: CURLoption, _ value: Int) { _ = ccurl_set_long(handle, option, value) }
    private func set(_ option: CURLoption, _ value: String) { _ = ccurl_set_text(handle, option, value) }

    private func setList(_ option: CURLoption, _ values: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for value in values { list = curl_slist_append(list, value) }
        guard let list else { return }
        lists.append(list)
        _ = ccurl_set_list(handle, option, list)
    }

    // MARK: What libcurl asks

    private func open(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let family = address.pointee.family
        guard let found = Self.address(address, family),
            request.guarding.mayConnect(to: found.address, isMapped: found.isMapped)
        else {
            deniedAddress = Self.text(address, family)
            return ccurl_bad_socket()
        }
        hasAllowedAddress = true
        let type = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        return socket(family, type, address.pointee.protocol)
    }

    private static func address(
        _ pointer: UnsafeMutablePointer<curl_sockaddr>,
        _ family: Int32
    ) -> (address: IPAddress, isMapped: Bool)? {
        let start = socketAddress(pointer)
        switch family {
        case AF_INET:
            // ip(7): family and port, two bytes each, then the address.
            return (
                IPAddress(four: UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 4, as: UInt32.self))),
                false
            )
        case AF_INET6:
            // ipv6(7): family, port and flow, then the address.
            let address = IPAddress(
                high: UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                low: UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            )
            return (address, address.four != nil)
        default: return nil
        }
    }

    /// libcurl keeps a larger address behind the plain one that its header declares.
    private static func socketAddress(_ pointer: UnsafeMutablePointer<curl_sockaddr>) -> UnsafeRawPointer {
        let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 16
        return UnsafeRawPointer(pointer).advanced(by: offset)
    }

    private static func text(_ pointer: UnsafeMutablePointer<curl_sockaddr>, _ family: Int32) -> String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let address = socketAddress(pointer).assumingMemoryBound(to: sockaddr.self)
        let length = socklen_t(pointer.pointee.addrlen)
        let code = getnameinfo(address, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
        guard code == 0 else { return "an address of family \(family)" }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func take(_ piece: UnsafeRawBufferPointer) {
        answer += piece.prefix(Self.answerLimit - answer.count)
    }

    private func give(_ room: UnsafeMutableRawBufferPointer) -> Int {
        guard case .mail(let mail) = request.content else { return 0 }
        let piece = mail.message[sent...].prefix(room.count)
        room.copyBytes(from: piece)
        sent += piece.count
        return piece.count
    }

    // MARK: The end

    func end(_ code: CURLcode) {
        let status = Int(ccurl_response_code(handle))
        if code == CURLE_OK {
            let retryAfter = Int(ccurl_retry_after(handle))
            completion(.success(CurlAnswer(status: status, body: answer, retryAfter: retryAfter)))
            return
        }
        if let deniedAddress, !hasAllowedAddress {
            let message = "\(deniedAddress) is an internal address; allow it in notifications.allow_addresses"
            completion(.failure(CurlFailure(isDenied: true, status: 0, message: message)))
            return
        }
        let detail = String(cString: errorText)
        let words = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
        let message = status == 0 ? words : "answered \(status): \(words)"
        completion(.failure(CurlFailure(isDenied: false, status: status, message: message)))
    }

    func fail(_ message: String) {
        completion(.failure(CurlFailure(isDenied: false, status: 0, message: message)))
    }
}
