import CCurl
import Foundation
import Synchronization

/// libcurl on a thread of its own: many transfers at once, none of which any other thread waits for.
///
/// `@unchecked`: `multi` is used by the thread alone, but for its wake-up, which libcurl allows from any thread.
final class CurlTransport: @unchecked Sendable {
    private struct Waiting: Sendable {
        let request: CurlRequest
        let completion: CurlTransfer.Completion
    }

    private struct State {
        var waiting: [Waiting] = []
        var isStopping = false
    }

    /// A thread that has nothing to do looks up so seldom, in milliseconds.
    private static let idleWait: Int32 = 60_000
    private static let busyWait: Int32 = 1000
    /// More messages at once are told to come again.
    private static let waitingLimit = 256

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private let multi: UnsafeMutableRawPointer
    private let state = Mutex(State())

    /// - Throws: `SystemError` when libcurl cannot be begun.
    init() throws {
        guard Self.isReady, let multi = curl_multi_init() else {
            throw SystemError("libcurl cannot be begun", code: ENOMEM)
        }
        self.multi = multi
        let thread = Thread { [self] in work() }
        thread.name = "notifications"
        thread.start()
    }

    /// Hands a message over.
    func perform(_ request: CurlRequest) async -> Result<CurlAnswer, CurlFailure> {
        await withCheckedContinuation { continuation in
            let waiting = Waiting(request: request) { continuation.resume(returning: $0) }
            let refusal: String? = state.withLock { state in
                if state.isStopping { return "the gateway is ending" }
                guard state.waiting.count < Self.waitingLimit else { return "too many messages at once" }
                state.waiting.append(waiting)
                // With the lock: the thread does not give the handle back in between.
                curl_multi_wakeup(multi)
                return nil
            }
            if let refusal {
                waiting.completion(.failure(CurlFailure(isDenied: false, status: 0, message: refusal)))
            }
        }
    }

    /// Cuts off what is under way, and ends the thread; nothing else may be handed over.
    func stop() {
        state.withLock { state in
            if !state.isStopping { curl_multi_wakeup(multi) }
            state.isStopping = true
        }
    }

    // MARK: The thread

    private func work() {
        var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]
        while true {
            let (new, isStopping) = state.withLock { state in
                defer { state.waiting = [] }
                return (state.waiting, state.isStopping)
            }
            for waiting in new { add(waiting, to: &transfers) }
            if isStopping { break }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finish(&transfers)
            curl_multi_poll(multi, nil, 0, transfers.isEmpty ? Self.idleWait : Self.busyWait, nil)
        }
        for transfer in transfers.values {
            curl_multi_remove_handle(multi, transfer.handle)
            transfer.fail("the gateway is ending")
        }
        transfers = [:]
        curl_multi_cleanup(multi)
    }

    private func add(_ waiting: Waiting, to transfers: inout [UnsafeMutableRawPointer: CurlTransfer]) {
        guard let transfer = CurlTransfer(waiting.request, waiting.completion) else {
            let failure = CurlFailure(isDenied: false, status: 0, message: "there is no memory for it")
            return waiting.completion(.failure(failure))
        }
        transfer.prepare()
        let code = curl_multi_add_handle(multi, transfer.handle)
        guard code == CURLM_OK else {
            return transfer.fail(String(cString: curl_multi_strerror(code)))
        }
        transfers[transfer.handle] = transfer
    }

    private func finish(_ transfers: inout [UnsafeMutableRawPointer: CurlTransfer]) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            var code = CURLE_OK
            guard let handle = ccurl_done(message, &code), let transfer = transfers[handle] else { continue }
            curl_multi_remove_handle(multi, handle)
            transfers[handle] = nil
            transfer.end(code)
        }
    }
}
