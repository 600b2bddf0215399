import ArgumentParser
import Console

/// Prints the pages of the documents that are made from the program itself; `make docs` writes them.
struct DocsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docs",
        abstract: "Print a page of the documents that is made from the program.",
        discussion: "Example: fastgate docs console-keys",
        shouldDisplay: false
    )

    enum Page: String, ExpressibleByArgument, CaseIterable {
        case consoleKeys = "console-keys"
    }

    @Argument(help: "The page.")
    var page: Page

    func run() {
        switch page {
        case .consoleKeys: Output.line(KeysPage.markdown)
        }
    }
}
