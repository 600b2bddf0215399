import NIOCore

/// The ways in which an exchange ends without the upstream's whole answer.
extension Exchange {
    func perform(_ action: ExchangeStateMachine.FailureAction, of refusal: Refusal) {
        switch action {
        case .refuse(let refusal): refuse(refusal)
        case .sendErrorEvent(let refusal): sendErrorEvent(refusal)
        case .cut: cut(as: refusal.code)
        case .ignore: break
        }
    }

    func refuse(_ refusal: Refusal) {
        outcome.status = refusal.code.status
        outcome.error = refusal.code.rawValue
        var refusal = refusal
        refusal.limits = request.admission.figures
        let answer = caller.makeAnswer(refusal, requestID: request.requestID, attempts: outcome.attempts)
        outcome.ownBytes = answer.bodySize
        finish()
        caller.send(answer)
        caller.exchangeEnded(refusal.closesConnection ? .close : .complete)
    }

    /// An answer of a rule's in place of the upstream's.
    func replaceAnswer(_ made: Judgement.Answer) {
        outcome.status = made.status
        if made.status >= 400 { outcome.error = "answered_by_rule" }
        let answer = caller.makeAnswer(made, requestID: request.requestID, attempts: outcome.attempts)
        outcome.ownBytes = answer.bodySize
        finish()
        caller.send(answer)
        caller.exchangeEnded(.complete)
    }

    private func sendErrorEvent(_ refusal: Refusal) {
        outcome.error = refusal.code.rawValue
        let event = answer.takeErrorEvent(refusal, requestID: request.requestID)
        finish()
        caller.writeAndFlush(event)
        caller.exchangeEnded(.close)
    }

    func cut(as code: RefusalCode) {
        outcome.error = code.rawValue
        finish()
        caller.exchangeEnded(.reset)
    }
}
