/// One thing wrong with a configuration file, and where.
package struct ConfigurationFault: Error, Equatable, Sendable, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let column: Int
    /// The dotted path of the key: `upstreams[0].base_url`.
    package let key: String
    package let message: String

    package var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        return key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
    }
}

/// Everything wrong with a configuration file, in the order of its lines.
package struct ConfigurationFaults: Error, CustomStringConvertible {
    package let faults: [ConfigurationFault]

    package var description: String {
        faults.map(\.description).joined(separator: "\n")
    }
}
