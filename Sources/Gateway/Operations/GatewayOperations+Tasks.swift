package import Operations

extension GatewayOperations {
    package func tasks(by user: Operator) async throws -> Page<ScheduledTask> {
        Page(items: gateway.scheduler.tasks)
    }

    package func changeTask(
        _ name: String,
        _ change: ScheduledTaskChange,
        by user: Operator
    ) async throws -> ScheduledTask {
        try user.require(.operator)
        let name = try Self.name(name)
        switch change.interval {
        case .keep: break
        case .clear: try gateway.scheduler.set(nil, of: name, by: user)
        case .set(let text):
            guard let interval = Duration(text: text) else {
                let message = "must be a duration such as 30s or 1h"
                throw OperationsError(.invalid, message, parameter: "interval")
            }
            try gateway.scheduler.set(interval, of: name, by: user)
        }
        return try task(name)
    }

    package func runTask(_ name: String, by user: Operator) async throws -> ScheduledTask {
        try user.require(.operator)
        let name = try Self.name(name)
        try await gateway.scheduler.run(name)
        return try task(name)
    }

    private func task(_ name: ScheduledTask.Name) throws(OperationsError) -> ScheduledTask {
        guard let task = gateway.scheduler.tasks.first(where: { $0.name == name }) else {
            throw OperationsError(.notFound, "there is no task \(name.rawValue)")
        }
        return task
    }

    private static func name(_ text: String) throws(OperationsError) -> ScheduledTask.Name {
        guard let name = ScheduledTask.Name(rawValue: text) else {
            let names = ScheduledTask.Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw OperationsError(.notFound, "there is no task \(text); there are \(names)")
        }
        return name
    }
}
