import CLinux
import Operations

#if canImport(Glibc)
import Glibc
#endif

/// The console's own thread: waits for keys, news and the clock, and paints.
///
/// It never waits for anything else: not for the gateway, and not for the terminal to take what is painted.
final class ConsoleLoop {
    private var state: ConsoleState
    private let device: TerminalDevice
    private let painter: NcursesPainter
    private let mailbox: Mailbox
    private let themes: ThemeWatch
    private let send: ([ConsoleEffect]) -> Void
    private var parser = KeyParser()
    private var governor = FrameGovernor()
    private var ended: ConsoleEnd?
    private var isDirty = true
    /// Whether a key waits to be seen.
    private var isUrgent = true
    private var needsResize = false
    private var resizedAt: ContinuousClock.Instant?
    private var lastFigures: ContinuousClock.Instant?
    /// Since when the terminal owes us the taking of what was painted.
    private var busySince: ContinuousClock.Instant?
    private var pulse = TerminalPulse()

    /// How long a lone Esc waits for the rest of a sequence.
    private static let escapeDelay: Int32 = 10
    /// How long the next of several changes of size waits: only the last one matters.
    private static let resizePause = Duration.milliseconds(250)
    /// How long a terminal may take nothing before nothing more is fetched for it.
    private static let stallDelay = Duration.seconds(1)

    init(
        state: ConsoleState,
        device: TerminalDevice,
        painter: NcursesPainter,
        mailbox: Mailbox,
        themes: ThemeWatch,
        send: @escaping ([ConsoleEffect]) -> Void
    ) {
        self.state = state
        self.device = device
        self.painter = painter
        self.mailbox = mailbox
        self.themes = themes
        self.send = send
    }

    func run() -> ConsoleEnd {
        device.makeRaw()
        device.send(RestoreSequence.claim)
        perform(state.begin())
        paintIfDue()
        while ended == nil {
            wait()
            guard !device.isGone else {
                ended = .hangUp
                break
            }
            takeMail()
            tick()
            noticeStall()
            paintIfDue()
        }
        if ended != .hangUp { giveBack() }
        return ended ?? .hangUp
    }

    // MARK: Waiting

    private func wait() {
        var entries = [
            pollfd(fd: device.input, events: Int16(device.isBusy ? POLLIN | POLLOUT : POLLIN), revents: 0),
            pollfd(fd: mailbox.wakeReader, events: Int16(POLLIN), revents: 0),
            pollfd(fd: themes.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        let count = poll(&entries, nfds_t(entries.count), timeout())
        if count == 0, parser.isWaiting { take(parser.flush()) }
        guard count > 0 else { return }
        if entries[2].revents != 0, themes.takeChanges() { perform([.loadThemes]) }
        let news = Int32(entries[0].revents)
        if news & (POLLHUP | POLLERR | POLLNVAL) != 0 { device.hangUp() }
        if news & POLLOUT != 0 {
            // However slow it is, it takes something.
            busySince = nil
            device.sendMore()
            if !device.isBusy { governor.drained(at: .now) }
        }
        if news & POLLIN != 0, !device.isGone { take(parser.feed(device.read())) }
    }

    /// Milliseconds to the next thing to do by itself.
    private func timeout() -> Int32 {
        if parser.isWaiting { return Self.escapeDelay }
        var wait = 1000 - Int32(Self.microseconds() / 1000 % 1000)
        // The gateway's figures bring the second along; only when they stay away it has to be waited for.
        if isSpeaking, let lastFigures {
            let due = lastFigures + .seconds(1) + .milliseconds(Int(Self.patience))
            wait = Int32(clamping: (due - .now).milliseconds) + 1
        }
        if let resizeDue {
            wait = min(wait, Int32(clamping: (resizeDue - .now).milliseconds) + 1)
        } else if isDirty, !device.isBusy, !state.isStalled,
            let due = governor.earliest(isUrgent: isUrgent, isFocused: state.isFocused)
        {
            let left = Int32(clamping: (due - .now).milliseconds)
            wait = min(wait, max(0, left + 1))
        }
        return max(wait, 0)
    }

    /// Whether the gateway sends its figures every second.
    private var isSpeaking: Bool {
        lastFigures.map { .now - $0 < .seconds(1) + .milliseconds(2 * Int(Self.patience)) } ?? false
    }

    /// Milliseconds that figures may be late before the clock goes on without them.
    private static let patience: Int32 = 250

    private static func microseconds() -> Int {
        Int(clinux_wall_clock_microseconds())
    }

    // MARK: Events

    private func take(_ events: [TerminalEvent]) {
        for event in events {
            pulse.answered(isAnswer: event == .answer)
            guard event != .answer else { continue }
            perform(state.reduce(.terminal(event)))
            isDirty = true
            isUrgent = true
        }
    }

    private func takeMail() {
        let (events, orders) = mailbox.take()
        for order in orders {
            switch order {
            case .resized: needsResize = true
            case .end(let end): ended = ended ?? end
            }
        }
        for event in events {
            if case .answer(.live) = event {
                // The first ones are waited for.
                isUrgent = isUrgent || lastFigures == nil
                lastFigures = .now
            }
            isDirty = isDirty || state.shows(event)
            perform(state.reduce(event))
        }
    }

    private func tick() {
        let now = Timestamp(microseconds: Self.microseconds())
        guard now.seconds != state.now.seconds else { return }
        let toast = state.toast
        perform(state.reduce(.tick(now)))
        // One frame a second, not two.
        if !isSpeaking || state.toast != toast { isDirty = true }
        // A change of size whose signal went astray.
        if let size = device.size, size != state.size { needsResize = true }
    }

    private func noticeStall() {
        let now = ContinuousClock.now
        busySince = device.isBusy ? busySince ?? now : nil
        let isStuck = busySince.map { now - $0 > Self.stallDelay } ?? false
        let isStalled = isStuck || pulse.isSilent(at: now)
        // One that is slow, or has taken all and not said so yet, is left as it is.
        if isStalled || !device.isBusy, isStalled != state.isStalled {
            perform(state.reduce(.stalled(isStalled)))
            isDirty = true
        }
        if state.isStalled, !device.isBusy, pulse.asks(withFrame: false, at: now) {
            device.send(RestoreSequence.question)
        }
    }

    private func perform(_ effects: [ConsoleEffect]) {
        var others: [ConsoleEffect] = []
        for effect in effects {
            switch effect {
            case .copy(let text): device.send(RestoreSequence.clipboard(text))
            case .setMouse(let isOn): device.send(isOn ? RestoreSequence.mouseOn : RestoreSequence.mouseOff)
            case .repaint:
                painter.repaint()
                isDirty = true
            case .suspend: suspend()
            case .editExternally(let text, let suffix): editExternally(text, suffix)
            case .end(let end): ended = ended ?? end
            default: others.append(effect)
            }
        }
        if !others.isEmpty { send(others) }
    }

    /// Gives the terminal back to the shell and stops, until the shell brings the process back.
    private func suspend() {
        giveBack()
        Self.stopJob()
        takeBack()
    }

    /// Lends the terminal to a program of the operator's; whatever else is going on goes on.
    private func editExternally(_ text: String, _ suffix: String) {
        giveBack()
        let edited = ExternalEditor.edit(text, suffix: suffix, limit: state.scripts.editor.limit) {
            mailbox.isEnding
        }
        takeBack()
        perform(state.reduce(.edited(edited)))
    }

    private func takeBack() {
        device.makeRaw()
        device.send(RestoreSequence.claim + (state.isMouseOn ? RestoreSequence.mouseOn : []))
        painter.repaint()
        needsResize = true
        isDirty = true
    }

    /// Before the shell reads the terminal again, which would take an answer for something typed.
    private func giveBack() {
        device.restore(after: painter.end(), awaitingAnswer: pulse.isOpen)
        pulse = TerminalPulse()
    }

    /// Stops this process and the parent that watches over it; returns once the shell has brought both back.
    private static func stopJob() {
        if getpgid(getppid()) == getpgrp() { kill(getppid(), SIGTSTP) }
        // To oneself the signal goes by thread, and threads made by the runtime block it: sent to the process it may
        // arrive only after the terminal has been taken again.
        var stop = sigset_t()
        var before = sigset_t()
        sigemptyset(&stop)
        sigaddset(&stop, SIGTSTP)
        pthread_sigmask(SIG_UNBLOCK, &stop, &before)
        raise(SIGTSTP)
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    // MARK: Painting

    private func paintIfDue() {
        guard isDirty || needsResize, !device.isBusy, ended == nil else { return }
        let now = ContinuousClock.now
        // Nobody reads: what is painted now would only be older when somebody does.
        if state.isStalled, pulse.isSilent(at: now) { return }
        if let due = governor.earliest(isUrgent: isUrgent, isFocused: state.isFocused), due > now {
            isDirty = true
            return
        }
        if needsResize {
            // A frame of the old size would be torn.
            guard resizeDue == nil else { return }
            resize()
        }
        let frame = ConsoleView.draw(state)
        isDirty = false
        isUrgent = false
        let bytes = painter.paint(frame.buffer, cursor: frame.cursor.map { ($0.x, $0.y) })
        guard !bytes.isEmpty else { return }
        governor.painted(at: now)
        // A few characters cannot be seen half painted, and the wrapping would double them.
        device.send(bytes.count < 200 ? bytes : RestoreSequence.frameBegin + bytes + RestoreSequence.frameEnd)
        if pulse.asks(withFrame: true, at: now) { device.send(RestoreSequence.question) }
        if !device.isBusy { governor.drained(at: .now) }
    }

    /// When the next size may be taken; nil when it may be now, or there is none.
    private var resizeDue: ContinuousClock.Instant? {
        guard needsResize, let due = resizedAt.map({ $0 + Self.resizePause }), due > .now else { return nil }
        return due
    }

    private func resize() {
        needsResize = false
        guard let size = device.size, size != state.size else { return }
        resizedAt = .now
        painter.resize(to: size)
        perform(state.reduce(.resize(size)))
    }
}
