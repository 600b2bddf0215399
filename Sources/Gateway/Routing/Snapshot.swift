/// Everything an exchange reads about the world, frozen; a change makes a new one for every loop.
final class Snapshot: Sendable {
    /// Grows with each change: a loop never goes back to an older one.
    let generation: Int
    let configuration: Configuration
    let upstreams: [String: UpstreamEntry]
    let clientKeys: ClientKeyIndex
    let preflight: Preflight?
    let headLimits: HeadLimits

    init(
        generation: Int,
        configuration: Configuration,
        upstreams: [UpstreamEntry],
        clientKeys: ClientKeyIndex
    ) {
        self.generation = generation
        self.configuration = configuration
        self.upstreams = Dictionary(uniqueKeysWithValues: upstreams.map { ($0.slug, $0) })
        self.clientKeys = clientKeys
        preflight = configuration.cors.origins.isEmpty ? nil : Preflight(configuration.cors)
        headLimits = HeadLimits(
            firstLine: configuration.limits.maxRequestLineBytes,
            fieldLine: configuration.limits.maxHeaderLineBytes,
            fields: configuration.limits.maxHeaderBytes,
            fieldCount: configuration.limits.maxHeaders
        )
    }
}
