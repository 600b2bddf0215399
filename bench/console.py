"""Measures the console in a pseudo-terminal, beside btop, htop and lnav: bytes, frames, CPU, memory, latency.

    .venv/bin/python bench/console.py [--seconds 15] [--stalls]

CPU and resident memory are the processes' own, from /proc; a frame is what arrives without a pause of 20 ms.
Latency is from the writing of a key to the first byte that comes back. Prints one table.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("FASTGATE_BINARY", ROOT / ".build/release/fastgate"))
os.environ.setdefault("FASTGATE_BINARY", str(BINARY))
sys.path.insert(0, str(ROOT / "Tests/integration"))

from conftest import Gateway, Mock, wait_until  # noqa: E402
from terminal import Terminal, children, cpu_seconds  # noqa: E402

PAGE = os.sysconf("SC_PAGE_SIZE")


def family(pid):
    return [pid, *(child for first in children(pid) for child in family(first))]


def resident(pids):
    """Megabytes that belong to these processes alone, and all that they map (a parent shares its child's pages)."""
    private = total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "Pss":
                total += int(rest.split()[0])
            if name.startswith("Private"):
                private += int(rest.split()[0])
    return total / 1024


class Meter:
    """What a terminal is sent and what its program costs, over a stretch of time."""

    def __init__(self, terminal, others=()):
        self.terminal, self.others = terminal, list(others)

    def run(self, seconds):
        pids = family(self.terminal.pid)
        start, before = time.monotonic(), sum(cpu_seconds(pid) for pid in pids)
        others = sum(cpu_seconds(pid) for pid in self.others)
        sizes, last = [], 0.0
        while time.monotonic() - start < seconds:
            count = self.terminal.bytes
            if not self.terminal.pump(0.05):
                continue
            now = time.monotonic()
            if now - last > 0.02 or not sizes:
                sizes.append(0)
            sizes[-1] += self.terminal.bytes - count
            last = now
        elapsed = time.monotonic() - start
        return {
            "bytes/s": sum(sizes) / elapsed,
            "frames/s": len(sizes) / elapsed,
            "bytes/frame": statistics.median(sizes) if sizes else 0,
            "CPU %": 100 * (sum(cpu_seconds(pid) for pid in pids) - before) / elapsed,
            "gateway %": 100 * (sum(cpu_seconds(pid) for pid in self.others) - others) / elapsed if self.others else None,
            "MB": resident(pids),
        }


def show(name, figures):
    cells = [f"{name:38}"]
    for key in ("bytes/s", "frames/s", "bytes/frame", "CPU %", "gateway %", "MB"):
        value = figures.get(key)
        cells.append(f"{'–':>12}" if value is None else f"{value:12.2f}")
    print("".join(cells), flush=True)


def attach(gateway, *arguments):
    terminal = Terminal([BINARY, "console", "--socket", gateway.socket, *arguments])
    terminal.wait_for("serving")
    return terminal


def first_frame(gateway):
    samples = []
    for _ in range(5):
        start = time.monotonic()
        terminal = Terminal([BINARY, "console", "--socket", gateway.socket])
        terminal.wait_for("Dashboard")
        shown = time.monotonic() - start
        terminal.wait_for("serving")
        samples.append((shown * 1000, (time.monotonic() - start) * 1000, terminal.bytes))
        terminal.press("q")
        terminal.wait_end()
        terminal.kill()
    return [statistics.median(column) for column in zip(*samples)]


def key_latency(gateway):
    terminal = attach(gateway)
    terminal.press("4")
    terminal.settle(0.3)
    moves, escapes = [], []
    for index in range(200):
        terminal.settle(0.03)
        count, start = terminal.bytes, time.monotonic()
        os.write(terminal.master, b"j" if index % 20 < 10 else b"k")
        while terminal.bytes == count:
            terminal.pump(0.2)
        moves.append((terminal.read_at - start) * 1000)
    for _ in range(40):
        terminal.press(":")
        terminal.wait_for("Command")
        terminal.settle(0.05)
        count, start = terminal.bytes, time.monotonic()
        os.write(terminal.master, b"\x1b")
        while terminal.bytes == count:
            terminal.pump(0.2)
        escapes.append((terminal.read_at - start) * 1000)
    terminal.kill()
    return sorted(moves), sorted(escapes)


def load(gateway, key, rate, seconds, stop):
    """Requests at a rate that a person would call light."""

    def work():
        interval, due = 1 / rate, time.monotonic()
        while not stop.is_set():
            gateway.chat(key)
            due += interval
            stop.wait(max(0, due - time.monotonic()))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def flood(gateway, key, seconds, folder):
    script = folder / "flood.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.body = \'{"model":"mock-1","messages":[]}\'\n'
        f'wrk.headers["X-API-Key"] = "{key}"\nwrk.headers["Content-Type"] = "application/json"\n'
        # Some 10,000 a second, which is what the bar is about.
        "function delay() return 3 end\n"
    )
    return subprocess.Popen(
        ["wrk", "-t1", "-c40", f"-d{seconds}s", "-s", str(script), gateway.url("/proxy/miniai/v2/chat/completions")],
        stdout=subprocess.PIPE,
        text=True,
    )


def log_lag(gateway, terminal, key):
    """Milliseconds from the end of a request to its line on the screen, while the log is filtered under a flood."""
    terminal.press("/")
    terminal.wait_for(" / ")
    os.write(terminal.master, b"path:lag-\r")
    terminal.settle(0.5)
    lags = []
    for index in range(20):
        gateway.chat(key, path=f"/v2/lag-{index}")
        start = time.monotonic()
        while f"lag-{index} " not in terminal.text and time.monotonic() - start < 5:
            terminal.pump(0.01)
        lags.append((time.monotonic() - start) * 1000)
        terminal.settle(0.1, timeout=0.3)
    return sorted(lags)


def measure_fastgate(seconds, folder):
    mock = Mock("--gap-ms", "0", "--record", "0", "--ttft-ms", "0")
    gateway = Gateway(folder, mock.port, binary=str(BINARY)).start()
    pids = [gateway.process.pid]
    try:
        for index in range(20):
            key = gateway.key(f"key-{index:02}")
        shown, full, count = first_frame(gateway)
        terminal = attach(gateway)
        terminal.press("0")
        terminal.settle(0.5)
        terminal.press("4")
        terminal.settle(1.5)
        base = Meter(terminal, pids)
        idle = base.run(seconds)
        show("fastgate console, idle (Keys)", idle)
        terminal.press("1")
        terminal.settle(1.5)
        stop = threading.Event()
        thread = load(gateway, key, 20, seconds, stop)
        time.sleep(2)
        show("fastgate console, dashboard, 20/s", base.run(seconds))
        stop.set()
        thread.join()
        terminal.press("3")
        terminal.settle(1)
        process = flood(gateway, key, seconds + 13, folder)
        time.sleep(2)
        tail = base.run(seconds)
        lags = log_lag(gateway, terminal, key)
        tail["gateway %"] = None
        show("fastgate console, log tail, flood", tail)
        output = process.communicate()[0]
        rate = next(line for line in output.splitlines() if "Requests/sec" in line).split()[1]
        terminal.kill()
        moves, escapes = key_latency(gateway)
        # What consoles are shown of the whole log is found once a minute for all of them together.
        minute = max(seconds, 60)
        start_cpu, start = cpu_seconds(pids[0]), time.monotonic()
        time.sleep(minute)
        alone = 100 * (cpu_seconds(pids[0]) - start_cpu) / (time.monotonic() - start)
        many = [attach(gateway) for _ in range(20)]
        # What opening costs is another question.
        start = time.monotonic()
        while time.monotonic() - start < 10:
            for each in many:
                each.pump(0)
            time.sleep(0.05)
        start_cpu, start = cpu_seconds(pids[0]), time.monotonic()
        while time.monotonic() - start < minute:
            for each in many:
                each.pump(0)
            time.sleep(0.05)
        attached = 100 * (cpu_seconds(pids[0]) - start_cpu) / (time.monotonic() - start)
        for each in many:
            each.kill()
        dropped = gateway.admin("GET", "/status").json["audit"]["dropped"]
        print(f"first frame {shown:.0f} ms, with figures {full:.0f} ms, {count:.0f} bytes")
        print(f"log lag under the flood p50 {lags[10]:.0f} ms, worst {lags[-1]:.0f} ms")
        print(f"flood {rate} requests/s, {dropped} records dropped")
        print(f"key to pixels p50 {moves[100]:.1f} ms, p99 {moves[197]:.1f} ms; lone Esc p50 {escapes[20]:.1f}, worst {escapes[-1]:.1f} ms")
        print(f"gateway alone {alone:.2f} %, with 20 consoles attached {attached:.2f} %")
    finally:
        gateway.stop()
        mock.stop()


def callers_p99(gateway, key, seconds, folder):
    """Latency of callers that wait for each other, and how many of them failed."""
    script = folder / "steady.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.body = \'{"model":"mock-1","messages":[]}\'\n'
        f'wrk.headers["X-API-Key"] = "{key}"\nwrk.headers["Content-Type"] = "application/json"\n'
        "done = function(s, l)\n io.write(string.format('RESULT %d %d %d\\n', l:percentile(50), l:percentile(99),"
        " s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout))\nend\n"
    )
    command = ["wrk", "-t1", "-c2", f"-d{seconds}s", "-s", str(script), gateway.url("/proxy/miniai/v2/chat/completions")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(word) for word in text.split("RESULT ")[1].split()[:3]]


def measure_stalls(seconds, folder):
    """What callers notice of a terminal that is read, that nobody reads, and that changes its size all the time."""
    print(f"{'callers, c=2':38}{'p50 us':>10}{'p99 us':>10}{'failed':>10}")
    mock = Mock("--gap-ms", "0", "--record", "0", "--ttft-ms", "0")
    gateway = Gateway(folder, mock.port, binary=str(BINARY)).start()
    stop = threading.Event()

    def keep(terminal, storm=False):
        turn = 0
        while not stop.is_set():
            terminal.drain(0.05)
            if storm:
                turn += 1
                terminal.resize(40 + turn * 7 % 160, 10 + turn * 3 % 50)

    def case(name, terminal=None, storm=False):
        stop.clear()
        thread = threading.Thread(target=keep, args=(terminal, storm)) if terminal else None
        if thread:
            thread.start()
        p50, p99, failed = callers_p99(gateway, key, seconds, folder)
        stop.set()
        if thread:
            thread.join()
        print(f"{name:38}{p50:10}{p99:10}{failed:10}", flush=True)

    try:
        key = gateway.key("callers")
        for turn in (1, 2):
            case(f"no console ({turn})")
            terminal = attach(gateway)
            terminal.press("3")
            case(f"attached, read ({turn})", terminal)
            case(f"attached, unread ({turn})")
            case(f"attached, a storm of sizes ({turn})", terminal, storm=True)
            terminal.kill()
    finally:
        gateway.stop()
    config = gateway.config.read_text().replace("admin: { port: 0 }", "admin: { port: 0, socket: data/own.sock }")
    gateway.config.write_text(config)
    terminal = Terminal(
        [BINARY, "serve", "--config", gateway.config], cwd=str(folder), environment={"PROVIDER_KEY": "sk-real"}
    )
    try:
        terminal.wait_for("serving", timeout=20)
        gateway.socket = str(folder / "data" / "own.sock")
        # The console is there before the operators' port is.
        wait_until(lambda: Path(gateway.socket).exists(), what="the operators' socket")
        gateway.port = int(json.loads(gateway.command("status", "--json").stdout)["address"].rsplit(":", 1)[1])
        terminal.press("3")
        case("in process, read", terminal)
        case("in process, unread")
        case("in process, a storm of sizes", terminal, storm=True)
        terminal.close()
        case("in process, terminal gone")
    finally:
        os.kill(terminal.pid, 15)
        terminal.wait_end(20)
        mock.stop()


def measure_others(seconds, folder):
    log = folder / "access.log"
    log.write_text("".join(f"2026-11-21T14:22:{index % 60:02} GET /v1/models 200 {index}\n" for index in range(5000)))
    for name, command in (
        ("btop", ["--utf-force"]), ("htop", []), ("lnav", [str(log)]),
    ):
        path = shutil.which(name)
        if path is None:
            print(f"{name:38} not installed; scripts/setup bench installs it")
            continue
        terminal = Terminal([path, *command], environment={"HOME": str(folder)})
        terminal.settle(1, timeout=4)
        show(f"{name}, idle machine", Meter(terminal).run(seconds))
        terminal.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--stalls", action="store_true", help="what callers notice of stalled terminals, only")
    options = parser.parse_args()
    if options.stalls:
        with tempfile.TemporaryDirectory() as folder:
            return measure_stalls(options.seconds, Path(folder))
    print(f"{'120x40':38}" + "".join(f"{name:>12}" for name in ("bytes/s", "frames/s", "bytes/frame", "CPU %", "gateway %", "MB")))
    with tempfile.TemporaryDirectory() as folder:
        measure_fastgate(options.seconds, Path(folder))
        measure_others(options.seconds, Path(folder))


if __name__ == "__main__":
    main()
