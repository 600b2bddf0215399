import Foundation
import Operations
import Testing

@testable import Console

@Suite struct Commands {
    @Test func `every command is in the registry once, with keys that exist`() {
        #expect(Set(CommandRegistry.all.map(\.id)) == Set(CommandID.allCases))
        #expect(CommandRegistry.all.count == CommandID.allCases.count)
        for command in CommandRegistry.all {
            for key in command.keys {
                #expect(Key.parse(key) != nil, "\(command.id): \(key)")
            }
        }
    }

    @Test func `no key means two things at once`() {
        #expect(Keymap().faults.isEmpty, "\(Keymap().faults)")
    }

    /// A destructive command asks, and what confirms is another key than what began.
    @Test(arguments: [("X", CommandID.revokeKey), ("D", .deleteKey), ("R", .rotateKey)])
    func `what cannot be undone asks first, with Cancel at hand`(key: String, id: CommandID) {
        var console = ConsoleDriver()
        console.fill()
        console.press("4", key)
        guard case .dialog(let dialog, _) = console.state.overlays.last else {
            Issue.record("no question")
            return
        }
        #expect(dialog.focus == 0)
        #expect(!dialog.buttons.dropFirst().contains { $0.key == Key(key) })
        console.press(key, "enter")
        #expect(console.takeChanges().isEmpty)
        #expect(console.state.overlays.isEmpty)
    }

    @Test func `an operator's keys come first, and conflicts are told`() {
        let keymap = Keymap(
            overrides: "keys.new: a\nlist.down: [j, ctrl-n]\nnonsense: x\nlist.up: nokey\n",
            file: "keys.yaml"
        )
        #expect(keymap.command(for: Key("a"), in: [.keys, .list, .everywhere]) == .newKey)
        #expect(keymap.command(for: Key("n"), in: [.keys]) == nil)
        #expect(keymap.command(for: Key("ctrl-n"), in: [.list]) == .down)
        #expect(keymap.command(for: .down, in: [.list]) == nil)
        #expect(keymap.faults.contains("keys.yaml:3: there is no command nonsense"))
        #expect(keymap.faults.contains("keys.yaml:4: nokey is no key"))
        let clash = Keymap(overrides: "keys.new: q", file: "keys.yaml")
        #expect(clash.command(for: Key("q"), in: [.keys]) == .newKey)
        #expect(clash.faults == ["keys.yaml: q means keys.new, so it is not given to quit"])
    }

    @Test func `the palette finds commands by parts of their names`() {
        var console = ConsoleDriver()
        console.fill()
        console.press(":", "new cl")
        #expect(console.text.contains("New client key"))
        console.press("enter")
        guard case .form = console.state.overlays.last else {
            Issue.record("the command did not run")
            return
        }
    }

    @Test func `a filter can be given in the palette`() {
        var console = ConsoleDriver()
        console.fill()
        console.press(":", "filter status>=500", "enter")
        #expect(console.state.filter.text == "status>=500")
    }

    @Test func `help lists what works here, and runs it`() {
        var console = ConsoleDriver()
        console.fill()
        console.press("4", "?", "revoke")
        #expect(console.text.contains("Revoke for ever"))
        console.press("enter")
        guard case .dialog = console.state.overlays.last else {
            Issue.record("the command did not run")
            return
        }
    }

    @Test func `a refused command says why, in the palette and when it is run`() {
        var console = ConsoleDriver(isReadOnly: true)
        console.fill()
        console.press("4", "n")
        #expect(console.footer.contains("this console is read-only"))
        #expect(console.state.overlays.isEmpty)
        #expect(console.text.contains("READ-ONLY"))
        console.press(":", "new client")
        #expect(console.text.contains("this console is read-only"))
    }

    @Test(arguments: CommandRegistry.all.filter(\.isChange).map(\.id))
    func `a read-only console and a viewer change nothing`(id: CommandID) {
        for role in [true, false] {
            var console = ConsoleDriver(role: role ? .admin : .viewer, isReadOnly: role)
            console.fill()
            _ = console.state.run(id)
            #expect(console.state.overlays.isEmpty)
            #expect(console.takeChanges().isEmpty)
            #expect(console.state.toast?.role == .warning)
        }
    }

    @Test func `the documents name every command and its keys`() throws {
        let page = try String(contentsOfFile: "\(Fixture.root)/docs/console-keys.md", encoding: .utf8)
        #expect(page == KeysPage.markdown + "\n", "run `make docs`")
    }
}
