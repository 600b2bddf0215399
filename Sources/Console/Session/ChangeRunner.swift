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
            draft.notes = fields.notes
            return (.created(try await port.createClientKey(draft, by: user)), nil)
        case .editKey(let id, _, let version, let fields): return try await edit(id, version, fields)
        case .setEnabled(let ids, let names, let isOn):
            var update = ClientKeyChange()
            update.enabled = .set(isOn)
            for id in ids {
                _ = try await port.changeClientKey(id, update, ifVersion: nil, by: user)
            }
            let verb = isOn ? "enabled" : "disabled"
            return (.done("\(verb) \(change.object)"), .setEnabled(ids: ids, names: names, !isOn))
        case .rotate(let id, _, let overlap):
            return (.created(try await port.rotateClientKey(id, overlap: overlap, by: user)), nil)
        case .revoke(let ids, _):
            for id in ids {
                _ = try await port.revokeClientKey(id, by: user)
            }
            return (.done("revoked \(change.object)"), nil)
        case .delete(let ids, _):
            for id in ids {
                try await port.deleteClientKey(id, by: user)
            }
            return (.done("deleted \(change.object)"), nil)
        case .reload:
            try await port.reload(by: user)
            return (.done("the configuration has been read again"), nil)
        }
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
        update.notes = .set(fields.notes)
        let after = try await port.changeClientKey(id, update, ifVersion: version, by: user)
        var old = ClientKeyDraftFields()
        old.name = before.name
        old.owner = before.owner
        old.expiresAt = before.expiresAt
        old.permissions = before.permissions
        old.notes = before.notes
        // Only while nobody else has changed it since.
        let undo = ConsoleChange.editKey(id: id, name: after.name, version: after.version, old)
        return (.done("saved “\(after.name)”"), undo)
    }
}
