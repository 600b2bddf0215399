import NIOCore

/// Answers of ours, written whole.
extension CallerConnection {
    func writeCrossOriginHeaders(to buffer: inout ByteBuffer) {
        guard let preflight = worker.snapshot.preflight, let message = head?.message else { return }
        guard let origin = message.first(.origin) else { return }
        preflight.writeHeaders(for: origin, of: message, to: &buffer)
    }

    /// An answer of ours that is made before it is written down, since its size is, and sent after it.
    struct OwnAnswer {
        fileprivate(set) var bytes = ByteBuffer()
        fileprivate(set) var bodySize = 0
    }

    /// `attempts`: how many were made upstream before it; 0 where nothing was.
    func makeAnswer(_ refusal: Refusal, requestID: String?, attempts: Int = 0) -> OwnAnswer {
        if refusal.closesConnection { closeAfterAnswer() }
        var answer = OwnAnswer()
        answer.bodySize = AnswerWriter.write(refusal, ownFacts(requestID, attempts), to: &answer.bytes)
        return answer
    }

    /// The same for an answer that a rule has made up.
    func makeAnswer(_ made: Judgement.Answer, requestID: String?, attempts: Int) -> OwnAnswer {
        var answer = OwnAnswer()
        answer.bodySize = AnswerWriter.write(made, ownFacts(requestID, attempts), to: &answer.bytes)
        return answer
    }

    /// Sends it; the caller of this ends the exchange or the connection.
    func send(_ answer: OwnAnswer) {
        detach()
        writeAndFlush(answer.bytes)
    }

    private func ownFacts(_ requestID: String?, _ attempts: Int) -> AnswerWriter.OwnFacts {
        AnswerWriter.OwnFacts(
            requestID: requestID,
            attempts: attempts,
            isHead: head?.method == .head,
            connection: connectionHeader,
            extraHeaders: writeCrossOriginHeaders
        )
    }
}
