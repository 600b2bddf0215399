import Hummingbird
import Operations

/// `/scripts`: trying them, and some to begin with.
enum ScriptRoutes {
    static let all: [AdminRoute] = [
        .change(
            .post,
            "/scripts/test",
            "scripts",
            "Run a script once in the jail; one that fails is answered with 200, too",
            body: ScriptTest.fields,
            required: ["language", "script"]
        ) { request in
            let test = try await request.change(ScriptTest.self, fields: ScriptTest.fields)
            return try request.json(try await request.port.testScript(test, by: request.user))
        },
        .list("/scripts/examples", "scripts", "Scripts to begin with, in both languages") { request in
            Page(items: ScriptExamples.all)
        },
    ]
}
