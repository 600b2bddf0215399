/// The page of the documents that lists every command; made from the registry, so that it cannot be wrong.
package enum KeysPage {
    /// Without the last line's end.
    package static var markdown: String {
        var lines = [
            "# Keys of the console", "",
            "Made from the registry of commands by `make docs`. Every command is also to be had by name with `:`, and `?`",
            "lists what works at the moment. Change keys in `~/.config/fastgate/keys.yaml`: `keys.new: a`, or",
            "`list.down: [j, ctrl-n]`; a key that is taken twice is reported when the console opens.", "",
        ]
        for context in CommandContext.allCases {
            lines += ["## \(title(context))", "", "| key | does | command |", "|---|---|---|"]
            for command in CommandRegistry.all where command.context == context {
                let keys = command.keys.compactMap(Key.parse).map {
                    "`\($0.description.replacing("|", with: "\\|"))`"
                }
                lines.append(
                    "| \(keys.joined(separator: " ")) | \(command.title) | `\(command.id.rawValue)` |"
                )
            }
            lines.append("")
        }
        lines += [
            "## Where text is typed", "",
            "In forms `Tab` and `Shift-Tab` go from field to field, `Space` ticks, `Ctrl-S` hands in, `Esc` leaves and asks",
            "if something would be lost. In lines `Ctrl-A` `Ctrl-E` `Ctrl-W` `Ctrl-U` `Ctrl-K` and `Ctrl-←` `Ctrl-→` edit as",
            "in a shell. In a script `Tab` and `Shift-Tab` indent, `Ctrl-K` cuts the line out and `Ctrl-U` puts in what was cut,",
            "`Ctrl-W` erases a word, and `Ctrl-Home` `Ctrl-End` go to its ends.",
        ]
        return lines.joined(separator: "\n")
    }

    private static func title(_ context: CommandContext) -> String {
        switch context {
        case .everywhere: "Everywhere"
        case .list: "In lists and records"
        case .dashboard: "Dashboard"
        case .live: "Live"
        case .logs: "Logs"
        case .record: "A record of the log"
        case .keys: "Keys"
        case .pool: "Pool"
        case .upstreams: "Upstreams"
        case .headers: "Headers of an upstream"
        case .rules: "Rules"
        case .scripts: "Scripts"
        case .editor: "Scripts, also while typing"
        case .alerts: "Alerts"
        case .channels: "Alerts: channels"
        case .tasks: "Alerts: tasks"
        case .history: "Alerts: history"
        case .system: "System"
        }
    }
}
