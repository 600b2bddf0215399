import Operations

/// The logs pane's rows, its following, and the record that is open.
extension ConsoleState {
    // MARK: What the gateway sends

    mutating func take(_ page: LogPage) {
        guard page.filter == filter.text else { return }
        let oldestFirst = Array(page.records.reversed())
        if let asked = page.asked {
            // An answer to a question about another place of the log.
            guard asked == logs.cursor else { return }
            let known = Set(logs.table.rows.map(\.id))
            logs.table.prepend(oldestFirst.filter { !known.contains($0.id) })
        } else {
            guard page.time == logs.target else { return }
            replace(with: oldestFirst, upTo: page.time)
        }
        logs.isLoadingOlder = false
        logs.cursor = page.cursor
        logs.isLoading = false
        logs.fault = nil
    }

    /// A page in place of what is there; what has come since it was read stays behind it.
    private mutating func replace(with page: [LogRecord], upTo time: Timestamp?) {
        let newest = page.last?.id ?? 0
        let isFirst = logs.shownFilter == nil
        logs.shownFilter = filter.text
        guard time == nil else {
            logs.table.replace(page)
            logs.isFollowing = false
            logs.isDetached = true
            logs.table.move(.bottom, page: 1)
            if let open = logs.record.flatMap({ logs.table.index(of: $0.id) }) { logs.table.select(open) }
            return
        }
        let known = logs.isDetached ? logs.waiting : logs.table.rows + logs.waiting
        logs.table.replace(page + known.filter { $0.id > newest })
        logs.waiting = []
        logs.newCount = 0
        logs.isDetached = false
        logs.isFollowing = logs.isFollowing || logs.isResuming || isFirst
        logs.isResuming = false
        if logs.isFollowing { logs.table.move(.bottom, page: 1) }
    }

    /// What follows the rows of a jump; nothing means that they reach the present.
    mutating func take(newer records: [LogRecord], from time: Timestamp) {
        guard logs.isLoadingNewer, logs.isDetached, logs.table.rows.last?.time == time else { return }
        logs.isLoadingNewer = false
        let known = Set(logs.table.rows.suffix(LogsState.pageSize).map(\.id))
        let new = records.filter { !known.contains($0.id) }
        guard !new.isEmpty else {
            say("that was the newest; G follows on", .info, for: 3)
            return
        }
        logs.table.append(new, limit: LogsState.limit)
        logs.table.move(.down, page: 1)
    }

    mutating func take(_ batch: LogBatch) {
        logs.fault = nil
        logs.skipped += batch.skipped
        logs.newCount += logs.isFollowing ? 0 : batch.records.count + batch.skipped
        guard logs.isFollowing else {
            logs.waiting = Array((logs.waiting + batch.records).suffix(LogsState.limit))
            return
        }
        append(batch.records)
    }

    private mutating func append(_ records: [LogRecord]) {
        let last = logs.table.rows.last?.id ?? 0
        // A page and the tail may overlap; ids rise.
        let recent = Set(logs.table.rows.suffix(LogsState.pageSize * 2).map(\.id))
        let new = records.filter { $0.id > last || !recent.contains($0.id) }
        guard !new.isEmpty else { return }
        logs.table.append(new, limit: LogsState.limit)
        logs.table.move(.bottom, page: 1)
    }

    mutating func take(_ result: Result<LogDetail, OperationsError>, for id: Int) {
        guard logs.record?.id == id else { return }
        switch result {
        case .success(let detail):
            logs.record?.detail = detail
            logs.record?.record = detail.record
            logs.record?.view.replace(RecordText.lines(detail, zone: zone))
        case .failure(let error): logs.record?.fault = error.description
        }
    }

    // MARK: Commands

    mutating func runLogs(_ id: CommandID) -> [ConsoleEffect] {
        switch id {
        case .pauseLogs: return logs.isFollowing ? pause() : resume()
        case .nextError: return findError(1)
        case .previousError: return findError(-1)
        case .sameCaller:
            guard let name = logs.record?.record.clientKey ?? logs.table.selection?.clientKey else {
                return []
            }
            return setFilter(FilterText.client(name))
        case .jumpToTime:
            overlays.append(.prompt(Prompt(kind: .time, editor: LineEditor(), before: "")))
            return []
        case .copyCurl:
            guard let detail = logs.record?.detail else { return [] }
            return copy(RecordText.curl(detail, address: system.status?.address ?? "127.0.0.1:8514"))
        default: return []
        }
    }

    private mutating func pause() -> [ConsoleEffect] {
        logs.isFollowing = false
        return []
    }

    private mutating func resume() -> [ConsoleEffect] {
        // After a jump the rows between are not here; they come first.
        guard !logs.isDetached else {
            logs.isResuming = true
            logs.target = nil
            logs.isLoading = true
            return [.loadLogs(filter: filter.text, cursor: nil, to: nil)]
        }
        logs.isFollowing = true
        let waiting = logs.waiting
        logs.waiting = []
        logs.newCount = 0
        append(waiting)
        logs.table.move(.bottom, page: 1)
        return showSelected()
    }

    mutating func moveLogs(_ movement: Movement) -> [ConsoleEffect] {
        let rects = ConsoleLayout(self).logs(logs)
        if logs.record != nil, logs.isRecordFull || logs.isRecordFocused || rects.list.isEmpty {
            logs.record?.view.move(movement, page: rects.record.height)
            return []
        }
        if case .bottom = movement { return resume() }
        let wasLast = logs.table.isAtEnd
        logs.table.move(movement, page: rects.list.height - 1)
        if wasLast, logs.table.isAtEnd, movement.isDown, logs.isDetached, !logs.isLoadingNewer,
            let last = logs.table.rows.last
        {
            logs.isLoadingNewer = true
            return [.loadNewer(filter: filter.text, from: last.time)]
        }
        if !logs.table.isAtEnd { logs.isFollowing = false }
        var effects = showSelected()
        if logs.table.selected == 0, let cursor = logs.cursor, !logs.isLoadingOlder,
            logs.table.rows.count < LogsState.limit
        {
            logs.isLoadingOlder = true
            effects.append(.loadLogs(filter: filter.text, cursor: cursor, to: nil))
        }
        return effects
    }

    mutating func selectLog(_ index: Int) -> [ConsoleEffect] {
        logs.table.select(index)
        logs.isFollowing = logs.table.isAtEnd && logs.isFollowing
        return showSelected()
    }

    /// The open record is the selected one's.
    private mutating func showSelected() -> [ConsoleEffect] {
        guard logs.record != nil, let selection = logs.table.selection, selection.id != logs.record?.id else {
            return []
        }
        return open(selection)
    }

    mutating func open(_ record: LogRecord) -> [ConsoleEffect] {
        logs.record = LogsState.OpenRecord(id: record.id, record: record)
        logs.record?.view.replace(RecordText.heading(record, zone: zone))
        return [.loadRecord(record.id)]
    }

    /// Enter opens the record, then gives it the whole pane.
    mutating func openLog() -> [ConsoleEffect] {
        guard logs.record == nil else {
            logs.isRecordFull.toggle()
            logs.isRecordFocused = logs.isRecordFull
            return []
        }
        guard let selection = logs.table.selection else { return [] }
        // What is read stays where it is; the row that is marked is the one that is shown.
        logs.isFollowing = false
        return open(selection)
    }

    private mutating func findError(_ direction: Int) -> [ConsoleEffect] {
        var index = logs.table.selected + direction
        while logs.table.rows.indices.contains(index) {
            if RecordText.isError(logs.table.rows[index]) {
                logs.table.select(index)
                logs.isFollowing = false
                return showSelected()
            }
            index += direction
        }
        say(
            direction < 0
                ? "no earlier error among the rows loaded; g loads more"
                : logs.isFollowing
                    ? "no later error"
                        + (keymap.key(for: .previousError).map { "; \($0) goes to the one before" } ?? "")
                    : logs.isDetached
                        ? "no later error among the rows loaded; \(glyphs.down) at the end loads more"
                        : "no later error among the rows loaded; G goes to the newest",
            .info,
            for: 3
        )
        return []
    }

    /// Shows the exchanges up to a moment.
    mutating func jump(to moment: Timestamp) -> [ConsoleEffect] {
        logs.isFollowing = false
        logs.isLoading = true
        logs.newCount = 0
        logs.target = moment
        return [.loadLogs(filter: filter.text, cursor: nil, to: moment)]
    }

    func copyOfLogs() -> String? {
        if let record = logs.record, logs.isRecordFull || logs.isRecordFocused { return record.view.copyText }
        let rows = logs.table.targets
        return rows.isEmpty ? nil : rows.map { RecordText.line($0, zone: zone) }.joined(separator: "\n")
    }
}
