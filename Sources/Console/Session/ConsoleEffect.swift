import Operations

/// What a console wants done; the reducer only says so.
enum ConsoleEffect: Sendable, Equatable {
    case watchLive(filter: String)
    /// nil: nobody would see them.
    case followLogs(LogWatch?)
    /// The answer of one in flight as it comes; nil: nobody reads it.
    case watchExchange(Int?)
    case loadCharts(ChartRequest)
    case loadStats(filter: String)
    case loadRecent(filter: String)
    case loadLogs(filter: String, cursor: String?, to: Timestamp?)
    /// On from a moment, after a jump.
    case loadNewer(filter: String, from: Timestamp)
    case loadRecord(Int)
    case loadKeys
    case loadUsage([ClientKey])
    case loadPool
    case loadUpstreams
    case loadRules
    case loadHeaders
    case loadAlerts
    case importKeys(path: String, ImportOptions)
    /// Everything that the gateway keeps, into a file on the console's machine.
    case backUp(path: String, log: Bool)
    /// To be edited.
    case loadTemplate(NotificationEvent)
    case runScript(ScriptTest, number: Int)
    /// In a program of the operator's, which gets the terminal meanwhile.
    case editExternally(String, suffix: String)
    /// Something that changes nothing, whose answer is shown.
    case ask(ConsoleQuestion)
    case loadSystem
    case loadThemes
    case change(ConsoleChange)
    case saveSettings(ConsoleSettings)
    case copy(String)
    case setMouse(Bool)
    case repaint
    case suspend
    case end(ConsoleEnd)
}

/// Which new exchanges are wanted as they are written.
struct LogWatch: Sendable, Equatable {
    enum Pace: Sendable {
        /// As many as an eye can follow, for the log.
        case full
        /// A few a second, for what only shows that something happens.
        case glance
    }

    let filter: String
    let pace: Pace
}

/// Why a console ends.
package enum ConsoleEnd: Sendable, Equatable {
    /// The operator leaves; the gateway goes on.
    case detach
    /// The operator wants the gateway to stop.
    case stopGateway
    /// The terminal is gone.
    case hangUp
}

/// What an operator wants to be told once.
enum ConsoleQuestion: Sendable, Equatable {
    case upstream(id: Int, slug: String)
    case upstreamKey(id: Int, name: String)
    case channel(id: Int, name: String)
    case template(NotificationEvent)
    /// `of`: what they are tried on, in words.
    case rules(RuleTest, of: String)
}

/// A change to the gateway that an operator has decided on.
enum ConsoleChange: Sendable, Equatable {
    case createKey(ClientKeyDraftFields)
    case editKey(id: Int, name: String, version: Int, ClientKeyDraftFields)
    case setEnabled(ids: [Int], names: [String], Bool)
    case rotate(id: Int, name: String, overlap: Duration)
    case revoke(ids: [Int], names: [String])
    case delete(ids: [Int], names: [String])
    case pool(PoolEdit)
    case upstream(UpstreamEdit)
    case rule(RuleEdit)
    case header(HeaderEdit)
    case alert(AlertEdit)
    /// Exchanges in flight, with the names of their client keys.
    case cut(ids: [Int], names: [String])
    case reload
    case rotateMasterKey
    /// Erases what the log holds of a client key.
    case purge(id: Int, name: String)
    /// Undoes lines of the operators' audit, in this order; with the change that has made them, where it was here.
    indirect case takeBack([Int], what: String, of: ConsoleChange?)

    /// The client keys that it is about.
    var ids: [Int] {
        switch self {
        case .createKey, .reload, .rotateMasterKey, .purge, .cut, .pool, .upstream, .rule, .header, .alert,
            .takeBack:
            []
        case .editKey(let id, _, _, _), .rotate(let id, _, _): [id]
        case .setEnabled(let ids, _, _), .revoke(let ids, _), .delete(let ids, _): ids
        }
    }

    /// For messages: `“lab”`, or `3 keys`.
    var object: String {
        switch self {
        case .createKey(let fields): "“\(fields.name)”"
        case .editKey(_, let name, _, _), .rotate(_, let name, _): "“\(name)”"
        case .setEnabled(_, let names, _), .revoke(_, let names), .delete(_, let names):
            names.count == 1 ? "“\(names[0])”" : "\(names.count) keys"
        case .cut(_, let names): names.count == 1 ? "the request of “\(names[0])”" : "\(names.count) requests"
        case .pool(let edit): edit.object
        case .upstream(let edit): edit.object
        case .rule(let edit): edit.object
        case .header(let edit): edit.object
        case .alert(let edit): edit.object
        case .reload: "the configuration"
        case .rotateMasterKey: "the master key"
        case .purge(_, let name): "“\(name)”"
        case .takeBack(_, let what, _): what
        }
    }

    /// What is touched, by its ids; empty for what is made, or is an order.
    var touched: [Int] {
        switch self {
        case .pool(let edit): edit.ids
        case .upstream(.change(let id, _, _, _)), .upstream(.setEnabled(let id, _, _)),
            .upstream(.reset(let id, _)),
            .upstream(.delete(let id, _)):
            [id]
        case .rule(let edit): edit.ids
        case .header(let edit): edit.ids
        case .alert(.change(let channel, _)), .alert(.setEnabled(let channel, _)),
            .alert(.delete(let channel)):
            [channel.id]
        default: ids
        }
    }

    /// Whether a line of the operators' audit, written meanwhile, may be of this.
    func made(_ line: OperatorChange) -> Bool {
        guard line.object == auditedObject else { return false }
        guard let id = line.objectId, !touched.isEmpty else { return true }
        return touched.contains(id)
    }

    /// What the operators' audit calls what it is about; nil where nothing is left that could be taken back.
    var auditedObject: String? {
        switch self {
        case .createKey, .editKey, .setEnabled, .rotate, .revoke, .delete: "client_key"
        case .pool: "upstream_key"
        case .upstream: "upstream"
        case .rule: "rule"
        case .header: "header_rule"
        case .alert(.setInterval), .alert(.runTask): "task"
        case .alert(.template): "notification_template"
        case .alert(.resend): nil
        case .alert: "notification_channel"
        case .cut, .reload, .rotateMasterKey, .purge, .takeBack: nil
        }
    }
}

/// The fields of a client key that a form fills in.
struct ClientKeyDraftFields: Sendable, Equatable {
    var name = ""
    var owner = ""
    var expiresAt: Timestamp?
    var permissions = ClientKeyPermissions()
    var limits = RateLimits()
    var quota: Quota?
    var notes = ""
}

/// What an operator has chosen for themselves, kept by the gateway.
package struct ConsoleSettings: Codable, Sendable, Equatable {
    var theme: String?
    var charts: String?
    var hiddenColumns: [String: [String]] = [:]
    var window: ChartWindow = .fiveMinutes

    init() {}

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        theme = try container.decodeIfPresent(String.self, forKey: .theme)
        charts = try container.decodeIfPresent(String.self, forKey: .charts)
        hiddenColumns = try container.decodeIfPresent([String: [String]].self, forKey: .hiddenColumns) ?? [:]
        window = try container.decodeIfPresent(ChartWindow.self, forKey: .window) ?? .fiveMinutes
    }
}

/// How much time a chart shows.
enum ChartWindow: String, Codable, Sendable, CaseIterable {
    case fiveMinutes = "5m"
    case hour = "1h"
    case day = "24h"

    var seconds: Int {
        switch self {
        case .fiveMinutes: 300
        case .hour: 3600
        case .day: 86_400
        }
    }

    /// Seconds from one value to the next.
    var step: Int {
        switch self {
        case .fiveMinutes: 1
        case .hour: 10
        case .day: 60
        }
    }
}
