#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The themes that can be chosen: those that come with the program, and the operator's own.
package struct ThemeLibrary: Sendable {
    private(set) var themes: [String: Theme] = [:]
    /// What was wrong in the files; the theme at fault keeps what could be read.
    package private(set) var faults: [String] = []
    /// Later folders win.
    private let folders: [String]

    package var names: [String] { themes.keys.sorted() }

    package init(folders: [String]) {
        self.folders = folders
        load()
    }

    func theme(_ name: String) -> Theme? { themes[name] }

    private static func files(in folders: [String]) -> [String] {
        folders.flatMap { folder in
            // A folder that is not there holds no themes.
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.filter { $0.hasSuffix(".yaml") }.sorted().map { "\(folder)/\($0)" }
        }
    }

    mutating func load() {
        themes = ["plain": .plain]
        faults = []
        var read: [String: ThemeFile] = [:]
        for path in Self.files(in: folders) {
            // A file that cannot be read is told like every other fault.
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                faults.append("\(path): cannot be read")
                continue
            }
            let file = ThemeFile(text: text, file: path)
            if file.name.isEmpty {
                faults += file.faults.map(\.description)
            } else {
                read[file.name] = file
            }
        }
        for name in read.keys.sorted() {
            make(name, from: read)
        }
    }

    private mutating func make(_ name: String, from files: [String: ThemeFile]) {
        var chain: [ThemeFile] = []
        var next: String? = name
        while let current = next, let file = files[current] {
            guard !chain.contains(where: { $0.name == current }) else {
                faults.append("\(file.file): inherits itself")
                return
            }
            chain.insert(file, at: 0)
            next = file.parent
            if let parent = file.parent, files[parent] == nil {
                faults.append("\(file.file): there is no theme \(parent) to inherit")
            }
        }
        var theme = Theme(name: name, entries: [:], mono: Theme.plain.mono)
        var palette: [String: Theme.Shade] = [:]
        for file in chain {
            palette.merge(file.palette) { $1 }
        }
        for var file in chain {
            for style in file.styles {
                theme.entries[style.role] = file.entry(style, palette: palette)
            }
            theme.mono.merge(file.mono) { $1 }
            if file.name == name { faults += file.faults.map(\.description) }
        }
        themes[name] = theme
    }
}
