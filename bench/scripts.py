"""What a header costs a request: static, in JavaScript, in Python; and what other callers notice of scripts that hang.

`bench/scripts.py [--rounds N] [--seconds N] [--only costs|hanging]`, in .venv. One gateway with an upstream for each kind, turn by turn, one request at a time.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("FASTGATE_BINARY", ROOT / ".build/release/fastgate"))
os.environ["FASTGATE_BINARY"] = str(BINARY)
sys.path.insert(0, str(ROOT / "Tests/integration"))

from conftest import Gateway, Mock  # noqa: E402

KINDS = {
    "none": None,
    "static": {"kind": "static", "value": "platform"},
    "javascript": {"kind": "javascript", "script": "return new Date().toISOString();"},
    "python": {"kind": "python", "script": "from datetime import datetime\nresult = datetime.now().isoformat()"},
    "signature": {
        "kind": "javascript",
        "script": "const t = Math.floor(Date.now() / 1000);\nreturn `t=${t},v1=${hmac('sha256', 'secret', context.path + t)}`;",
    },
}


def wrk(gateway, key, slug, seconds, folder, connections=1):
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.body = \'{"model":"mock-1","messages":[]}\'\n'
        f'wrk.headers["X-API-Key"] = "{key}"\nwrk.headers["Content-Type"] = "application/json"\n'
        "done = function(s, l)\n io.write(string.format('RESULT %d %d %d\\n', l:percentile(50), l:percentile(99),"
        " s.errors.connect + s.errors.read + s.errors.write + s.errors.status + s.errors.timeout))\nend\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), gateway.url(f"/proxy/{slug}/v2/chat/completions")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    p50, p99, failed = (int(word) for word in text.split("RESULT ")[1].split()[:3])
    assert failed == 0, (slug, text)
    return p50, p99


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", choices=["costs", "hanging"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mock = Mock("--gap-ms", "0", "--record", "0", "--ttft-ms", "0")
        upstreams = "".join(
            f"  - {{ slug: {kind}, base_url: 'http://127.0.0.1:{mock.port}/miniai', keys: [ {{ name: k, value: v }} ] }}\n" for kind in KINDS
        )
        gateway = Gateway(folder, mock.port, upstream=upstreams, binary=str(BINARY)).start()
        try:
            key = gateway.key("callers")
            ids = {item["slug"]: item["id"] for item in gateway.admin("GET", "/upstreams").json["items"]}
            for kind, fields in KINDS.items():
                if fields:
                    made = gateway.admin("POST", "/headers", {"upstream_id": ids[kind], "name": "X-Value", **fields})
                    assert made.status == 201, made.body
            if options.only != "hanging":
                costs(gateway, key, options, folder)
            if options.only != "costs":
                hanging(gateway, key, options, folder)
        finally:
            gateway.stop()
            mock.stop()


def costs(gateway, key, options, folder):
    """One request every 3 ms, kind after kind: what a header costs where requests do not come one upon the other; then as fast as they go."""
    paced = {kind: [] for kind in KINDS}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    for turn in range(options.rounds * options.seconds * 60):
        for kind in KINDS:
            begin = time.perf_counter()
            connection.request("POST", f"/proxy/{kind}/v2/chat/completions", b'{"model":"mock-1","messages":[]}', headers)
            response = connection.getresponse()
            body = response.read()
            if turn >= 20:
                paced[kind].append((time.perf_counter() - begin) * 1e6)
            assert response.status == 200, (turn, kind, body, gateway.log()[-2000:])
            time.sleep(0.003)
    full, values = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    for turn in range(options.rounds):
        for kind in list(KINDS)[:: 1 if turn % 2 == 0 else -1]:
            full[kind].append(wrk(gateway, key, kind, options.seconds, folder))
            values[kind].append(waited(gateway, kind))
    print(f"{'header':12}{'paced p50':>12}{'added':>8}{'p99':>8}{'full p50':>12}{'added':>8}{'p99':>8}{'value p50':>12}   us")
    base = None
    for kind in KINDS:
        times = sorted(paced[kind])
        row = [times[len(times) // 2], times[len(times) * 99 // 100]]
        row += [statistics.median(column) for column in zip(*full[kind])]
        base = base or row
        print(f"{kind:12}{row[0]:>12.0f}{row[0] - base[0]:>8.0f}{row[1]:>8.0f}{row[2]:>12.0f}{row[2] - base[2]:>8.0f}{row[3]:>8.0f}{statistics.median(values[kind]):>12.0f}")


def waited(gateway, kind):
    """Microseconds that the last requests have waited for a value, at p50, as the gateway has measured them."""
    rules = gateway.admin("GET", "/headers").json["items"]
    ids = {item["id"] for item in gateway.admin("GET", "/upstreams").json["items"] if item["slug"] == kind}
    return next((rule["p50_ms"] * 1000 for rule in rules if rule["upstream_id"] in ids and rule["p50_ms"]), 0)


@contextlib.contextmanager
def asking(gateway, clients, script, folder):
    """So many clients that try a script, each again half a second to one and a half after its answer; by wrk, which takes next to no time for it itself."""
    body = json.dumps({"language": "javascript", "script": script})
    file = folder / "ask.lua"
    file.write_text(
        f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\nwrk.headers["Authorization"] = "Bearer {gateway.token}"\n'
        'wrk.headers["Content-Type"] = "application/json"\nfunction delay() return math.random(500, 1500) end\n'
        "done = function(s, l)\n io.write(string.format('ASKED %d %d\\n', s.requests,"
        " s.errors.connect + s.errors.read + s.errors.write + s.errors.status))\nend\n"
    )
    url = f"http://127.0.0.1:{gateway.admin_port}/api/admin/scripts/test"
    command = ["wrk", "-t1", f"-c{clients}", "-d600s", "--timeout", "10s", "-s", str(file), url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=30)[0]
    asked, failed = (int(word) for word in text.split("ASKED ")[1].split()[:2])
    assert asked > 0 and failed == 0, text


def hanging(gateway, key, options, folder):
    """Scripts that never end, again and again, beside callers who use none; and what asking as often costs by itself."""
    results = {}

    def measure(name, clients, script):
        with asking(gateway, clients, script, folder) if clients else contextlib.nullcontext():
            time.sleep(1.5)
            results.setdefault(name, []).append(wrk(gateway, key, "none", options.seconds, folder)[1])

    for turn in range(options.rounds):
        sides = [("none", 0, "")]
        for clients in (4, 200):
            sides += [(f"{clients} that return", clients, "return {}"), (f"{clients} that hang", clients, "while(1);")]
        for side in sides if turn % 2 == 0 else reversed(sides):
            measure(*side)
    print("p99 of other callers, beside scripts of so many clients, us")
    for name, values in results.items():
        print(f"  {name:16}{statistics.median(values):>8.0f}  {values}")


if __name__ == "__main__":
    main()
