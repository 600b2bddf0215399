import NIOHTTP1
package import Operations

extension AdminClient: TaskOperations {
    package func tasks(by user: Operator) async throws -> Page<ScheduledTask> {
        try await get("/tasks")
    }

    package func changeTask(
        _ name: String,
        _ change: ScheduledTaskChange,
        by user: Operator
    ) async throws -> ScheduledTask {
        try await call(.PATCH, "/tasks/\(Self.escape(name))", change)
    }

    package func runTask(_ name: String, by user: Operator) async throws -> ScheduledTask {
        try await call(.POST, "/tasks/\(Self.escape(name))/run")
    }
}
