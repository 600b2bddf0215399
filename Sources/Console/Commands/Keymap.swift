import Yams

/// Which key means which command, in each context; an operator may change it.
package struct Keymap: Sendable {
    private var commands: [CommandContext: [Key: CommandID]] = [:]
    /// Keys of a command, the first one shown.
    private(set) var keys: [CommandID: [Key]] = [:]
    /// What was wrong in the operator's file; the keys at fault keep their meaning.
    package private(set) var faults: [String] = []

    package init() {
        for command in CommandRegistry.all {
            set(command, command.keys)
        }
    }

    /// `overrides`: YAML of `command: key` or `command: [key, key]`.
    package init(overrides text: String, file: String) {
        var wanted: [CommandID: [String]] = [:]
        var faults: [String] = []
        do {
            for (name, value) in try Yams.compose(yaml: text)?.mapping ?? [:] {
                let line = name.mark?.line ?? 1
                guard let id = name.string.flatMap(CommandID.init(rawValue:)) else {
                    faults.append("\(file):\(line): there is no command \(name.string ?? "?")")
                    continue
                }
                let keys = value.sequence.map { $0.compactMap(\.string) } ?? [value.string ?? ""]
                for key in keys where Key.parse(key) == nil {
                    faults.append("\(file):\(line): \(key) is no key")
                }
                wanted[id] = keys.filter { Key.parse($0) != nil }
            }
        } catch {
            faults.append("\(file): is not valid YAML")
        }
        // The operator's keys first, so that a default gives way to them and not they to a default.
        for command in CommandRegistry.all {
            if let keys = wanted[command.id] { set(command, keys) }
        }
        faults += self.faults.map { "\(file): \($0)" }
        self.faults = []
        for command in CommandRegistry.all where wanted[command.id] == nil {
            set(command, command.keys)
        }
        // A default that lost its key to a wish of the operator's is no fault, but has to be said.
        self.faults = faults + self.faults.map { "\(file): \($0)" }
    }

    private mutating func set(_ command: Command, _ names: [String]) {
        for name in names {
            guard let key = Key.parse(name) else { continue }
            if let other = taken(key, in: command.context) {
                faults.append("\(key) means \(other.rawValue), so it is not given to \(command.id.rawValue)")
                continue
            }
            commands[command.context, default: [:]][key] = command.id
            keys[command.id, default: []].append(key)
        }
    }

    /// Contexts that are active together share their keys.
    private func taken(_ key: Key, in context: CommandContext) -> CommandID? {
        CommandContext.allCases.filter { Self.overlap($0, context) }.lazy.compactMap { commands[$0]?[key] }
            .first
    }

    private static func overlap(_ left: CommandContext, _ right: CommandContext) -> Bool {
        // The nearest meaning counts: while a script is written its keys are no other's.
        let scripts: Set<CommandContext> = [.editor, .scripts]
        if left == .editor || right == .editor { return scripts.isSuperset(of: [left, right]) }
        let shared: Set<CommandContext> = [.everywhere, .list]
        return left == right || shared.contains(left) || shared.contains(right)
            || Set([left, right]) == [.logs, .record]
    }

    func command(for key: Key, in contexts: [CommandContext]) -> CommandID? {
        contexts.lazy.compactMap { commands[$0]?[key] }.first
    }

    func key(for command: CommandID) -> Key? {
        keys[command]?.first
    }
}
