import Operations
import Testing

@testable import Console

@Suite struct `Pool pane` {
    private func console() -> ConsoleDriver {
        var console = ConsoleDriver()
        console.fill()
        console.press("5")
        _ = console.takeEffects()
        return console
    }

    @Test func `the worst stand first, with why and until when`() {
        let console = console()
        #expect(console.state.pool.table.rows.map(\.state).first == .banned)
        for text in ["leaked on a forum", "0:41", "on trial", "in 2 h", "by hand", "5 out of use"] {
            #expect(console.text.contains(text), "\(text)")
        }
    }

    @Test func `a key is disabled and brought back, and that can be undone`() {
        var console = console()
        console.press("G", "d")
        let off = ConsoleChange.setPoolState(ids: [1], names: ["openai/key-1"], .disabled)
        #expect(console.takeChanges() == [off])
        let on = ConsoleChange.setPoolState(ids: [1], names: ["openai/key-1"], .active)
        console.answer(.changed(ChangeOutcome(change: off, result: .done("disabled"), undo: on)))
        #expect(console.footer.contains("undoes it"))
        #expect(console.takeEffects().contains(.loadPool))
        console.press("u")
        #expect(console.takeChanges() == [on])
        console.answer(.changed(ChangeOutcome(change: on, result: .done("brought back"), undo: off)))
        console.press("u")
        #expect(console.footer.contains("nothing to undo"))
    }

    @Test func `a ban is asked about, and of several the number is typed`() {
        var console = console()
        console.press("G", "B")
        #expect(console.text.contains("3 in flight with it end in peace"))
        console.press("y")
        #expect(console.takeChanges() == [.setPoolState(ids: [1], names: ["openai/key-1"], .banned)])
        console.press("g", "j", "space", "space", "B", "ban 2", "enter")
        let both = ["miniai/key-5", "openai/key-4"]
        #expect(console.takeChanges() == [.setPoolState(ids: [5, 4], names: both, .banned)])
    }

    @Test func `what makes no sense says why`() {
        var console = console()
        console.press("g", "B")
        #expect(console.footer.contains("already banned"))
        console.press("G", "x")
        #expect(console.footer.contains("nothing to reset"))
        var reader = ConsoleDriver(isReadOnly: true)
        reader.fill()
        reader.press("5", "d")
        #expect(reader.footer.contains("read-only") && reader.takeChanges().isEmpty)
    }

    @Test func `the filter narrows it, and its requests are a key away`() {
        var console = console()
        console.press("/", "upstream:miniai and status>=400", "enter")
        #expect(console.state.pool.table.rows.map(\.upstream) == ["miniai", "miniai"])
        #expect(console.text.contains("does not narrow keys"))
        console.press("\\", "G", "L")
        #expect(console.state.pane == .logs)
        #expect(console.state.filter.text == #"upstream="openai" and ukey="key-1""#)
    }

    @Test func `a problem of the pool opens it`() {
        var console = ConsoleDriver()
        console.fill()
        var live = Fixture.live()
        live.dashboard.problems = [
            Problem(.error, kind: "pool", name: "openai/key-3", state: "banned", detail: "x")
        ]
        console.answer(.live(live))
        console.press("tab", "enter")
        #expect(console.state.pane == .pool)
    }
}
