"""Paced streams through each side, read by a small C client whose own cost does not drown the figures."""

import json
import statistics
import subprocess
import time
from pathlib import Path

EVENTS, GAP_MS, SPREAD_MS = 64, 20, 500


def measure_streams(sides, streams, rounds, folder):
    client = compiled("streams", folder)
    samples = {side.name: [] for side in sides}
    for round_number in range(rounds):
        order = sides if round_number % 2 == 0 else list(reversed(sides))
        for side in order:
            # Once unmeasured: what counts is the pace of a provider in use, whose connections are open.
            run(client, side, streams)
            samples[side.name].append(run(client, side, streams))
    rows = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in samples.items()}
    for name, runs in samples.items():
        # What else the machine does only ever adds to a lag: the lowest run says most of the side itself.
        rows[name]["lag p99 low"] = min(run["lag p99"] for run in runs)
        rows[name]["ttft p99 low"] = min(run["ttft p99"] for run in runs)
    return rows


def compiled(name, folder):
    program = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(program), str(source)], check=True)
    return program


def run(client, side, streams):
    headers = [f"{name}: {value}" for name, value in side.headers.items()]
    command = [str(client), str(side.port), side.path, str(streams), str(EVENTS), str(SPREAD_MS), *headers]
    before = side.cpu_seconds()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep((EVENTS * GAP_MS + SPREAD_MS) / 2000)
    resident = side.resident_bytes() / 1e6
    text, _ = process.communicate(timeout=60)
    result = json.loads(text)
    assert process.returncode == 0, f"{side.name}: {result}"
    side.settle()
    cpu = (side.cpu_seconds() - before) / result["events"] * 1e6
    return {**result, "cpu us": cpu, "rss MB": resident}
