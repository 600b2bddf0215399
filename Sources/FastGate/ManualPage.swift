import ArgumentParser
import Foundation

/// The manual page, made of what the commands say of themselves.
enum ManualPage {
    /// What the parser tells of a command; more is there and not needed.
    struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var shouldDisplay: Bool
        var arguments: [Argument]?
        var subcommands: [Command]?
    }

    struct Argument: Decodable {
        struct Name: Decodable {
            var kind: String
            var name: String
        }

        var kind: String
        var shouldDisplay: Bool
        var isOptional: Bool
        var isRepeating: Bool
        var names: [Name]?
        var valueName: String?
        var abstract: String?
        var defaultValue: String?
        var allValues: [String]?
    }

    private struct Dump: Decodable { var command: Command }

    /// Options that most commands have, told once.
    private static let common: Set = ["socket", "url", "token-file", "json", "help", "version"]

    /// - Throws: when the parser's own description cannot be read.
    static func text() throws -> String {
        let dump = try JSONDecoder().decode(Dump.self, from: Data(FastGateCommand._dumpHelp().utf8))
        let root = dump.command
        var lines = [".TH FASTGATE 1 \"\" \"fastgate \(Version.text)\" \"FastGate\"", ".SH NAME"]
        lines.append("fastgate \\- " + escape(root.abstract ?? ""))
        lines += [".SH SYNOPSIS", ".B fastgate", ".I command", "[options]", ".SH DESCRIPTION"]
        lines.append(escape(description))
        lines += [".SH COMMON OPTIONS"]
        lines += commonOptions(of: root).flatMap(entry)
        lines.append(".SH COMMANDS")
        for command in root.subcommands ?? [] { lines += section(command, path: "") }
        for (title, body) in ends { lines += [".SH " + title] + body }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let description = """
        One process that takes requests for LLM providers from callers with keys of their own, sends them on with the \
        provider's keys, streams the answers back, and writes down what happened. Its console is fastgate console. Commands \
        talk to the running gateway over its Unix socket, or to another by --url.
        """

    private static let ends: [(String, [String])] = [
        (
            "ENVIRONMENT",
            [
                ("FASTGATE_CONFIG", "The configuration file."), ("FASTGATE_DATA", "The data directory."),
                ("FASTGATE_SOCKET", "The Unix socket of the running gateway."),
                ("FASTGATE_MASTER_KEY", "32 bytes in base64 that seal secrets, instead of a file."),
                (
                    "FASTGATE_ADMIN_TOKEN",
                    "For serve the token of the operators' port, for the others the one to send."
                ), ("FASTGATE_LOG", "The level of the log, such as info or debug."),
            ].flatMap { [".TP", ".B " + escape($0.0), escape($0.1)] }
        ),
        (
            "EXIT STATUS",
            ["0 on success, 2 for wrong usage, 1 for everything else. Errors are one line on standard error."]
        ),
        ("SEE ALSO", ["The documents in", ".I docs/", "and", ".B fastgate", ".I command", ".B \\-\\-help"]),
    ]

    private static func commonOptions(of root: Command) -> [Argument] {
        let all = [root] + (root.subcommands ?? []).flatMap { [$0] + ($0.subcommands ?? []) }
        var seen: Set<String> = []
        return all.flatMap { $0.arguments ?? [] }.filter { argument in
            guard let name = long(argument), common.contains(name) else { return false }
            return seen.insert(name).inserted
        }
    }

    private static func long(_ argument: Argument) -> String? {
        argument.names?.first { $0.kind == "long" }?.name
    }

    private static func section(_ command: Command, path: String) -> [String] {
        guard command.shouldDisplay, command.commandName != "help" else { return [] }
        let name = path + command.commandName
        let shown = (command.arguments ?? []).filter { argument in
            argument.shouldDisplay && long(argument).map { !common.contains($0) } ?? true
        }
        var lines = [
            ".SS "
                + escape(
                    ([name] + shown.filter { $0.kind == "positional" }.map(usage)).joined(separator: " ")
                )
        ]
        lines.append(escape(command.abstract ?? ""))
        if let discussion = command.discussion, !discussion.isEmpty {
            lines +=
                [".PP", ".nf"]
                + discussion.split(separator: "\n", omittingEmptySubsequences: false).map {
                    escape(String($0))
                } + [".fi"]
        }
        lines += shown.flatMap(entry)
        for subcommand in command.subcommands ?? [] { lines += section(subcommand, path: name + " ") }
        return lines
    }

    private static func usage(_ argument: Argument) -> String {
        let name = (argument.valueName ?? "value").uppercased() + (argument.isRepeating ? "…" : "")
        return argument.isOptional ? "[\(name)]" : name
    }

    private static func entry(_ argument: Argument) -> [String] {
        let names = (argument.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name }
        let value = argument.kind == "option" ? " " + (argument.valueName ?? "value").uppercased() : ""
        let title = names.isEmpty ? usage(argument) : names.joined(separator: ", ") + value
        var text = argument.abstract ?? ""
        if let choices = argument.allValues, !choices.isEmpty {
            text += " One of: \(choices.joined(separator: ", "))."
        }
        if let value = argument.defaultValue, argument.kind != "flag" { text += " Default: \(value)." }
        return [".TP", ".B " + escape(title), text.isEmpty ? "\\&" : escape(text)]
    }

    /// Text that troff takes for nothing else.
    private static func escape(_ text: String) -> String {
        let plain = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : plain
    }
}
