"""A console in a pseudo-terminal, read as an operator's eyes would (pyte) and measured in bytes."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

BINARY = os.environ["FASTGATE_BINARY"]

NAMES = {
    "Enter": "\r", "Esc": "\x1b", "Tab": "\t", "Up": "\x1b[A", "Down": "\x1b[B", "Left": "\x1b[D",
    "Right": "\x1b[C", "PgUp": "\x1b[5~", "PgDn": "\x1b[6~", "Ctrl-End": "\x1b[1;5F", "Backspace": "\x7f",
    **{f"Ctrl-{chr(64 + code)}": chr(code) for code in range(1, 27)},
}


class Screen(pyte.Screen):
    """pyte knows neither synchronized output nor keypad modes, which draw nothing.

    It answers what a terminal is asked, as terminals do.
    """

    answer = None

    def report_device_attributes(self, *arguments, **options):
        pass

    def write_process_input(self, data):
        if self.answer:
            self.answer(data.encode())


class Terminal:
    """The master's side of a pty in which a program runs as the foreground job of its own session."""

    def __init__(self, arguments, columns=120, lines=40, environment=None, cwd=None):
        self.screen = Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = 0
        # When the last bytes came: what the screen makes of them takes longer than many programs.
        self.read_at = 0.0
        self.raw = bytearray()
        self.master, self.slave = pty.openpty()
        self.screen.answer = lambda data: os.write(self.master, data)
        self.resize(columns, lines, tell=False)
        self.before = termios.tcgetattr(self.slave)
        base = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": "/nonexistent", "TZ": "UTC"}
        kept = {name: os.environ[name] for name in ("PATH", "FASTGATE_BINARY") if name in os.environ}
        variables = {**kept, **base, **(environment or {})}
        variables = {name: value for name, value in variables.items() if value is not None}
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for descriptor in (0, 1, 2):
                os.dup2(self.slave, descriptor)
            os.closerange(3, 256)
            if cwd:
                os.chdir(cwd)
            os.execve(arguments[0], [str(argument) for argument in arguments], variables)
        self.status = None

    # -- reading

    def pump(self, seconds=0.02):
        """Reads what is there; waits for the first of it at most so long."""
        if self.master < 0:
            return False
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.read_at = time.monotonic()
        self.bytes += len(data)
        self.raw += data
        # pyte does not know `CSI ? … $` and takes part of it for text.
        self.stream.feed(data)
        return bool(data)

    def drain(self, seconds=0.02):
        """Takes what is there without looking at it, as a terminal on another machine does; answers its questions."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return
        try:
            data = os.read(self.master, 65536)
            for _ in range(data.count(b"\x1b[5n")):
                os.write(self.master, b"\x1b[0n")
        except OSError:
            pass
        else:
            self.bytes += len(data)

    def wait_for(self, condition, timeout=10.0, what=None):
        """Reads until the screen satisfies a condition, or holds a text."""
        test = condition if callable(condition) else lambda: condition in self.text
        deadline = time.monotonic() + timeout
        while not test():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what or condition!r} did not come; the screen is:\n{self.text}")
            self.pump(0.05)
        return self.text

    def settle(self, quiet=0.15, timeout=5.0):
        """Reads until nothing has come for a while."""
        deadline = time.monotonic() + timeout
        while self.pump(quiet) and time.monotonic() < deadline:
            pass

    @property
    def lines(self):
        return list(self.screen.display)

    @property
    def text(self):
        return "\n".join(self.lines)

    # -- writing

    def press(self, *keys):
        for key in keys:
            os.write(self.master, NAMES.get(key, key).encode())
            # An Esc and a letter in one read would be Alt with the letter.
            self.pump(0.04 if key == "Esc" else 0.005)

    def paste(self, text):
        os.write(self.master, b"\x1b[200~" + text.encode() + b"\x1b[201~")

    def resize(self, columns, lines, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    # -- ending

    def close(self):
        """Hangs up, as an SSH connection that drops."""
        os.close(self.slave) if self.slave >= 0 else None
        os.close(self.master)
        self.master = self.slave = -1

    def wait_end(self, timeout=5.0):
        """The exit status, or minus the signal."""
        deadline = time.monotonic() + timeout
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"the program has not ended in {timeout} s; the screen is:\n{self.text}")
            if not self.pump(0.02):
                time.sleep(0.005)
        while self.master >= 0 and self.pump(0.02):
            pass
        return self.status

    def is_restored(self):
        """Whether the terminal's settings are those from before, and its modes are off."""
        now = termios.tcgetattr(self.slave)
        modes = [b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1004l"]
        tail = bytes(self.raw[-4000:])
        return now == self.before and all(mode in tail for mode in modes)

    def kill(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        if self.master >= 0:
            self.close()


def children(pid):
    """The processes that a process has started."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(number) for number in file.read().split()]


def cpu_seconds(pid):
    """Of all threads of a process, in nanoseconds' steps: /proc counts ticks of 10 ms, more than an idle second has."""
    return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of another process, see clock_getcpuclockid(3)
