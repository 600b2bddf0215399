import Operations
import Testing

@testable import Console

@Suite struct `The alerts pane` {
    private func console(columns: Int = 120, lines: Int = 40) -> ConsoleDriver {
        var console = ConsoleDriver(columns: columns, lines: lines)
        console.fill()
        console.press("9")
        _ = console.takeEffects()
        return console
    }

    @Test func `it shows who is told, what runs and what was told`() {
        let console = console()
        for text in [
            "ops", "failing", "sign not", "health_probe", "the database is damaged", "openai/key-7",
            "1,204", "duty",
        ] {
            #expect(console.text.contains(text), "\(text)")
        }
        #expect(console.text.contains("1 given up: R sends one again"))
    }

    @Test func `Tab goes from part to part, and keys mean what the part says`() {
        var console = console()
        #expect(console.footer.contains("new"))
        console.press("tab")
        #expect(console.footer.contains("run now"))
        console.press("x")
        #expect(console.takeChanges() == [.alert(.runTask("retention"))])
        console.pass(seconds: 26)
        // The first one was sent.
        console.press("tab", "j", "j")
        #expect(console.footer.contains("send again"))
    }

    @Test func `only what was given up is sent again`() {
        var console = console()
        console.press("tab", "tab", "R")
        #expect(console.takeChanges().isEmpty && console.text.contains("only what was given up"))
        console.press("j", "j", "R")
        #expect(console.takeChanges() == [.alert(.resend([Fixture.notifications()[2]]))])
    }

    @Test func `a small screen shows the part that has the keys`() {
        var console = console(columns: 80, lines: 18)
        #expect(console.text.contains("Channels: who is told") && !console.text.contains("History"))
        console.press("tab", "tab")
        #expect(console.text.contains("History: what was told") && !console.text.contains("Channels: who"))
    }

    @Test func `a channel is made by a form whose fields are its kind's`() {
        var console = console()
        console.press("n")
        #expect(console.text.contains("Secret") && !console.text.contains("Mail server"))
        console.press("left", "tab", "mail-2", "tab", "mail.example.com")
        #expect(console.text.contains("Mail server") && !console.text.contains("Secret"))
        console.press("shift-tab", "shift-tab", "right")
        // What was typed for the other kind is not lost when it comes back.
        #expect(console.text.contains("Secret") && console.text.contains("mail-2"))
        console.press("left")
        #expect(console.text.contains("mail.example.com"))
        console.press("ctrl-s")
        #expect(console.text.contains("needs an address"))
        console.press(
            "esc",
            "d",
            "n",
            "tab",
            "mail-2",
            "tab",
            "https://example.com/in",
            "tab",
            "s3cret",
            "ctrl-s"
        )
        var draft = NotificationChannelDraft(name: "mail-2", kind: .webhook)
        (draft.events, draft.minSeverity) = ([], .info)
        (draft.webhookUrl, draft.secret) = ("https://example.com/in", "s3cret")
        #expect(console.takeChanges() == [.alert(.create(draft))])
    }

    @Test func `faults of the form are said beside their fields`() {
        for (keys, words) in [
            (["events", "coffee"], "there is no coffee"), (["quiet_hours", "22:00"], "as in 22:00-07:00"),
            (["quiet_hours", "25:00-07:00"], "as in 22:00-07:00"), (["dedupe", "25h"], "24h at most"),
            (["smtp_port", "65536"], "from 1 to 65535"),
        ] {
            var form = ChannelForm.make(nil, kind: .email)
            form.focus(on: keys[0])
            for character in keys[1] { _ = form.handle(Key(String(character))) }
            ChannelForm.check(&form, isComplete: false)
            #expect(form.errors[keys[0]]?.contains(words) == true, "\(keys)")
        }
        for (id, text) in [
            ("quiet_hours", "22:00-07:00"), ("dedupe", "24h"), ("smtp_port", "65535"),
            ("events", "key_banned, pool_exhausted"),
        ] {
            var form = ChannelForm.make(nil, kind: .email)
            form.focus(on: id)
            for character in text { _ = form.handle(character == " " ? .space : Key(String(character))) }
            ChannelForm.check(&form, isComplete: false)
            #expect(form.errors[id] == nil, "\(id)")
        }
    }

    @Test func `an edit sends what was changed, and of secrets only what was typed`() {
        var console = console()
        console.press("e", "tab", "tab", "tab", "key_banned", "ctrl-s")
        var change = NotificationChannelChange()
        change.events = .set([.keyBanned])
        #expect(console.takeChanges() == [.alert(.change(Fixture.channels()[0], change))])
    }

    @Test func `what the file defines is said to be so`() {
        var console = console()
        console.press("j", "e")
        #expect(console.text.contains("the configuration file defines it"))
    }

    @Test func `a text is shown, and edited in a program of the operator's own`() {
        var console = console()
        console.press("m", "key_dis", "enter")
        #expect(console.takeEffects().contains(.ask(.template(.keyDisabled))))
        console.press("M", "key_dis", "enter")
        #expect(console.takeEffects() == [.loadTemplate(.keyDisabled)])
        let template = NotificationTemplate(
            event: .keyDisabled,
            channelId: nil,
            title: "{{title}}",
            body: "why: {{reason}}",
            isDefault: true
        )
        console.answer(.template(template))
        #expect(console.takeEffects() == [.editExternally("{{title}}\n\nwhy: {{reason}}", suffix: "md")])
        console.send(.edited(.text("{{title}}\n\nwhy: {{reason}}")))
        #expect(console.takeChanges().isEmpty && console.text.contains("nothing was changed"))
        console.answer(.template(template))
        console.send(.edited(.text("out\n\n{{reason}}\n\nbye")))
        var change = NotificationTemplateChange()
        (change.title, change.body) = (.set("out"), .set("{{reason}}\n\nbye"))
        #expect(console.takeChanges() == [.alert(.template(template, change))])
        // A text with a fault in it is not lost.
        console.answer(.template(template))
        #expect(console.takeEffects() == [.editExternally("out\n\n{{reason}}\n\nbye", suffix: "md")])
    }

    @Test func `a file of keys is looked at before it is taken in`() {
        var console = ConsoleDriver()
        console.fill()
        console.press("5", "i", "/tmp/keys.csv", "ctrl-s")
        var options = ImportOptions(format: .csv)
        options.dryRun = true
        #expect(console.takeEffects().contains(.importKeys(path: "/tmp/keys.csv", options)))
        console.answer(.importing(count: 512, total: 1024, unit: "bytes read"))
        #expect(console.text.contains("50 %"))
        var result = BatchResult(successCount: 8)
        result.fail(3, "there is no upstream 999")
        console.answer(.imported(path: "/tmp/keys.csv", options, .success(result)))
        #expect(
            console.text.contains("Import 8 keys") && console.text.contains("row 3: there is no upstream 999")
        )
        #expect(console.takeEffects().isEmpty)
        console.press("y")
        options.dryRun = false
        #expect(console.takeEffects() == [.importKeys(path: "/tmp/keys.csv", options)])
        console.answer(.imported(path: "/tmp/keys.csv", options, .success(result)))
        #expect(console.text.contains("8 keys imported, 1 left out"))
    }

    @Test func `a file that cannot be read is said beside its field`() {
        var console = ConsoleDriver()
        console.fill()
        console.press("5", "i", "nowhere", "ctrl-s")
        guard case .importKeys(let path, let options)? = console.takeEffects().last else {
            Issue.record("no import")
            return
        }
        let refusal = OperationsError(.invalid, "nowhere: No such file or directory", parameter: "path")
        console.answer(.imported(path: path, options, .failure(refusal)))
        #expect(console.text.contains("No such file") && console.text.contains("Import upstream keys"))
    }
}
