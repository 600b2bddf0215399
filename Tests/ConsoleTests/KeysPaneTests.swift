import Operations
import Testing

@testable import Console

@Suite struct `Keys pane` {
    private func console(_ columns: Int = 120, _ lines: Int = 40) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines)
        console.fill()
        console.press("4")
        return console
    }

    @Test func `a form becomes a key, and the key is shown once`() {
        var console = console()
        console.press("n", "team-search", "tab", "ml", "tab", "90d", "tab", "right", "space", "ctrl-s")
        guard case .createKey(let fields) = console.takeChanges().first else {
            Issue.record("nothing was created")
            return
        }
        #expect(fields.name == "team-search")
        #expect(fields.owner == "ml")
        #expect(fields.expiresAt == ConsoleDriver.start.advanced(by: .seconds(90 * 86_400)))
        #expect(fields.permissions == ClientKeyPermissions(upstreams: ["miniai"]))
        var key = Fixture.keys()[0]
        key.key = "fg_7kq2m9xa_secret"
        console.answer(.changed(ChangeOutcome(change: .createKey(fields), result: .created(key))))
        #expect(console.text.contains("fg_7kq2m9xa_secret"))
        // A stray key does not close it; `y` copies it.
        console.press("j", "q", "y")
        #expect(console.takeEffects().contains(.copy("fg_7kq2m9xa_secret")))
        #expect(console.text.contains("copied"))
        console.press("esc")
        #expect(!console.text.contains("fg_7kq2m9xa_secret"))
    }

    @Test func `a form says what is wrong beside the field, and keeps what was typed`() {
        var console = console()
        console.press("n", "ctrl-s")
        #expect(console.text.contains("needs a name"))
        #expect(console.takeChanges().isEmpty)
        console.press("lab", "tab", "tab", "yesterday")
        #expect(console.text.contains("90d, in 3 weeks"))
        console.press("ctrl-u", "2020-01-01")
        #expect(console.text.contains("this is in the past"))
        console.press("ctrl-u", "ctrl-s")
        let change = console.takeChanges()
        #expect(change.count == 1)
        let refusal = OperationsError(.invalid, "is taken", parameter: "name")
        console.answer(.changed(ChangeOutcome(change: change[0], result: .refused(refusal))))
        #expect(console.text.contains("is taken"))
        #expect(console.text.contains("lab"))
    }

    @Test func `leaving a form asks only when something would be lost`() {
        var console = console()
        console.press("n", "esc")
        #expect(console.state.overlays.isEmpty)
        console.press("n", "x", "esc")
        #expect(console.text.contains("not saved"))
        console.press("esc")
        #expect(console.text.contains("New client key"))
        console.press("esc", "d")
        #expect(console.state.overlays.isEmpty)
    }

    @Test func `disabling is undone with u`() {
        var console = console()
        console.press("d")
        let change = console.takeChanges()
        #expect(change == [.setEnabled(ids: [1], names: ["app"], false)])
        let undo = ConsoleChange.takeBack([7], what: "“app”", of: change[0])
        console.answer(
            .changed(ChangeOutcome(change: change[0], result: .done("disabled “app”"), undo: undo))
        )
        #expect(console.footer.contains("disabled “app”  u undoes it"))
        console.press("u")
        #expect(console.takeChanges() == [undo])
        console.press("u")
        #expect(console.footer.contains("nothing to undo"))
    }

    @Test func `editing a key leaves what it may reach as it was`() {
        var console = console()
        // A key that is limited to all the upstreams there are is not one that may reach every later one.
        console.answer(.upstreams([Fixture.upstreams()[0]]))
        console.press("j", "e", "tab", "x", "ctrl-s")
        guard case .editKey(_, let name, _, let fields) = console.takeChanges().first else {
            Issue.record("nothing was saved")
            return
        }
        #expect(name == "lab")
        #expect(fields.permissions == ClientKeyPermissions(upstreams: ["miniai"], paths: ["/v1/chat/*"]))
        #expect(fields.expiresAt == Fixture.keys()[2].expiresAt)
    }

    @Test func `enabling several changes, and takes back, only those that were disabled`() {
        var console = console()
        console.press("space", "space", "space", "space", "d")
        // One of them only, so it is not asked about.
        #expect(console.takeChanges() == [.setEnabled(ids: [2], names: ["team-batch"], true)])
        #expect(console.state.overlays.isEmpty)
    }

    @Test func `a value that was not copied is asked about before it is gone`() {
        var console = console()
        var key = Fixture.keys()[0]
        key.key = "fg_7kq2m9xa_secret"
        let change = ConsoleChange.rotate(id: 1, name: "app", overlap: .zero)
        console.answer(.changed(ChangeOutcome(change: change, result: .created(key))))
        console.press("enter", "esc")
        #expect(console.text.contains("fg_7kq2m9xa_secret"))
        #expect(console.text.contains("not copied"))
        console.press("esc")
        #expect(!console.text.contains("fg_7kq2m9xa_secret"))
    }

    @Test func `an answer to another change leaves the form alone`() {
        var console = console()
        console.press("d")
        let change = console.takeChanges()[0]
        console.press("n", "lab")
        console.answer(
            .changed(ChangeOutcome(change: change, result: .refused(OperationsError(.conflict, "no"))))
        )
        console.answer(.changed(ChangeOutcome(change: change, result: .done("disabled “app”"))))
        guard case .form(let form, .newKey) = console.state.overlays.last else {
            Issue.record("the form is gone")
            return
        }
        #expect(form.text("name") == "lab")
        #expect(form.failure == nil)
    }

    @Test func `a filter on a name holds whatever is in the name`() throws {
        for name in ["a\"b", "a\\", "\" or status>0 or \"", "plain"] {
            let filter = try LogFilter(parsing: FilterText.client(name))
            #expect(filter == .condition(.init(field: .client, relation: .equal, value: .text(name))))
        }
    }

    @Test func `bulk revoking wants the number typed`() {
        var console = console()
        console.press("space", "space", "X")
        #expect(console.text.contains("2 client keys"))
        console.press("revoke", "enter")
        #expect(console.takeChanges().isEmpty)
        #expect(console.text.contains("Type exactly revoke 2"))
        console.press(" 2", "enter")
        #expect(console.takeChanges() == [.revoke(ids: [1, 3], names: ["app", "lab"])])
    }

    @Test func `the filter narrows the keys too`() {
        var console = console()
        console.press("/", "owner:ml and status>=400", "enter")
        #expect(console.state.keys.table.rows.map(\.name) == ["team-batch"])
        console.press("esc")
        #expect(console.state.keys.table.rows.count == 4)
    }

    @Test func `sorting turns, columns go and stay gone`() {
        var console = console()
        console.press("s", "j", "enter")
        #expect(console.state.keys.table.rows.map(\.owner) == ["infra", "ml", "research", "web"])
        console.press("s", "j", "enter")
        #expect(console.state.keys.table.rows.map(\.owner) == ["web", "research", "ml", "infra"])
        console.press("C", "j", "space", "esc")
        #expect(console.state.settings.hiddenColumns["Keys"] == ["owner"])
        #expect(!console.lines[5].contains("OWNER"))
        #expect(console.takeEffects().contains { if case .saveSettings = $0 { true } else { false } })
    }

    @Test func `the selection stays on its key when the list changes`() {
        var console = console()
        console.press("j", "j")
        let name = console.state.keys.table.selection?.name
        var keys = Fixture.keys()
        keys.insert(
            ClientKey(id: 99, name: "aaa", owner: "", prefix: "fg_", last4: "", createdAt: Fixture.time(1)),
            at: 0
        )
        console.answer(.keys(keys, isComplete: true))
        #expect(console.state.keys.table.selection?.name == name)
    }

    @Test func `another operator's change is told, and the list fetched again`() {
        var console = console()
        var snapshot = Fixture.live()
        snapshot.lastChange = Fixture.changes()[1]
        console.answer(.live(snapshot))
        var later = snapshot
        later.lastChange?.id = 60
        console.answer(.live(later))
        #expect(console.footer.contains("alice: change client key lab"))
        #expect(console.takeEffects().contains(.loadKeys))
    }
}
