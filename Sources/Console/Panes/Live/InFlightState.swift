import Operations

extension LiveExchange: Identifiable {}

/// What the pane of exchanges in flight shows.
struct InFlightState: Sendable {
    /// Those that the filter lets through, sorted.
    var table = TableState<LiveExchange>()
    var sort = SortOrder(column: "age", isDescending: true)
    /// Pieces of a stream a second, between the last two snapshots.
    var rates: [Int: Double] = [:]
    /// Whether the list stands still to be read.
    var isPaused = false
    /// The one whose answer is read as it comes.
    var watched: Watched?
    /// Whether it takes the whole pane.
    var isTextFull = false
    /// Whether the keys go to it rather than the list.
    var isTextFocused = false

    /// An exchange whose answer is followed.
    struct Watched: Sendable {
        let id: Int
        var exchange: LiveExchange
        /// What the model says, and what is sent.
        private(set) var said: GrowingText
        private(set) var sent: GrowingText
        private var reader: GeneratedText?
        /// Whether what comes next begins anew.
        var isBegun = false
        var isRaw = false
        /// Whether the end is kept in sight.
        var isFollowing = true
        private(set) var leftOut = 0
        private(set) var isOver = false
        /// What ended it, if not its answer.
        private(set) var error: String?
        /// Why nothing comes any more.
        var fault: String?
        var view = TextView()

        init(_ exchange: LiveExchange, width: Int) {
            id = exchange.id
            self.exchange = exchange
            said = GrowingText(width: width)
            sent = GrowingText(width: width)
        }

        var shown: GrowingText { isRaw ? sent : said }

        mutating func take(_ piece: WatchedPiece) {
            if !isBegun || piece.restarted {
                (said, sent, reader) = (GrowingText(width: said.width), GrowingText(width: said.width), nil)
                isBegun = true
            }
            if piece.gap > 0 {
                // A line that is not whole is nobody's.
                reader = nil
                for text in [\Watched.said, \.sent] {
                    self[keyPath: text].append("\n… \(ByteText.short(piece.gap)) had passed before …\n")
                }
            }
            exchange = piece.exchange
            leftOut = piece.leftOut
            (isOver, error) = (piece.ended, piece.error)
            guard !piece.text.isEmpty else {
                if piece.restarted { refresh() }
                return
            }
            // Before its answer begins nobody knows whether it is a stream.
            var current = reader ?? GeneratedText(isEventStream: piece.exchange.isStream)
            said.append(current.read(piece.text))
            reader = current
            sent.append(piece.text)
            refresh()
        }

        mutating func wrap(to width: Int) {
            guard width != said.width else { return }
            said.wrap(to: width)
            sent.wrap(to: width)
            refresh()
        }

        mutating func refresh() {
            let copy = shown.text
            view.replace(
                shown.lines.map { TextView.Line(StyledText($0, isRaw ? .text : .string), copy: copy) }
            )
            if isFollowing { view.move(.bottom, page: 1) }
        }
    }
}
