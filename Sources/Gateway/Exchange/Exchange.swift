import NIOCore
import Operations
import Synchronization

/// Carries one exchange out on its event loop: events go to the state machine, its actions are done here.
///
/// It lives between one caller's connection and at most one upstream connection, both on the same loop, and
/// ends exactly once, in `finish`.
final class Exchange {
    // What each event of a stream needs stands first and together.
    let caller: CallerConnection
    var attempt: UpstreamConnection?
    /// Of the attempt that is under way, or was the last: the one that was asked for, or one that stands in for it.
    var upstream: UpstreamEntry
    var machine: ExchangeStateMachine
    /// The upstream connection decodes an answer straight into it.
    var answer: AnswerRelay

    let request: ExchangeRequest
    unowned let worker: Worker
    var times: ExchangeTimes
    var outcome = ExchangeOutcome()
    var key: UpstreamKeyEntry?
    private(set) var requestBody: AnswerCapture
    var liveIndex = -1
    /// Whether the journal holds the start of this exchange.
    var isJournaled = false
    var attempts: Attempts
    var deadlineIndex = -1
    private(set) var held = ByteBuffer()
    private(set) var requestIsSent = false
    /// Whether members of a JSON body are judged or removed, so that it must read the same to everybody.
    private let bodyDecides: Bool
    /// What limits and quota have counted, to be settled at the end.
    var admission: LimiterState.Admitted

    init(_ request: ExchangeRequest, caller: CallerConnection, worker: Worker, at now: NIODeadline) {
        self.request = request
        admission = request.admission
        self.caller = caller
        self.worker = worker
        times = ExchangeTimes(received: now)
        let settings = worker.snapshot.configuration
        upstream = request.upstream
        // Whoever may stand in may have to edit the body, too.
        let mayEdit =
            request.upstream.editsBody
            || request.upstream.definition.fallbacks.contains {
                worker.snapshot.upstreams[$0]?.editsBody ?? false
            }
        bodyDecides = mayEdit || !request.clientKey.permissions.models.isEmpty
        machine = ExchangeStateMachine(
            limits: ExchangeStateMachine.BodyLimits(
                total: settings.limits.maxBodyBytes,
                buffered: settings.limits.bufferBodyBytes,
                mustHold: bodyDecides
            )
        )
        let captured = settings.audit.bodies && settings.audit.mode != .off ? settings.audit.maxBodyBytes : 0
        requestBody = AnswerCapture(limit: captured)
        answer = AnswerRelay(captureLimit: captured)
        attempts = Attempts(
            budget: RepeatBudget(request.upstream.definition.retry, from: request.receivedAt)
        )
    }

    var isFinished: Bool { machine.isFinished }

    /// Whether the body was whole before the attempt began, and so is in the start record.
    var sentWholeBody: Bool { machine.bodyMode == .buffered }

    /// What is kept of a body that arrived after the start was written.
    var lateBodySize: Int { sentWholeBody ? 0 : requestBody.kept }

    // MARK: The caller's events

    /// The head was read; the body follows unless its framing says that there is none.
    func begin() {
        switch request.admitted.framing {
        case .length(let length): perform(machine.bodyDeclared(length: length))
        case .none, .chunked, .untilClose: break
        }
        if !isFinished, request.admitted.expectsContinue, request.admitted.framing != .none {
            caller.sendContinue()
        }
    }

    func bodyArrived(_ piece: ByteBuffer) {
        outcome.bytesIn += piece.readableBytes
        let action = machine.bodyArrived(bytes: piece.readableBytes)
        requestBody.append(piece, isLast: false)
        switch action {
        case .hold: hold(piece)
        case .startStreaming:
            hold(piece)
            startStreaming()
        case .passOn: passOn(piece)
        case .sendWhole, .refuse, .cut, .ignore: perform(action)
        }
    }

    func bodyEnded() {
        times.bodyComplete = .now()
        switch machine.bodyEnded() {
        case .sendWhole: sendWhole()
        case .passOn:
            requestIsSent = true
            if let attempt, callerChunksUpstream { attempt.sendMore(ByteBuffer(string: "0\r\n\r\n")) }
        case .hold, .startStreaming, .refuse, .cut, .ignore: break
        }
    }

    func callerLeft() {
        guard machine.callerLeft() else { return }
        outcome.error = "caller_gone"
        finish()
    }

    func callerWritabilityChanged(isWritable: Bool) {
        attempt?.setReading(isWritable)
    }

    /// An operator, a drain or a bound of ours ends the exchange.
    func end(with refusal: Refusal) {
        perform(machine.failed(refusal), of: refusal)
    }

    private func perform(_ action: ExchangeStateMachine.BodyAction) {
        switch action {
        case .refuse(let refusal): refuse(refusal)
        case .cut: cut(as: .bodyTooLarge)
        case .startStreaming: startStreaming()
        case .hold, .sendWhole, .passOn, .ignore: break
        }
    }

    /// A body that is too long to be held: how long it is in all is known beforehand, if at all, by its head.
    private func startStreaming() {
        var length = held.readableBytes
        if case .length(let declared) = request.admitted.framing { length = max(length, declared) }
        do throws(Refusal) {
            try reserveTokens(held, length: length)
        } catch {
            end(with: error)
            return
        }
        startAttempt()
    }

    private func hold(_ piece: ByteBuffer) {
        if held.readableBytes == 0 {
            held = piece
        } else {
            held.writeImmutableBuffer(piece)
        }
    }

    // MARK: The attempt

    private var callerChunksUpstream: Bool {
        request.admitted.framing == .chunked
    }

    private func sendWhole() {
        let bytes = held
        if request.admitted.framing != .none {
            outcome.model = bytes.withUnsafeReadableBytes { body in
                JSONFields.model(in: body).map { $0.withUnsafeBytes(Redaction.textWithoutClientKeys) }
            }
        }
        guard !isDecisiveJSON || bytes.withUnsafeReadableBytes(JSONFields.isUnambiguous) else {
            let message = "The JSON body is not one whole object with plain, distinct keys."
            end(with: Refusal(.badRequest, message))
            return
        }
        guard request.clientKey.permissions.allowsModel(outcome.model) else {
            let message = "This API key may not use the model."
            end(with: Refusal(.permissionDenied, message, parameter: "model"))
            return
        }
        do throws(Refusal) {
            try reserveTokens(bytes, length: bytes.readableBytes)
        } catch {
            end(with: error)
            return
        }
        startAttempt()
    }

    private var isDecisiveJSON: Bool {
        guard bodyDecides, held.readableBytes > 0 else { return false }
        let type = request.head.message.first(.contentType).map { request.head.message.text($0).lowercased() }
        return type?.contains("json") ?? true || held.withUnsafeReadableBytes(JSONFields.mayBeObject)
    }

    func attemptReady(_ connection: UpstreamConnection) {
        guard !isFinished else {
            connection.cancel()
            return
        }
        attempt = connection
        let now = NIODeadline.now()
        times.attemptSent = now
        attempts.wasSent = true
        outcome.wasSent = true
        let deadline = now + TimeAmount(upstream.definition.timeouts.firstByte)
        connection.send(requestBytes(), firstByteBy: deadline)
        held = machine.bodyMode == .buffered ? held : ByteBuffer()
        if machine.bodyMode == .buffered { requestIsSent = true }
        if machine.bodyMode == .streamed, requestIsSent, callerChunksUpstream {
            connection.sendMore(ByteBuffer(string: "0\r\n\r\n"))
        }
        caller.setReading(connection.isWritable)
    }

    private func requestBytes() -> ByteBuffer {
        var body = held
        var framing = request.admitted.framing
        if machine.bodyMode == .buffered, framing != .none {
            body = edited(body)
            framing = .length(body.readableBytes)
        }
        var buffer = ByteBufferAllocator().buffer(
            capacity: 1024 + min(body.readableBytes, AnswerRelay.copyLimit)
        )
        RequestWriter(
            request: request,
            upstream: upstream,
            key: key,
            headerLines: attempts.headerLines
        ).write(framing: framing, to: &buffer)
        if framing == .chunked {
            if body.readableBytes > 0 { buffer.writeChunk(body) }
        } else {
            buffer.writeImmutableBuffer(body)
        }
        return buffer
    }

    private func edited(_ body: ByteBuffer) -> ByteBuffer {
        guard upstream.editsBody else { return body }
        let addition = key?.definition.location == .body ? key.map { ($0.paramName, $0.injection) } : nil
        return BodyEditor.edit(body, removing: upstream.strippedBodyFields, adding: addition) ?? body
    }

    private func passOn(_ piece: ByteBuffer) {
        guard let attempt else {
            hold(piece)
            caller.setReading(false)
            return
        }
        if callerChunksUpstream {
            var buffer = ByteBufferAllocator().buffer(
                capacity: piece.readableBytes + ByteBuffer.chunkPrefix + 2
            )
            buffer.writeChunk(piece)
            attempt.sendMore(buffer)
        } else {
            attempt.sendMore(piece)
        }
        if !attempt.isWritable { caller.setReading(false) }
    }

    func attemptWritabilityChanged(isWritable: Bool) {
        caller.setReading(isWritable)
    }

    // MARK: The answer

    func answerHead(_ head: ResponseHead, at now: NIODeadline) {
        times.answerBegan = now
        outcome.upstreamStatus = head.status
        answer.accept(head)
        let isEventStream = head.isEventStream && head.message.first(.contentEncoding) == nil
        let isJudged = isJudged(head, isEventStream: isEventStream)
        switch machine.headArrived(isJudged: isJudged, isEventStream: isEventStream) {
        case .relay:
            // Whatever becomes of the answer, the key has been accepted.
            attempts.wentWell()
            proveKey()
            relay(head, isEventStream: isEventStream)
        case .hold: hold(HeldAnswer(head: head, isEventStream: isEventStream))
        case .ignore: break
        }
    }

    func relay(_ head: ResponseHead, isEventStream: Bool) {
        outcome.isStream = head.isStream
        answer.begin(head, isEventStream: isEventStream, minorVersion: request.head.minorVersion)
        writeHead(head, at: .now())
    }

    private func writeHead(_ head: ResponseHead, at now: NIODeadline) {
        outcome.status = head.status
        outcome.overheadMicroseconds = times.overhead(at: .now())
        if answer.framing == .untilClose { caller.closeAfterAnswer() }
        let facts = AnswerWriter.Facts(
            requestID: request.requestID,
            attempts: outcome.attempts,
            overheadMicroseconds: outcome.overheadMicroseconds,
            framing: answer.announcedFraming(of: head),
            limits: request.admission.figures,
            connection: caller.connectionHeader
        )
        AnswerWriter.write(head, facts, to: &answer.outbound)
        caller.writeCrossOriginHeaders(to: &answer.outbound)
        answer.outbound.write("\r\n")
        times.headPassedOn = now
    }

    /// The data that was decoded into `answer` after its `beginPiece` is there.
    func endPiece(from start: Int, isLast: Bool, at now: NIODeadline) {
        answer.endPiece(from: start, isLast: isLast, at: now)
        pass(answer.takeOutbound(), isLast: isLast)
    }

    /// Passes whole chunks on as they came, one read as one write without a copy.
    ///
    /// - Returns: false when they must be decoded instead.
    func answerChunks(_ chunks: ByteBuffer, at now: NIODeadline) -> Bool {
        guard case .answering = machine.state, answer.mayPass(chunks) else { return false }
        // They leave before anything is noted of them: a burst of events waits for each one's turn.
        passOn(answered: chunks)
        answer.note(chunks: chunks, at: now)
        return true
    }

    /// Data of an answer that is not re-framed: passed on by reference when it is large.
    func answerPiece(_ piece: ByteBuffer, isLast: Bool, at now: NIODeadline) {
        if attempts.held != nil {
            hold(piece, isLast: isLast)
            return
        }
        if answer.framing == .chunked || piece.readableBytes <= AnswerRelay.copyLimit {
            let start = answer.beginPiece(capacity: piece.readableBytes)
            answer.outbound.writeImmutableBuffer(piece)
            endPiece(from: start, isLast: isLast, at: now)
            return
        }
        answer.note(piece, isLast: isLast, at: now)
        let isPassedOn = if case .answering = machine.state { true } else { false }
        if isPassedOn, answer.outbound.readableBytes > 0 { caller.write(answer.takeOutbound()) }
        pass(isPassedOn ? piece : ByteBuffer(), isLast: isLast)
    }

    /// A head that came without any of its body is passed on at once.
    func flushAnswer() {
        if answer.outbound.readableBytes > 0 { pass(answer.takeOutbound(), isLast: false) }
    }

    private func pass(_ buffer: ByteBuffer, isLast: Bool) {
        if attempts.held != nil {
            hold(buffer, isLast: isLast)
            return
        }
        if isLast {
            endAnswer(writing: buffer)
            return
        }
        if case .answering = machine.state { passOn(answered: buffer) }
    }

    private func passOn(answered buffer: ByteBuffer) {
        caller.writeAndFlush(buffer)
        if !caller.isWritable { attempt?.setReading(false) }
    }

    private func endAnswer(writing buffer: ByteBuffer) {
        attempt = nil
        switch machine.answerEnded() {
        case .complete:
            // The record is in the journal before the bytes that complete the answer leave.
            finish()
            caller.writeAndFlush(buffer)
            caller.exchangeEnded(answer.framing == .untilClose ? .close : .complete)
        // What is held is judged by `hold`.
        case .judge, .ignore: break
        }
    }

    // MARK: The end

    /// Every path ends here, once: the attempt is dropped and the record is written.
    func finish() {
        times.finished = .now()
        outcome.usage = answer.usage
        settleQuota()
        endLastAttempt()
        attempt?.cancel()
        attempt = nil
        if let own = outcome.ownBytes {
            outcome.bytesOut = own
        } else if outcome.status == outcome.upstreamStatus {
            outcome.bytesOut = answer.stream.bytes
        }
        worker.recorder.end(self, on: worker.loop)
        worker.remove(self)
    }
}
