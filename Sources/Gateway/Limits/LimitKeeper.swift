import Logging
import ServiceLifecycle

#if canImport(Glibc)
import Glibc
#endif

/// Writes the counts to the disk every second, so that a power cut costs no more than that; never on a loop.
struct LimitKeeper: Service {
    private static let interval = Duration.seconds(1)

    let limiter: Limiter
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown { [self] in
            var told: String?
            while !Task.isCancelled {
                told = write(told)
                // A cancelled sleep is the end of the loop.
                try? await Task.sleep(for: Self.interval)
            }
        }
        _ = write(nil)
    }

    /// - Returns: the problem that operators have been told of.
    private func write(_ told: String?) -> String? {
        let (descriptor, problem) = limiter.markTime()
        var trouble = problem
        if let descriptor {
            if fdatasync(descriptor) != 0 {
                trouble = SystemError("cannot write the file of rate limits").description
            }
            close(descriptor)
        }
        if let trouble, trouble != told {
            logger.error(
                "rate limits hold, but what they have counted may not survive a restart",
                metadata: ["reason": "\(trouble)"]
            )
        }
        return trouble
    }
}
