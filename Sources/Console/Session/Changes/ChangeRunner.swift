import Operations

/// Makes a change and says how to take it back.
struct ChangeRunner {
    let port: any GatewayPort
    let user: Operator

    func run(_ change: ConsoleChange) async -> ChangeOutcome {
        do {
            let newest = change.auditedObject == nil ? nil : try await newestChange()
            var outcome = try await outcome(of: change)
            if let newest { outcome.undo = await takeBack(change, since: newest) }
            if case .takeBack(let lines, let what, let made) = change, case .partly = outcome.result {
                outcome.undo = .takeBack(await stillStanding(lines), what: what, of: made)
            }
            return outcome
        } catch {
            let refusal = error as? OperationsError ?? OperationsError(.internalError, "\(error)")
            return ChangeOutcome(change: change, result: .refused(refusal))
        }
    }

    private func outcome(of change: ConsoleChange) async throws -> ChangeOutcome {
        switch change {
        case .header(let edit):
            let (result, rule) = try await perform(edit)
            return ChangeOutcome(change: change, result: result, header: rule)
        case .takeBack(_, _, .header(.change(let rule, _))):
            let result = try await perform(change)
            return ChangeOutcome(
                change: change,
                result: result,
                header: try await port.headerRule(rule.id, by: user)
            )
        default: return ChangeOutcome(change: change, result: try await perform(change))
        }
    }

    /// Of several that were to be taken back, those of which one was refused.
    private func stillStanding(_ lines: [Int]) async -> [Int] {
        let limit = min(1000, lines.count * 2 + 20)
        // Where that cannot be asked all are tried again; what is over is refused.
        guard let page = try? await port.operatorChanges(limit: limit, cursor: nil, by: user) else {
            return lines
        }
        let over = Set(page.items.filter { $0.undoneBy != nil }.map(\.id))
        return lines.filter { !over.contains($0) }
    }

    private func newestChange() async throws -> Int {
        try await port.operatorChanges(limit: 1, cursor: nil, by: user).items.first?.id ?? 0
    }

    /// What takes a change back: the lines that it has left in the operators' audit, newest first.
    private func takeBack(_ change: ConsoleChange, since newest: Int) async -> ConsoleChange? {
        var lines: [OperatorChange] = []
        do {
            let me = try await port.me(by: user)
            var cursor: String?
            repeat {
                let page = try await port.operatorChanges(limit: 50, cursor: cursor, by: user)
                let new = page.items.prefix { $0.id > newest }
                lines += new.filter { line in
                    line.undoable && change.made(line) && line.operator == me.name && line.via == me.via
                }
                cursor = new.count == page.items.count ? page.nextCursor : nil
            } while cursor != nil
        } catch {
            // The change stands all the same, and the list of changes is there to take it back.
            return nil
        }
        guard !lines.isEmpty else { return nil }
        // Of very many the first cannot be taken back any more.
        let isWhole = lines.count >= change.touched.count
        let what = isWhole ? change.object : "\(lines.count) of \(change.object)"
        return .takeBack(lines.map(\.id), what: what, of: change)
    }

    private func perform(_ change: ConsoleChange) async throws -> ChangeOutcome.Result {
        switch change {
        case .createKey(let fields):
            var draft = ClientKeyDraft(name: fields.name, owner: fields.owner)
            draft.expiresAt = fields.expiresAt
            draft.permissions = fields.permissions
            draft.limits = fields.limits.change
            draft.quota = fields.quota?.change
            draft.notes = fields.notes
            return .created(try await port.createClientKey(draft, by: user))
        case .editKey(let id, _, let version, let fields): return try await edit(id, version, fields)
        case .setEnabled(let ids, _, let isOn):
            var update = ClientKeyChange()
            update.enabled = .set(isOn)
            let prepared = update
            let (done, failure) = await each(ids) {
                _ = try await port.changeClientKey($0, prepared, ifVersion: nil, by: user)
            }
            return try result(isOn ? "enabled" : "disabled", change, done, of: ids.count, failure)
        case .rotate(let id, _, let overlap):
            return .created(try await port.rotateClientKey(id, overlap: overlap, by: user))
        case .revoke(let ids, _):
            let (done, failure) = await each(ids) { _ = try await port.revokeClientKey($0, by: user) }
            return try result("revoked", change, done, of: ids.count, failure)
        case .delete(let ids, _):
            let (done, failure) = await each(ids) {
                try await port.deleteClientKey($0, ifVersion: nil, by: user)
            }
            return try result("deleted", change, done, of: ids.count, failure)
        case .cut(let ids, _):
            var ended = 0
            let (done, failure) = await each(ids) { id in
                do {
                    try await port.cutExchange(id, by: user)
                } catch let error as OperationsError where error.code == .notFound && ids.count > 1 {
                    ended += 1
                }
            }
            let note = ended > 0 ? "; \(ended) had ended by themselves" : ""
            guard failure == nil else {
                return try result("cut off", change, done, of: ids.count, failure)
            }
            return .done("cut off \(change.object)\(note)")
        case .pool(let edit): return try await perform(edit)
        case .upstream(let edit): return try await perform(edit)
        case .rule(let edit): return try await perform(edit)
        case .header(let edit): return try await perform(edit).result
        case .alert(let edit): return try await perform(edit)
        case .reload:
            try await port.reload(by: user)
            return .done("the configuration has been read again")
        case .rotateMasterKey:
            let made = try await port.rotateMasterKey(to: nil, by: user)
            let count = made.upstreamKeys + made.notificationChannels
            let before = made.previousFile.map { "; backups of before need \($0)" } ?? ""
            return .done("\(count) values are sealed anew\(before)")
        case .purge(let id, let name):
            let result = try await port.purgeLog(ofClientKey: id, by: user)
            let more = result.inFlight > 0 ? "; \(result.inFlight) of it run now and will be in the log" : ""
            return .done("erased \(result.records) records and \(result.bodies) bodies of “\(name)”\(more)")
        case .takeBack(let lines, _, _):
            let (done, failure) = await each(lines) { _ = try await port.undo(change: $0, by: user) }
            return try result("took back what was done to", change, done, of: lines.count, failure)
        }
    }

    /// How many were done, in order, before one was refused.
    func each(
        _ ids: [Int],
        _ work: (Int) async throws -> Void
    ) async -> (done: Int, failure: (any Error)?) {
        for (index, id) in ids.enumerated() {
            do { try await work(id) } catch { return (index, error) }
        }
        return (ids.count, nil)
    }

    func result(
        _ verb: String,
        _ change: ConsoleChange,
        _ done: Int,
        of count: Int,
        _ failure: (any Error)?
    ) throws -> ChangeOutcome.Result {
        guard let failure else { return .done("\(verb) \(change.object)") }
        if done == 0 { throw failure }
        return .partly("\(verb) \(done) of \(count), then: \(PortFeed.reason(failure))")
    }

    private func edit(
        _ id: Int,
        _ version: Int,
        _ fields: ClientKeyDraftFields
    ) async throws -> ChangeOutcome.Result {
        var update = ClientKeyChange()
        update.name = .set(fields.name)
        update.owner = .set(fields.owner)
        update.expiresAt = fields.expiresAt.map { .set($0) } ?? .clear
        update.permissions = .set(PermissionsChange(fields.permissions))
        update.limits = .set(fields.limits.change)
        update.quota = fields.quota.map { .set($0.change) } ?? .clear
        update.notes = .set(fields.notes)
        let after = try await port.changeClientKey(id, update, ifVersion: version, by: user)
        return .done("saved “\(after.name)”")
    }
}
