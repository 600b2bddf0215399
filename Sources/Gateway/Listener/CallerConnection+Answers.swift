import NIOCore

/// Answers of ours, written whole.
extension CallerConnection {
    func writeCrossOriginHeaders(to buffer: inout ByteBuffer) {
        guard let preflight = worker.snapshot.preflight, let message = head?.message else { return }
        guard let origin = message.first(.origin) else { return }
        preflight.writeHeaders(for: origin, of: message, to: &buffer)
    }

    /// Writes an answer of ours; the caller of this ends the exchange or the connection.
    func answer(_ refusal: Refusal, requestID: String?) {
        if refusal.closesConnection { closeAfterAnswer() }
        detach()
        var buffer = ByteBuffer()
        AnswerWriter.write(refusal, ownFacts(requestID), to: &buffer)
        writeAndFlush(buffer)
    }

    /// The same for an answer that a rule has made up.
    func answer(_ answer: Judgement.Answer, requestID: String?) {
        detach()
        var buffer = ByteBuffer()
        AnswerWriter.write(answer, ownFacts(requestID), to: &buffer)
        writeAndFlush(buffer)
    }

    private func ownFacts(_ requestID: String?) -> AnswerWriter.OwnFacts {
        AnswerWriter.OwnFacts(
            requestID: requestID,
            isHead: head?.method == .head,
            connection: connectionHeader,
            extraHeaders: writeCrossOriginHeaders
        )
    }
}
