#if canImport(Glibc)
import Glibc
#endif

/// Tells when a file in the folders of themes was edited, without looking while nothing happens.
final class ThemeWatch {
    /// Readable after a change; -1 where the system can watch no more, and themes are read at the start only.
    let descriptor: Int32
    private let folders: [String]
    /// The watches of folders that are there.
    private var own: Set<Int32> = []

    init(folders: [String]) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        self.folders = folders
        if descriptor >= 0 { watch() }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether a theme may have changed since the last call.
    func takeChanges() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var isChanged = false
        while case let count = read(descriptor, &bytes, bytes.count), count > 0 {
            isChanged = Self.watches(in: bytes.prefix(count)).contains(where: own.contains) || isChanged
        }
        // A folder may just have come, or another have taken its place.
        let before = own
        watch()
        return isChanged || own != before
    }

    /// Which watch each event belongs to (inotify(7): number, mask, cookie, length of the name, name).
    private static func watches(in bytes: ArraySlice<UInt8>) -> [Int32] {
        var found: [Int32] = []
        var place = 0
        bytes.withUnsafeBytes { raw in
            while place + 16 <= raw.count {
                found.append(raw.loadUnaligned(fromByteOffset: place, as: Int32.self))
                place += 16 + Int(raw.loadUnaligned(fromByteOffset: place + 12, as: UInt32.self))
            }
        }
        return found
    }

    /// Of a folder that is not there yet the nearest one above it is watched; to watch one again changes nothing.
    private func watch() {
        // Editors write in place, or put a new file in the old one's place.
        let changes = UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE)
        own = []
        for folder in folders {
            var number = inotify_add_watch(descriptor, folder, changes)
            if number >= 0 {
                own.insert(number)
                continue
            }
            var place = folder[...]
            while number < 0, let slash = place.lastIndex(of: "/"), slash > place.startIndex {
                place = place[..<slash]
                // Beside what is watched there already, should it be another of the folders.
                let arrivals = UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_MASK_ADD)
                number = inotify_add_watch(descriptor, String(place), arrivals)
            }
        }
    }
}
