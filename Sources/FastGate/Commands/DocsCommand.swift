import ArgumentParser
import Console

/// Prints the pages of the documents that are made from the program itself; `make docs` writes them.
struct DocsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docs",
        abstract: "Print a page of the documents that is made from the program.",
        discussion: "Example: fastgate docs man > /usr/local/share/man/man1/fastgate.1"
    )

    enum Page: String, ExpressibleByArgument, CaseIterable {
        case consoleKeys = "console-keys"
        case man
    }

    @Argument(help: "The page.")
    var page: Page

    func run() throws {
        switch page {
        case .man: Output.plain(try ManualPage.text())
        case .consoleKeys: Output.line(KeysPage.markdown)
        }
    }
}
