import Foundation
import Testing

/// The house rules that a machine can check; CONTRIBUTING.md gives their reasons.
@Suite struct `House rules` {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    private struct SourceFile {
        let path: String
        let text: String
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    private static func files(under folder: String, suffix: String) -> [SourceFile] {
        let base = root.appendingPathComponent(folder)
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(suffix) }.compactMap { name in
            let url = base.appendingPathComponent(name)
            return (try? String(contentsOf: url, encoding: .utf8)).map {
                SourceFile(path: "\(folder)/\(name)", text: $0)
            }
        }
    }

    private static let sources = files(under: "Sources", suffix: ".swift")

    @Test func `there are sources to check`() {
        #expect(Self.sources.count > 80)
    }

    @Test func `no file is longer than 400 lines, nor a state machine than 600`() {
        for file in Self.sources {
            let limit = file.path.contains("StateMachine") || file.path.contains("Migrations") ? 600 : 400
            #expect(file.lines.count <= limit, "\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test func `no folder holds more than 20 files`() {
        let folders = Dictionary(grouping: Self.sources) {
            $0.path.split(separator: "/").dropLast().joined(separator: "/")
        }
        for (folder, files) in folders {
            #expect(files.count <= 20, "\(folder) has \(files.count) files")
        }
    }

    @Test func `nothing is left to do and nothing is forced`() {
        for file in Self.sources {
            for mark in ["TODO", "FIXME", "XXX:", "fatalError(", "try!", " as! "] {
                #expect(!file.text.contains(mark), "\(file.path) holds \(mark)")
            }
        }
    }

    @Test func `every unsafe mark and every swallowed error says why`() {
        for file in Self.sources {
            for (index, line) in file.lines.enumerated() {
                let isMark = [
                    "@unchecked Sendable", "nonisolated(unsafe)", "@preconcurrency", " try? ", "(try? ",
                ]
                .contains { line.contains($0) }
                guard isMark, !line.trimmingCharacters(in: .whitespaces).hasPrefix("//") else { continue }
                let near = file.lines[max(0, index - 6)...index]
                #expect(
                    near.contains { $0.contains("//") },
                    "\(file.path):\(index + 1) has no reason beside it"
                )
            }
        }
    }

    @Test func `names that say nothing are not used`() {
        let banned = ["Manager", "Helper", "Util", "Impl"]
        for file in Self.sources {
            for line in file.lines
            where line.contains("class ") || line.contains("struct ") || line.contains("enum ") {
                for name in banned {
                    #expect(!line.contains("\(name) ") && !line.contains("\(name):"), "\(file.path): \(line)")
                }
            }
            for name in ["Utils", "Helpers", "Common", "Managers"] {
                #expect(!file.path.contains("/\(name)/"))
            }
        }
    }

    @Test(
        arguments: [
            ("Sources/Operations", ["NIO", "GRDB", "Hummingbird", "Gateway", "AdminAPI", "Yams"]),
            ("Sources/AdminAPI", ["Gateway", "GRDB", "Console"]),
            ("Sources/MockUpstream", ["Gateway", "Operations"]),
            ("Sources/Console", ["Gateway", "GRDB", "NIO", "AdminAPI", "Hummingbird"]),
            ("Sources/Console/Canvas", ["CNcurses", "CLinux", "Glibc", "Foundation"]),
            ("Sources/Console/Widgets", ["CNcurses", "CLinux", "Glibc", "Foundation"]),
            ("Sources/Console/Panes", ["CNcurses", "CLinux", "Glibc", "Foundation"]),
            ("Sources/Gateway/Streaming", ["GRDB", "Foundation", "NIOPosix"]),
            ("Sources/Gateway/HTTP1", ["GRDB", "Foundation", "NIOPosix"]),
            ("Sources/Gateway/Exchange", ["GRDB", "Foundation", "NIOPosix"]),
            ("Sources/Gateway/Authentication", ["GRDB", "Foundation", "NIO"]),
        ]
    )
    func `a room imports only what it may`(folder: String, forbidden: [String]) {
        let files = Self.files(under: folder, suffix: ".swift")
        #expect(!files.isEmpty)
        for file in files {
            for line in file.lines where line.hasPrefix("import ") || line.hasPrefix("package import ") {
                let module = line.split(separator: " ").last.map(String.init) ?? ""
                for name in forbidden {
                    #expect(!module.hasPrefix(name), "\(file.path) imports \(module)")
                }
            }
        }
    }

    @Test func `SQL is never put together from values`() {
        // Names of columns and tables, and conditions made by LogFilterSQL, are the only interpolations; values are bound.
        let allowed = [
            "marks", "outcome", "condition.sql", "columns", "places", "column", "table", "kind.table",
        ]
        for file in Self.sources {
            for line in file.lines where line.contains("\\(") {
                let isSQL = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", " WHERE ", " LIKE "].contains {
                    line.contains($0)
                }
                guard isSQL, !line.contains("logger"), !line.contains("summary") else { continue }
                #expect(allowed.contains { line.contains("\\(\($0))") }, "\(file.path): \(line)")
            }
        }
    }

    @Test func `nothing waits for a database on a thread that its own work may need`() {
        for file in Self.files(under: "Sources/Gateway", suffix: ".swift") {
            for line in file.lines {
                let isAsync = line.contains("await") && line.contains("database.")
                #expect(!isAsync || line.contains("SearchThreads"), "\(file.path): \(line)")
            }
        }
    }

    @Test func `the documents name every configuration key`() throws {
        let page = try String(
            contentsOf: Self.root.appendingPathComponent("docs/configuration.md"),
            encoding: .utf8
        )
        let readers = Self.sources.filter { $0.path.contains("Sections.swift") }
        #expect(readers.count == 3)
        var count = 0
        for file in readers {
            for match in file.text.matches(of: /section\.read\("([a-z_]+)"/) {
                count += 1
                #expect(page.contains("`\(match.1)`"), "docs/configuration.md does not name \(match.1)")
            }
        }
        #expect(count > 20)
    }
}
