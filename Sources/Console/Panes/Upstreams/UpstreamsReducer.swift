import Operations

/// What operators do with upstreams.
enum UpstreamEdit: Sendable, Equatable {
    case create(UpstreamDraft)
    case change(id: Int, slug: String, version: Int, UpstreamChange)
    case setEnabled(id: Int, slug: String, Bool)
    /// Ends its rest.
    case reset(id: Int, slug: String)
    case delete(id: Int, slug: String)

    /// For messages.
    var object: String {
        switch self {
        case .create(let draft): "“\(draft.slug)”"
        case .change(_, let slug, _, _), .setEnabled(_, let slug, _), .reset(_, let slug),
            .delete(_, let slug):
            "“\(slug)”"
        }
    }
}

extension ConsoleState {
    mutating func applyUpstreamFilter() {
        let fitting = upstreams.all.filter { UpstreamsState.accepts(filter.parsed, $0) }
        upstreams.table.replace(upstreams.sort.apply(fitting, UpstreamsView.columns(self)))
        applyHeaders()
    }

    mutating func runUpstreams(_ id: CommandID) -> [ConsoleEffect] {
        if id == .newUpstream {
            overlays.append(.form(UpstreamForm.make(nil), .newUpstream))
            return []
        }
        guard let upstream = upstreams.table.selection else { return [] }
        switch id {
        case .editUpstream: overlays.append(.form(UpstreamForm.make(upstream), .editUpstream(upstream)))
        case .toggleUpstream: return toggle(upstream)
        case .resetUpstream: return [.change(.upstream(.reset(id: upstream.id, slug: upstream.slug)))]
        case .deleteUpstream: askToDelete(upstream)
        case .testUpstream:
            say("asking \(upstream.slug) \(glyphs.ellipsis)", .info, for: 12)
            return [.ask(.upstream(id: upstream.id, slug: upstream.slug))]
        case .upstreamLogs:
            pane = .logs
            return setFilter(FilterText.upstream(upstream.slug))
        default: break
        }
        return []
    }

    /// To refuse callers is asked about; to serve them again is not.
    private mutating func toggle(_ upstream: Upstream) -> [ConsoleEffect] {
        let edit = UpstreamEdit.setEnabled(id: upstream.id, slug: upstream.slug, !upstream.enabled)
        guard upstream.enabled else { return [.change(.upstream(edit))] }
        let running = live?.exchanges.count { $0.upstream == upstream.slug } ?? 0
        var text = ["Its callers get 503 at once, until it is enabled again."]
        if !upstream.fallbacks.isEmpty {
            text.append("What stands in for it does so only for requests that it has taken.")
        }
        if running > 0 { text.append("\(running) in flight end in peace.") }
        let dialog = Dialog(
            title: "Disable \(upstream.slug)",
            text: text,
            buttons: [.init(label: "Disable", key: Key("y"))]
        )
        overlays.append(.dialog(dialog, .change(.upstream(edit))))
        return []
    }

    private mutating func askToDelete(_ upstream: Upstream) {
        let keys = upstream.keys == 1 ? "its key goes with it" : "its \(upstream.keys) keys go with it"
        let own = rules.all.count { $0.upstreamId == upstream.id }
        let rest = [upstream.keys > 0 ? keys : nil, own > 0 ? "so do rules of its own" : nil].compactMap {
            $0
        }
        let with = rest.isEmpty ? "" : ": " + rest.joined(separator: ", ")
        let dialog = Dialog(
            title: "Delete \(upstream.slug)",
            text: ["Its callers get 404 at once\(with). The logs keep its name. Undo brings it back."],
            buttons: [.init(label: "Delete", key: Key("y"))],
            typing: upstream.keys > 0 ? upstream.slug : nil
        )
        overlays.append(.dialog(dialog, .change(.upstream(.delete(id: upstream.id, slug: upstream.slug)))))
    }

    func copyOfUpstreams() -> String? {
        upstreams.table.selection.map { "\($0.slug)\t\($0.baseUrl)\t\($0.health)" }
    }

    /// Why a command on the selected upstream is not to be had.
    func refusalOfUpstreams(_ id: CommandID) -> String? {
        if id == .newUpstream { return nil }
        guard let upstream = upstreams.table.selection else { return "there is no upstream" }
        if id == .resetUpstream, upstream.health != "cooling" { return "it does not rest" }
        if upstream.source == .file, [.editUpstream, .deleteUpstream].contains(id) {
            return "the configuration file defines it; change it there and reload (Ctrl-R in System)"
        }
        return nil
    }
}
