import Operations

#if canImport(Glibc)
import Glibc
#endif

/// Where the workers' programs lie: beside the gateway's own in a checkout, or installed.
struct ScriptPrograms: Sendable, Equatable {
    private static let installed = "/usr/lib/fastgate"

    /// What is started for each language, first the program; absent where it is not there.
    private(set) var commands: [ScriptLanguage: [String]] = [:]
    /// Why there is no Python, where more is known than that it is not installed.
    private var pythonFault: String?

    /// `executable`: the gateway's own path; `python`: what the configuration says, if it says anything.
    init(executable: String, python: String?) {
        let folders = Self.foldersUpward(from: executable) + [Self.installed]
        if let program = Self.first("fastgate-script-worker", in: folders) {
            commands[.javascript] = [program]
        }
        let interpreter = python ?? Self.first(".venv-scripts/bin/python", in: folders)
        let script =
            Self.first("Sources/PythonWorker/worker.py", in: folders)
            ?? Self.first("python/worker.py", in: [Self.installed])
        if let python, access(python, X_OK) != 0 {
            pythonFault = "\(python), which scripts.python names, cannot be run"
        } else if let interpreter, script == nil {
            pythonFault =
                "there is \(interpreter), but no \(Self.installed)/python/worker.py, which belongs to fastgate"
        } else if let interpreter, let script {
            // Isolated: neither the environment nor the folder that it runs in say what it loads.
            commands[.python] = [interpreter, "-I", "-B", script]
        }
    }

    func missing(_ language: ScriptLanguage) -> String {
        switch language {
        case .javascript: "fastgate-script-worker is not installed beside fastgate"
        case .python:
            pythonFault
                ?? "the Python of scripts is not installed; scripts/setup makes it, or name one in scripts.python"
        }
    }

    /// Where this program itself lies.
    static func ownPath() -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return CommandLine.arguments[0] }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func foldersUpward(from path: String) -> [String] {
        var parts = path.split(separator: "/").dropLast()
        var folders: [String] = []
        while true {
            folders.append("/" + parts.joined(separator: "/"))
            guard parts.popLast() != nil else { return folders }
        }
    }

    private static func first(_ name: String, in folders: [String]) -> String? {
        folders.lazy.map { $0 + "/" + name }.first { access($0, R_OK) == 0 }
    }
}
