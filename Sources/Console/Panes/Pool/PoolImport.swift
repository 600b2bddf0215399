import Operations

/// A file of keys into the pool: looked at first, then taken in if the operator wants what would come of it.
extension ConsoleState {
    static func importForm() -> Form {
        Form(
            title: "Import upstream keys",
            submitLabel: "Look at it",
            fields: [
                .text(
                    "path",
                    "File",
                    placeholder: "keys.csv or keys.json, on this console's machine",
                    limit: 4096
                ),
                .choice("mode", "Bad rows", ["are left out", "stop it all"], "are left out"),
            ]
        )
    }

    static func checkImport(_ form: inout Form, isComplete: Bool) {
        form.errors = [:]
        if isComplete, form.word("path").isEmpty { form.errors["path"] = "needs a file" }
        do throws(OperationsError) {
            _ = try ImportFormat(file: form.word("path"))
        } catch {
            form.errors["path"] = error.message
        }
    }

    static func importEffect(_ form: Form) -> ConsoleEffect {
        let path = form.word("path")
        // A form whose file is of no kind is not handed in.
        var options = ImportOptions(format: (try? ImportFormat(file: path)) ?? .csv)
        options.mode = form.choice("mode") == "stop it all" ? .allOrNothing : .keepGood
        options.dryRun = true
        return .importKeys(path: path, options)
    }

    /// How far it has got.
    mutating func importing(_ count: Int, of total: Int, _ unit: String) {
        let share = total > 0 ? "\(min(100, count * 100 / total)) %, " : ""
        say("importing: \(share)\(NumberText.count(count)) \(unit)", .info, for: 30)
    }

    mutating func imported(
        _ path: String,
        _ options: ImportOptions,
        _ result: Result<BatchResult, OperationsError>
    ) -> [ConsoleEffect] {
        toast = nil
        let form =
            awaited == .importKeys(path: path, options) ? overlays.firstIndex(where: \.isBusyForm) : nil
        switch result {
        case .failure(let error):
            guard let form else {
                say(error.description, .error, for: 10)
                return []
            }
            refuse(form, error)
            return []
        case .success(let result):
            if let form { overlays.remove(at: form) }
            return options.dryRun ? ask(path, options, result) : told(result)
        }
    }

    private mutating func ask(
        _ path: String,
        _ options: ImportOptions,
        _ result: BatchResult
    ) -> [ConsoleEffect] {
        let lines = Self.lines(result)
        let isStopped = options.mode == .allOrNothing && result.failedCount > 0
        guard result.successCount > 0, !isStopped else {
            show("Nothing of \(path) would be imported", lines)
            return []
        }
        // Below the question, to be read when it is answered with no.
        if result.failedCount > 0 { show("Rows of \(path) that do not hold", lines) }
        var options = options
        options.dryRun = false
        let bad =
            result.failedCount == 0
            ? "all of its rows hold"
            : "\(NumberText.count(result.failedCount)) rows do not hold and are left out"
        let dialog = Dialog(
            title:
                "Import \(NumberText.count(result.successCount)) \(result.successCount == 1 ? "key" : "keys")",
            text: [
                "\(path): \(bad).",
                "They are used at once, all of them or, if anything goes wrong, none.",
            ] + result.errors.prefix(4).map { "row \($0.row): \($0.error)" },
            buttons: [.init(label: "Import", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .importKeys(path: path, options)))
        return []
    }

    private mutating func told(_ result: BatchResult) -> [ConsoleEffect] {
        say(
            "\(NumberText.count(result.successCount)) \(result.successCount == 1 ? "key" : "keys") imported, "
                + "\(NumberText.count(result.failedCount)) left out",
            result.failedCount == 0 ? .ok : .warning,
            for: 10
        )
        return [.loadPool, .loadUpstreams, .loadSystem]
    }

    private static func lines(_ result: BatchResult) -> [TextView.Line] {
        var lines = result.errors.map { fault in
            TextView.Line(
                StyledText("row \(fault.row)  ", .muted).appending(fault.error, .text),
                copy: "row \(fault.row): \(fault.error)"
            )
        }
        let more = result.failedCount - result.errors.count
        if more > 0 { lines.append(TextView.Line(StyledText("and \(NumberText.count(more)) more", .muted))) }
        return lines.isEmpty ? [TextView.Line(StyledText("it holds no rows", .muted))] : lines
    }
}
