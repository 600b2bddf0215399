import NIOSSL

/// The listener's certificate and key, as files in PEM form.
enum CertificateFiles {
    /// - Throws: one line that names the file and what is wrong with it.
    static func load(_ files: Configuration.TLS) throws(ConfigurationError) -> NIOSSLContext {
        let chain = try reading(files.certificate, "holds no certificate in PEM form") {
            try NIOSSLCertificate.fromPEMFile(files.certificate)
        }
        let key = try reading(files.privateKey, "holds no private key in PEM form") {
            try NIOSSLPrivateKey(file: files.privateKey, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.applicationProtocols = ["http/1.1"]
        let settled = configuration
        return try reading(files.privateKey, "does not belong to the certificate \(files.certificate)") {
            try NIOSSLContext(configuration: settled)
        }
    }

    private static func reading<Value>(
        _ file: String,
        _ problem: String,
        _ body: () throws -> Value
    ) throws(ConfigurationError) -> Value {
        do {
            return try body()
        } catch {
            throw ConfigurationError("\(file) \(problem) (\(error))")
        }
    }
}
