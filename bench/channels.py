"""What channels that are dead for ten minutes do to callers, to the queue and to memory, and whether all is told in the end.

    .venv/bin/python bench/channels.py [--seconds 600] [--turns 0]

One webhook answers 500, one takes connections and never answers, a mail server does not exist. All the while keys are
disabled and enabled, 800 times in all: a queue holds 1,000, and leaves the oldest out beyond that. Two callers ask as fast as they can. Prints a line a minute, then what came of it.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("FASTGATE_BINARY", str(ROOT / ".build/release/fastgate"))
sys.path.insert(0, str(ROOT / "Tests/integration"))

from conftest import Gateway, Mock, wait_until  # noqa: E402
from receivers import Hook  # noqa: E402

KEYS = 20


class Callers:
    """Two that ask one request after the other, and how long each took."""

    def __init__(self, gateway, key):
        self.times, self.failures, self.stop = [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(gateway.port, key)) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def work(self, port, key):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        while not self.stop.is_set():
            begin = time.perf_counter()
            connection.request("POST", "/proxy/miniai/v2/chat/completions", b'{"messages": []}', headers)
            answer = connection.getresponse()
            answer.read()
            self.times.append(time.perf_counter() - begin)
            self.failures += answer.status != 200
            time.sleep(0.005)

    def take(self):
        """p50 and p99 since the last time, in µs, and how many."""
        times, self.times = self.times, []
        ordered = sorted(times)
        return statistics.median(ordered) * 1e6, ordered[int(len(ordered) * 0.99)] * 1e6, len(ordered)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Flipper:
    """Disables a key and enables it again, now and then, from the first to the last."""

    def __init__(self, gateway, keys, pause):
        self.pause = pause
        self.count, self.stop = 0, threading.Event()
        self.thread = threading.Thread(target=self.work, args=(gateway, keys))
        self.thread.start()

    def work(self, gateway, keys):
        while not self.stop.wait(self.pause):
            key = keys[self.count % len(keys)]
            assert gateway.admin("POST", f"/keys/{key}/disable", {"reason": f"number {self.count}"}).status == 200
            assert gateway.admin("POST", f"/keys/{key}/enable").status == 200
            self.count += 1

    def end(self):
        self.stop.set()
        self.thread.join()


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def silent():
    """A port that takes connections and never answers."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


def set_up(gateway, hook, listener):
    body = {"slug": "idle", "base_url": "http://127.0.0.1:1/v1"}
    upstream = gateway.admin("POST", "/upstreams", body).json["id"]
    keys = [
        gateway.admin("POST", "/keys", {"upstream_id": upstream, "name": f"k{n}", "key_value": f"sk-{n:020}"}).json["id"]
        for n in range(KEYS)
    ]
    common = {"events": ["key_disabled"], "dedupe": "0s"}
    channels = [
        {"name": "answers-500", "kind": "webhook", "webhook_url": hook.url, **common},
        {"name": "silent", "kind": "webhook", "webhook_url": f"http://127.0.0.1:{listener.getsockname()[1]}", **common},
        {"name": "nobody", "kind": "email", "smtp_host": "127.0.0.1", "smtp_port": 1, "smtp_security": "none",
         "from_email": "a@example.com", "to_emails": ["b@example.com"], **common},
    ]
    return keys, [lambda one=one: gateway.admin("POST", "/notifications/channels", one) for one in channels]


def told(hook):
    """The reasons of every event that was delivered with 200."""
    reasons = []
    for _, _, body, _ in hook.requests:
        data = json.loads(body)["data"]
        reasons += [event["data"]["reason"] for event in data.get("events", [])] or [data["reason"]]
    return set(reasons)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--turns", type=int, default=0, help="instead: so many turns of 20 s without and with dead channels")
    options = parser.parse_args()
    mock, hook, listener = Mock(), Hook(lambda count: (500, {}, b"dead")), silent()
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder), mock.port, extra="notifications: { allow_addresses: [127.0.0.0/8] }\n").start()
        try:
            if options.turns:
                take_turns(gateway, hook, listener, options.turns)
            else:
                measure(gateway, hook, listener, options.seconds)
        finally:
            gateway.stop()
            hook.stop()
            mock.stop()


def take_turns(gateway, hook, listener, turns):
    """The same callers and the same events, with and without channels, so that what else the machine does is in both."""
    keys, channels = set_up(gateway, hook, listener)
    callers = Callers(gateway, gateway.key())
    flipper = Flipper(gateway, keys, 0.5)
    time.sleep(5)
    found = {"without": [], "with": []}
    for _ in range(turns):
        for name in ("without", "with"):
            made = [channel().json["id"] for channel in channels] if name == "with" else []
            time.sleep(2)
            callers.take()
            time.sleep(20)
            p50, p99, count = callers.take()
            found[name].append((p50, p99))
            print(f"{name:>8} p50 {p50:6.0f} us  p99 {p99:6.0f} us  {count} requests", flush=True)
            for one in made:
                gateway.admin("DELETE", f"/notifications/channels/{one}")
    for name, figures in found.items():
        print(f"{name}: p50 {statistics.median(f[0] for f in figures):.0f}, p99 {statistics.median(f[1] for f in figures):.0f}")
    flipper.end()
    callers.end()


def measure(gateway, hook, listener, seconds):
    keys, channels = set_up(gateway, hook, listener)
    callers = Callers(gateway, gateway.key())
    flipper = Flipper(gateway, keys, seconds / 800)
    print(f"{'':>22} {'p50 us':>8} {'p99 us':>8} {'requests':>9} {'pending':>8} {'RSS MB':>7}")

    def line(name):
        p50, p99, count = callers.take()
        items = gateway.admin("GET", "/notifications/channels").json["items"]
        pending = sum(item["pending"] for item in items)
        print(f"{name:>22} {p50:8.0f} {p99:8.0f} {count:9} {pending:8} {resident(gateway.process.pid):7.1f}", flush=True)

    time.sleep(5)
    callers.take()
    time.sleep(min(60, seconds))
    line("no channel")
    without = flipper.count
    for channel in channels:
        made = channel()
        assert made.status == 201, made.body
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        time.sleep(min(60, seconds))
        line(f"dead for {time.monotonic() - begin:.0f} s")
    flipper.end()
    hook.requests.clear()
    hook.answers = lambda count: (200, {}, b"")
    wanted = {f"number {number}" for number in range(without + 2, flipper.count)}
    back = time.monotonic()
    wait_until(lambda: wanted <= told(hook), timeout=900, interval=1, what="everything to be told")
    line("all is told")
    callers.end()
    print(f"{len(wanted)} events of {seconds} s were told {time.monotonic() - back:.0f} s after the webhook was back, in "
          f"{len(hook.requests)} messages; {callers.failures} requests failed")


if __name__ == "__main__":
    main()
