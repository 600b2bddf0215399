import NIOCore

/// Removes and adds top-level members of a JSON body, and leaves every other byte as it is.
enum BodyEditor {
    /// The edited body, or nil when nothing had to change.
    ///
    /// `names`: members to remove, in lower case and as they are spelled between their quotes; those that differ in
    /// capital letters only go too, since some readers see no difference.
    /// `addition`: a member to put first, as bytes `"name":"value"`; one of the same name is removed.
    static func edit(
        _ body: ByteBuffer,
        removing names: [[UInt8]],
        adding addition: (name: [UInt8], member: [UInt8])?
    ) -> ByteBuffer? {
        body.withUnsafeReadableBytes { bytes in
            var walker = JSONWalker(bytes)
            guard let start = walker.bodyStart else { return nil }
            var kept: [Range<Int>] = []
            var removed = false
            while let member = walker.next() {
                let key = UnsafeRawBufferPointer(rebasing: bytes[member.key])
                let isUnwanted =
                    names.contains { ASCII.equalIgnoringCase(key, $0) }
                    || addition.map { ASCII.equalIgnoringCase(key, $0.name) } == true
                if isUnwanted { removed = true } else { kept.append(member.whole) }
            }
            guard removed || addition != nil else { return nil }
            return assemble(bytes, start: start, members: kept, addition: addition?.member, removed: removed)
        }
    }

    private static func assemble(
        _ bytes: UnsafeRawBufferPointer,
        start: Int,
        members: [Range<Int>],
        addition: [UInt8]?,
        removed: Bool
    ) -> ByteBuffer {
        var result = ByteBuffer()
        result.reserveCapacity(bytes.count + (addition?.count ?? 0) + 1)
        result.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[0..<start]))
        if let addition {
            result.writeBytes(addition)
            if !members.isEmpty { result.writeInteger(UInt8(ascii: ",")) }
        }
        guard removed else {
            result.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[start...]))
            return result
        }
        for (index, member) in members.enumerated() {
            if index > 0 { result.writeInteger(UInt8(ascii: ",")) }
            result.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[member]))
        }
        result.writeInteger(UInt8(ascii: "}"))
        return result
    }
}
