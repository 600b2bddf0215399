import NIOSSL

/// How a secure upstream proves who it is.
enum UpstreamTrust {
    /// `caFile`: authorities in PEM form, nil for the system's.
    ///
    /// - Throws: one line that says what is wrong with the file.
    static func context(_ caFile: String?) throws(ConfigurationError) -> NIOSSLContext {
        if let caFile, !TextFile.exists(caFile) { throw ConfigurationError("there is no file \(caFile)") }
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.applicationProtocols = ["http/1.1"]
            if let caFile {
                let authorities = try NIOSSLCertificate.fromPEMFile(caFile)
                configuration.trustRoots = .certificates(authorities)
            }
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let file = caFile ?? "the system's file of authorities"
            throw ConfigurationError("\(file) holds no certificates in PEM form that can be used (\(error))")
        }
    }
}
