import CLinux
import Console
import Dispatch
import Foundation

/// The `fastgate` program.
@main
enum Program {
    /// A console is watched over by a parent that brings the terminal back if the console is killed; the split has
    /// to come before any thread does.
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        let isPlain = ["--plain", "--help", "-h", "--version"].contains { arguments.contains($0) }
        if arguments.first == "console", !isPlain, ConsoleEnvironment.hasTerminal {
            clinux_supervise_terminal(RestoreSequence.bytes, RestoreSequence.bytes.count)
        }
        Task {
            await FastGateCommand.main()
            exit(0)
        }
        dispatchMain()
    }
}
