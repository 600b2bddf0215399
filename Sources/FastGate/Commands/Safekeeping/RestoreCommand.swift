import ArgumentParser
import Gateway
import Operations

/// Puts a backup back.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put a backup into the data directory of a gateway that does not run.",
        discussion: """
            Everything is checked before anything is changed: that the file is whole, its databases sound, and the master key
            the one of its time: the present one, one that a rotation has left beside it, or that of --key-file. What is in the
            directory is moved aside with --replace, never deleted. fastgate.yaml and admin.token are in no backup.

            Examples:
              fastgate restore fastgate-2026-11-29.tar --data /var/lib/fastgate
              fastgate restore fastgate-2026-11-29.tar --config /etc/fastgate/fastgate.yaml --replace
            """
    )
    @Argument(help: "The backup.", completion: .file())
    var backup: String
    @OptionGroup var file: ConfigurationOption
    @Option(help: "The data directory, instead of the file's storage.path.")
    var data: String?
    @Option(
        help: "A file with the master key of the backup's time, where it is not the present one.",
        completion: .file()
    )
    var keyFile: String?
    @Flag(help: "Move what is in the directory aside.")
    var replace = false
    @Flag(help: "Print the result as JSON.")
    var json = false

    /// What is printed for programs.
    private struct Result: Encodable {
        let files: Int
        let createdAt: Timestamp
        let version: String
        let log: Bool
        let before: String?
        let takenMasterKey: String?
        let missingMasterKey: String?
    }

    func run() throws {
        do {
            let outcome = try Restore(try options()).run(from: backup, mayReplace: replace, keyFile: keyFile)
            if json {
                let result = Result(
                    files: outcome.files,
                    createdAt: outcome.createdAt,
                    version: outcome.version,
                    log: outcome.hasLog,
                    before: outcome.before,
                    takenMasterKey: outcome.takenMasterKey,
                    missingMasterKey: outcome.missingMasterKey
                )
                return Output.json(try JSONForm.text(result))
            }
            Self.show(outcome)
        } catch let failure as StartFailure {
            Output.errorLine("fastgate: \(failure)")
            throw ExitCode(1)
        } catch let failure as SystemError {
            Output.errorLine("fastgate: \(failure)")
            throw ExitCode(1)
        }
    }

    private static func show(_ outcome: Restore.Outcome) {
        let log = outcome.hasLog ? "with the log" : "without the log"
        Output.line("restored \(outcome.files) files of \(outcome.createdAt) into \(outcome.data), \(log)")
        if let before = outcome.before {
            Output.line("what was there before stands in \(before); remove it once all is well")
        }
        if let file = outcome.takenMasterKey {
            Output.line("the master key is that of \(file); the one before is kept with its data")
        }
        if let file = outcome.missingMasterKey {
            Output.line(
                "put the master key of that time into \(file) (mode 0600), or set FASTGATE_MASTER_KEY, then start"
            )
        } else {
            Output.line("start the gateway with fastgate serve")
        }
    }

    private func options() throws -> GatewayOptions {
        let directory = data ?? Environment.value("FASTGATE_DATA")
        // Where the directory is named, a file that is only found here may be as it will: it says no more than where the
        // master key is.
        let isNeeded = directory == nil || file.config != nil
        let path = isNeeded ? try file.path() : try? file.path()
        var configuration = Configuration()
        if let path {
            do throws(ConfigurationFaults) {
                configuration = try ConfigurationLoader.load(file: path, environment: Environment.all)
                    .configuration
            } catch {
                guard !isNeeded else {
                    Output.errorLine(error.description)
                    throw ExitCode(1)
                }
                Output.errorLine("warning: \(path) has faults and is passed over")
            }
        }
        var options = GatewayOptions(configuration: configuration, environment: Environment.all)
        options.dataPath = directory
        return options
    }
}
