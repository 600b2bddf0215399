import Operations

/// Makes a change and says how to take it back.
struct ChangeRunner {
    let port: any GatewayPort
    let user: Operator

    func run(_ change: ConsoleChange) async -> ChangeOutcome {
        do {
            let (result, undo) = try await perform(change)
            return ChangeOutcome(change: change, result: result, undo: undo)
        } catch {
            let refusal = error as? OperationsError ?? OperationsError(.internalError, "\(error)")
            return ChangeOutcome(change: change, result: .refused(refusal), undo: nil)
        }
    }

    private func perform(_ change: ConsoleChange) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        switch change {
        case .createKey(let fields):
            var draft = ClientKeyDraft(name: fields.name, owner: fields.owner)
            draft.expiresAt = fields.expiresAt
            draft.permissions = fields.permissions
            draft.limits = fields.limits.change
            draft.quota = fields.quota?.change
            draft.notes = fields.notes
            return (.created(try await port.createClientKey(draft, by: user)), nil)
        case .editKey(let id, _, let version, let fields): return try await edit(id, version, fields)
        case .setEnabled(let ids, let names, let isOn):
            var update = ClientKeyChange()
            update.enabled = .set(isOn)
            let prepared = update
            let (done, failure) = await each(ids) {
                _ = try await port.changeClientKey($0, prepared, ifVersion: nil, by: user)
            }
            let undone = Array(names.prefix(done))
            let undo =
                done == 0 ? nil : ConsoleChange.setEnabled(ids: Array(ids.prefix(done)), names: undone, !isOn)
            return (try result(isOn ? "enabled" : "disabled", change, done, of: ids.count, failure), undo)
        case .rotate(let id, _, let overlap):
            return (.created(try await port.rotateClientKey(id, overlap: overlap, by: user)), nil)
        case .revoke(let ids, _):
            let (done, failure) = await each(ids) { _ = try await port.revokeClientKey($0, by: user) }
            return (try result("revoked", change, done, of: ids.count, failure), nil)
        case .delete(let ids, _):
            let (done, failure) = await each(ids) { try await port.deleteClientKey($0, by: user) }
            return (try result("deleted", change, done, of: ids.count, failure), nil)
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
                return (try result("cut off", change, done, of: ids.count, failure), nil)
            }
            return (.done("cut off \(change.object)\(note)"), nil)
        case .pool(let edit): return try await perform(edit)
        case .upstream(let edit): return try await perform(edit)
        case .rule(let edit): return try await perform(edit)
        case .header(let edit): return try await perform(edit)
        case .alert(let edit): return try await perform(edit)
        case .reload:
            try await port.reload(by: user)
            return (.done("the configuration has been read again"), nil)
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

    /// Makes rows again that were deleted, in the order in which they stood, so that each finds its place.
    func bringBack<Row>(
        _ rows: [Row],
        _ change: ([Row]) -> ConsoleChange,
        create: (Row) async throws -> Void
    ) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        let (done, failure) = await each(Array(rows.indices)) { try await create(rows[$0]) }
        let rest = Array(rows.dropFirst(done))
        let undo = rest.isEmpty ? nil : change(rest)
        if done == 0, let failure {
            // Nothing is lost: it can be tried again.
            return (.partly("brought none back: \(PortFeed.reason(failure))"), undo)
        }
        return (try result("brought back", change(rows), done, of: rows.count, failure), undo)
    }

    private func edit(
        _ id: Int,
        _ version: Int,
        _ fields: ClientKeyDraftFields
    ) async throws -> (ChangeOutcome.Result, ConsoleChange?) {
        let before = try await port.clientKey(id, by: user)
        var update = ClientKeyChange()
        update.name = .set(fields.name)
        update.owner = .set(fields.owner)
        update.expiresAt = fields.expiresAt.map { .set($0) } ?? .clear
        update.permissions = .set(fields.permissions)
        update.limits = .set(fields.limits.change)
        update.quota = fields.quota.map { .set($0.change) } ?? .clear
        update.notes = .set(fields.notes)
        let after = try await port.changeClientKey(id, update, ifVersion: version, by: user)
        var old = ClientKeyDraftFields()
        old.name = before.name
        old.limits = before.limits
        old.quota = before.quota?.quota
        old.owner = before.owner
        old.expiresAt = before.expiresAt
        old.permissions = before.permissions
        old.notes = before.notes
        // Only while nobody else has changed it since.
        let undo = ConsoleChange.editKey(id: id, name: after.name, version: after.version, old)
        return (.done("saved “\(after.name)”"), undo)
    }
}
