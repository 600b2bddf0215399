"""Measures FastGate against nginx and Envoy: the same backend, the same load, sides alternating, medians.

    make bench                   all of it, about six minutes
    .venv/bin/python bench/run.py --rounds 3 --seconds 3 --only cpu

Prints one table and writes bench/out/results.json. Figures are ratios and differences of one run; absolute ones say
more about the machine. CPU is user and system time of a side's processes from /proc, divided by its requests, read
for FastGate only once the audit has nothing pending.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from sides import Direct, Envoy, FastGate, MockBackend, Nginx, StreamBackend
from streams import EVENTS, GAP_MS, compiled, measure_streams

ROOT = Path(__file__).resolve().parent.parent


def wrk(side, connections, seconds, script):
    """One wrk run; returns requests, errors and latency percentiles in microseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), side.url]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    line = next(line for line in text.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))


def script_for(side, folder):
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in side.headers.items())
    path = folder / f"{side.name}.lua"
    path.write_text(
        """
wrk.method = "POST"
wrk.body = '{"model":"mock-1","messages":[{"role":"user","content":"Say something short about gates."}]}'
wrk.headers["Content-Type"] = "application/json"
"""
        + headers
        + """
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format('RESULT {"requests":%d,"errors":%d,"seconds":%f,"p50":%d,"p99":%d}\\n', summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99)))
end
"""
    )
    return path


def measure(sides, rounds, connections, seconds, folder):
    """Alternates the sides; returns the median of each figure by side."""
    samples = {side.name: [] for side in sides}
    for side in sides:
        wrk(side, connections, 1, script_for(side, folder))
    for round_number in range(rounds):
        order = sides if round_number % 2 == 0 else list(reversed(sides))
        for side in order:
            side.settle()
            before = side.cpu_seconds()
            result = wrk(side, connections, seconds, script_for(side, folder))
            side.settle()
            assert result["errors"] == 0, f"{side.name}: {result}"
            result["cpu_us"] = (side.cpu_seconds() - before) / result["requests"] * 1e6
            result["rps"] = result["requests"] / result["seconds"]
            samples[side.name].append(result)
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in ("cpu_us", "rps", "p50", "p99")}
        for name, runs in samples.items()
    }


def table(title, rows, columns):
    print(f"\n{title}")
    print("  ".join(f"{column:>14}" for column in ["side", *columns]))
    for name, row in rows.items():
        cells = [f"{row[column]:.1f}" if isinstance(row.get(column), (int, float)) else "-" for column in columns]
        print("  ".join(f"{cell:>14}" for cell in [name, *cells]))


@contextlib.contextmanager
def running(binary, folder, backend, audits):
    """The references, then one gateway for each of `audits`, all in front of one backend; stopped on the way out."""
    started = [backend]
    try:
        started += [Nginx(folder, backend.port), Envoy(ROOT / ".venv/bin/envoy", folder, backend.port)]
        for name, audit in audits.items():
            started.append(FastGate(name, binary, folder, backend.port, audit))
        yield started[1:]
    finally:
        for side in started:
            side.stop()


def requests(options, binary, folder):
    """Plain requests: CPU at c=32, latency at c=1."""
    results = {}
    audits = {"fastgate": "normal", "audit off": "off"}
    mock = MockBackend(binary)
    with running(binary, folder, mock, audits) as sides:
        if options.only in (None, "cpu"):
            rows = measure(sides, options.rounds, 32, options.seconds, folder)
            for row in rows.values():
                row["x envoy"] = row["cpu_us"] / rows["envoy"]["cpu_us"]
                row["x nginx"] = row["cpu_us"] / rows["nginx"]["cpu_us"]
            results["cpu"] = rows
            table("CPU per request, c=32 (us)", rows, ["cpu_us", "x envoy", "x nginx", "rps", "p99"])
        if options.only in (None, "latency"):
            rows = measure([Direct(mock.port), *sides], options.rounds, 1, options.seconds, folder)
            for row in rows.values():
                row["added p50"] = row["p50"] - rows["direct"]["p50"]
                row["added p99"] = row["p99"] - rows["direct"]["p99"]
            results["latency"] = rows
            table("Latency, c=1 (us)", rows, ["p50", "p99", "added p50", "added p99"])
    return results


def streams(options, binary, folder):
    """Many paced streams at once.

    nginx runs twice: what it differs from itself by, no side's difference can be told from.
    """
    folder = folder / "paced"
    folder.mkdir()
    provider = StreamBackend(compiled("provider", folder), EVENTS, GAP_MS)
    with running(binary, folder, provider, {"fastgate": "normal", "audit off": "off"}) as sides:
        again = Nginx(folder, provider.port, "nginx again")
        try:
            rows = measure_streams([Direct(provider.port), *sides, again], options.streams, options.rounds, folder)
        finally:
            again.stop()
    reference = (rows["nginx"]["lag p99"] + rows["nginx again"]["lag p99"]) / 2
    for row in rows.values():
        row["over nginx"] = row["lag p99"] - reference
    columns = ["ttft p50", "ttft p99", "ttft p99 low", "lag p50", "lag p99", "over nginx", "lag p99 low", "lag max"]
    columns += ["events", "merged", "cpu us", "rss MB"]
    table(f"{options.streams} streams of {EVENTS} events paced {GAP_MS} ms (us)", rows, columns)
    return {"streams": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", choices=["cpu", "latency", "streams"])
    parser.add_argument("--streams", type=int, default=512)
    options = parser.parse_args()
    binary = ROOT / ".build/release/fastgate"
    results = {}
    with tempfile.TemporaryDirectory() as name:
        if options.only != "streams":
            results |= requests(options, binary, Path(name))
        if options.only in (None, "streams"):
            results |= streams(options, binary, Path(name))
    out = ROOT / "bench/out"
    out.mkdir(exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
