#if canImport(Glibc)
import Glibc
#endif

/// Tells when a file in the folders of themes was edited, without looking while nothing happens.
final class ThemeWatch {
    /// Readable after a change; -1 where the system can watch no more, and themes are read at the start only.
    let descriptor: Int32

    init(folders: [String]) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        // Editors write in place, or put a new file in the old one's place.
        let changes = UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_DELETE)
        for folder in folders where descriptor >= 0 {
            // A folder that is not there holds no themes.
            _ = inotify_add_watch(descriptor, folder, changes)
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether anything has changed since the last call.
    func takeChanges() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var isChanged = false
        while read(descriptor, &bytes, bytes.count) > 0 { isChanged = true }
        return isChanged
    }
}
