"""What a crash, a stop, a reload or a bad start leaves behind."""

import os
import resource
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import BINARY, Gateway, http, wait_until


class Load:
    """Callers that go on until they are told to stop; keeps the request ids that were answered whole."""

    def __init__(self, gateway, key, threads=6):
        self.gateway, self.key = gateway, key
        self.answered, self.failures = [], []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        count = 0
        while not self.is_over.is_set():
            name = f"load-{id(self)}-{number}-{count}"
            count += 1
            try:
                answer = self.gateway.chat(self.key, headers={"X-Request-Id": name})
            except Exception as error:
                self.failures.append(repr(error))
                self.is_over.wait(0.01)
                continue
            if answer.status == 200:
                self.answered.append(name)
            else:
                self.failures.append(answer.body)

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def all_logs(gateway):
    items, cursor = [], ""
    while True:
        page = gateway.admin("GET", f"/logs?limit=1000{cursor}").json
        items += page["items"]
        if not page["next_cursor"]:
            return items
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("round", range(20))
def test_kill_loses_no_answered_exchange(gateway, round):
    key = gateway.key()
    load = Load(gateway, key)
    wait_until(lambda: len(load.answered) > 100 + 17 * round, timeout=20)
    gateway.kill()
    load.stop()
    answered = set(load.answered)
    gateway.start()
    records = all_logs(gateway)
    assert answered <= {record["request_id"] for record in records if record["status"] == 200}
    assert len(records) == len({record["id"] for record in records})
    assert {record["error"] for record in records} <= {None, "interrupted", "caller_gone"}
    gateway.stop()
    for database in gateway.folder.glob("data/**/*.db"):
        assert sqlite3.connect(database).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_files_of_the_journal_that_a_kill_left_half_made_stop_no_start(gateway):
    gateway.kill()
    journal = gateway.folder / "data" / "journal"
    now = int(time.time())
    # What a start within the same seconds would name its own files.
    left = [journal / f"{loop}-{now + offset}.journal" for loop in (0, 1) for offset in range(-2, 20)]
    for number, path in enumerate(left):
        path.write_bytes(bytes(8 << 20 if number % 2 else 0))
    damaged = journal / f"0-{now + 3}.journal"
    damaged.write_bytes(b"damaged" * 1000)
    gateway.start()
    assert gateway.chat(gateway.key()).status == 200
    wait_until(lambda: gateway.logs(1), what="its record")
    gateway.stop()
    assert [path for path in left if path.exists()] == [damaged]
    assert "damaged" in gateway.log()


def test_as_many_records_are_listed_as_were_asked_for(gateway):
    key = gateway.key()
    load = Load(gateway, key)
    wait_until(lambda: len(load.answered) > 1001, timeout=60, what="more than a page of records")
    load.stop()
    answered = len(load.answered)
    wait_until(lambda: gateway.admin("GET", "/status").json["audit"]["pending"] == 0, what="all records")

    def listed(count):
        return [line.split()[1] for line in gateway.command("logs", "-n", str(count)).stdout.splitlines()]

    every = listed(1_000_000)
    assert len(every) == len(set(every)) == answered and every == sorted(every)
    for count in (1, 999, 1000, 1001):
        assert listed(count) == every[-count:]
    assert gateway.command("logs", "-n", "0", check=False).returncode != 0
    assert gateway.command("logs", "-n", "1000001", check=False).returncode != 0


def test_an_open_stream_is_interrupted_by_a_kill(gateway):
    import socket

    key = gateway.key()
    body = b'{"model":"m","stream":true}'
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    connection.sendall(
        b"POST /proxy/miniai/x HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nX-Mock-Tokens: 100000\r\nContent-Length: %d\r\n\r\n%s"
        % (key.encode(), len(body), body)
    )
    connection.recv(65536)
    gateway.kill()
    gateway.start()
    record = gateway.logs(1)[0]
    assert record["error"] == "interrupted" and record["client_key"] == "key1" and record["model"] == "m"
    assert gateway.detail(record)["request_body"] == body.decode()
    # The caller had a part of the answer, and nobody knows how much of it.
    assert " --- POST /proxy/miniai/x key1 –ms ? interrupted" in gateway.command("logs", "-n", "1").stdout
    connection.close()


@pytest.mark.parametrize("buffered", [8 << 20, 1 << 20], ids=["held", "streamed"])
def test_the_largest_bodies_of_both_sides_are_kept(make_gateway, mock, buffered):
    """A body that streams is written down with its answer, in one record that must fit the journal."""
    gateway = make_gateway(f"limits: {{ buffer_body_bytes: {buffered} }}\naudit: {{ max_body_bytes: {4 << 20} }}")
    body = b'{"model":"m","text":"' + b"x" * (5 << 20) + b'"}'
    answer = gateway.chat(gateway.key(), body, {"X-Mock-Content-Bytes": str(5 << 20)})
    assert answer.status == 200 and len(answer.body) > 5 << 20
    detail = gateway.detail(gateway.logs(1)[0])
    assert detail["error"] is None and detail["status"] == 200
    assert (detail["request_body_bytes"], detail["response_body_bytes"]) == (len(body), len(answer.body))
    for kept, sent in ((detail["request_body"].encode(), body), (detail["response_body"].encode(), answer.body)):
        assert 3 << 20 < len(kept) <= 4 << 20 and sent.startswith(kept)
    assert gateway.admin("GET", "/status").json["audit"]["dropped"] == 0


def test_room_for_connections_is_made_at_the_start(gateway):
    """A table of descriptors that grows under load stops every thread for tens of milliseconds, at each doubling."""
    with open(f"/proc/{gateway.process.pid}/status") as status:
        size = next(int(line.split()[1]) for line in status if line.startswith("FDSize:"))
    limit = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)[0]
    assert size >= min(limit, 65536)


def test_it_serves_with_few_descriptors(tmp_path, mock):
    """Room is made up to the limit and not beyond it, whatever the limit is."""
    few = tmp_path / "fastgate"
    few.write_text(f'#!/bin/sh\nulimit -n 200\nexec {BINARY} "$@"\n')
    few.chmod(0o755)
    gateway = Gateway(tmp_path, mock.port, binary=str(few)).start()
    try:
        assert resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE) == (200, 200)
        with open(f"/proc/{gateway.process.pid}/status") as status:
            assert 200 <= next(int(line.split()[1]) for line in status if line.startswith("FDSize:")) < 1024
        assert gateway.chat(gateway.key()).status == 200
    finally:
        gateway.stop()


def test_it_serves_without_any_privilege(tmp_path, mock):
    """Whoever starts the tests: what root alone may do must be asked of the kernel nowhere."""
    without = tmp_path / "fastgate"
    drop = "setpriv --bounding-set=-all --inh-caps=-all" if os.geteuid() == 0 else ""
    without.write_text(f'#!/bin/sh\nexec {drop} {BINARY} "$@"\n')
    without.chmod(0o755)
    gateway = Gateway(tmp_path, mock.port, binary=str(without)).start()
    try:
        with open(f"/proc/{gateway.process.pid}/status") as status:
            assert "CapEff:\t0000000000000000\n" in status
        key = gateway.key()
        assert gateway.chat(key).status == 200
        stream = gateway.chat(key, b'{"model":"m","stream":true}')
        assert stream.status == 200 and stream.body.endswith(b"data: [DONE]\n\n")
        for language, script in (("javascript", "return 1"), ("python", "result = 1")):
            tried = gateway.admin("POST", "/scripts/test", {"language": language, "script": script})
            assert tried.json["result"] == "1", tried.body
        assert len(gateway.logs(2)) == 2
    finally:
        gateway.stop()


def test_a_stop_drains_and_ends_streams_with_an_event(make_gateway):
    import socket

    gateway = make_gateway("limits: { drain_timeout: 500ms }")
    key = gateway.key()
    body = b'{"model":"m","stream":true}'
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    connection.sendall(
        b"POST /proxy/miniai/x HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nX-Mock-Tokens: 100000\r\nContent-Length: %d\r\n\r\n%s"
        % (key.encode(), len(body), body)
    )
    data = connection.recv(65536)
    began = time.monotonic()
    gateway.signal(signal.SIGTERM)
    while part := connection.recv(65536):
        data += part
    assert gateway.process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert b'"code":"shutting_down"' in data and b"[DONE]" not in data and not data.endswith(b"0\r\n\r\n")
    gateway.start()
    assert gateway.logs(1)[0]["error"] == "shutting_down"


def test_reload_under_load_fails_nobody(gateway):
    key = gateway.key()
    good = gateway.config.read_text()
    load = Load(gateway, key, threads=4)
    for count in range(10):
        gateway.config.write_text(good if count % 2 else good + "\nnope: 1\n")
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: sum("eload" in line.get("message", "") for line in gateway.lines()) > count)
    gateway.config.write_text(good + "\naudit: { mode: strict }\n")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: any(line.get("section") == "audit" for line in gateway.lines()))
    gateway.config.write_text(good)
    load.stop()
    assert load.failures == [] and len(load.answered) > 20
    assert any("nope" in line["message"] and "nothing changed" in line["message"] for line in gateway.lines())


def test_figures_and_used_keys_survive_a_restart(gateway):
    key = gateway.key()
    for _ in range(5):
        assert gateway.chat(key).status == 200
    gateway.logs(5)
    gateway.stop()
    gateway.start()
    # The second at hand is not part of the rate yet.
    dashboard = wait_until(lambda: (d := gateway.admin("GET", "/dashboard").json)["success_rate"] and d)
    assert dashboard["requests"] == 5 and dashboard["success_rate"] == 1
    assert gateway.admin("GET", "/client-keys").json["items"][0]["last_used_at"]
    series = gateway.admin("GET", "/dashboard/series?metric=requests&step=60").json
    assert sum(point["value"] for point in series["points"]) == 5


def serve(config, environment=None):
    return subprocess.run(
        [BINARY, "serve", "--config", str(config)], capture_output=True, text=True, timeout=20, env=environment
    )


def last_line(result):
    assert result.returncode == 1
    return result.stderr.strip().splitlines()[-1]


def test_starts_that_must_fail_say_why_in_one_line(make_gateway, tmp_path):
    gateway = make_gateway()
    gateway.chat(gateway.key())
    gateway.logs(1)
    environment = gateway.environment
    assert f"pid {gateway.process.pid}" in last_line(serve(gateway.config, environment))
    other = tmp_path / "other"
    other.mkdir()
    (other / "fastgate.yaml").write_text(f"server: {{ host: 127.0.0.1, port: {gateway.port} }}\nadmin: {{ port: 0 }}\n")
    assert f"127.0.0.1:{gateway.port}" in last_line(serve(other / "fastgate.yaml"))
    gateway.stop()
    data = gateway.folder / "data"
    key = (data / "master.key").read_text()
    (data / "master.key").unlink()
    assert "master key is missing" in last_line(serve(gateway.config, environment))
    wrong = {**environment, "FASTGATE_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    assert "not the one that sealed" in last_line(serve(gateway.config, wrong))
    (data / "master.key").write_text(key)
    assert "chmod 600" in last_line(serve(gateway.config, environment))
    (data / "master.key").chmod(0o600)
    database = (data / "config.db").read_bytes()
    (data / "config.db").write_bytes(b"")
    assert "missing or empty" in last_line(serve(gateway.config, environment))
    (data / "config.db").write_bytes(b"not a database at all" * 400)
    assert "restore it from a backup" in last_line(serve(gateway.config, environment))
    (data / "config.db").write_bytes(database)
    for file in (data / "audit").glob("*.db"):
        file.write_bytes(b"garbage" * 1000)
    gateway.start()
    assert len(gateway.admin("GET", "/client-keys").json["items"]) == 1
    assert any("set aside" in line["message"] for line in gateway.lines())


def test_a_stale_socket_is_replaced(gateway):
    gateway.kill()
    gateway.start()
    assert gateway.command("status").stdout.startswith("FastGate")


def test_a_full_disk_costs_no_caller(tmp_path, mock):
    """A file size limit stands in for a full disk: the journal's next segment and SQLite's writes fail."""

    folder = tmp_path / "full"
    folder.mkdir()
    gateway = Gateway(folder, mock.port, "audit: { mode: normal }")
    gateway.start()
    try:
        key = gateway.key()
        assert gateway.chat(key).status == 200
        gateway.logs(1)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        for _ in range(20):
            assert gateway.chat(key).status == 200
        status = wait_until(
            lambda: (s := gateway.admin("GET", "/status").json)["audit"]["trouble"] and s, what="the trouble"
        )
        assert status["state"] == "degraded" and status["audit"]["pending"] >= 20
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert len(gateway.logs(21)) == 21
        wait_until(lambda: gateway.admin("GET", "/status").json["state"] == "ok", what="recovery")
    finally:
        gateway.stop()


def test_strict_audit_refuses_what_it_cannot_record(tmp_path, mock):
    gateway = Gateway(tmp_path, mock.port, extra="audit: { mode: strict }\n")
    gateway.start()
    try:
        key = gateway.key()
        body = {"model": "m", "messages": [{"role": "user", "content": "x" * 60_000}]}
        assert gateway.chat(key, body).status == 200
        gateway.logs(1)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        # What the journal has room for is still taken; then no exchange may begin.
        refusals = 0
        for _ in range(4000):
            refused = gateway.chat(key, body)
            # Each loop has a journal of its own, and one may have room when the other has none.
            refusals = refusals + 1 if refused.status != 200 else 0
            if refusals == 12:
                break
        assert refused.status == 503 and refused.json["error"]["code"] == "audit_unavailable"
        assert int(refused.headers["Retry-After"]) >= 1
        mock.forget()
        assert gateway.chat(key, body).status == 503 and mock.received() == []
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_until(lambda: gateway.chat(key, body).status == 200, what="the end of the refusals")
    finally:
        gateway.stop()


def test_a_normal_audit_without_room_serves_and_counts_what_it_lost(gateway):
    key = gateway.key()
    # Bodies would be given up first; headers cannot be.
    large = {f"X-Pad-{number}": "x" * 15_000 for number in range(4)}
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    for _ in range(2000):
        assert gateway.chat(key, headers=large).status == 200
        status = gateway.admin("GET", "/status").json["audit"]
        if status["dropped"] > 0:
            break
    assert status["dropped"] > 0 and status["trouble"]
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def is_recorded_again():
        gateway.chat(key, headers={"X-Request-Id": "after-the-flood"})
        return gateway.admin("GET", "/logs?filter=id:after-the-flood").json["items"]

    wait_until(is_recorded_again, what="the newest record", interval=0.2)
    wait_until(lambda: gateway.admin("GET", "/status").json["audit"]["pending"] == 0, what="the backlog's end")


def test_retention_keeps_the_log_within_its_disk(tmp_path, mock):
    limit = 8_000_000
    gateway = Gateway(tmp_path, mock.port, extra="audit: { max_disk: 8mb }\n")
    gateway.start()
    try:
        key = gateway.key()
        body = {"model": "m", "messages": [{"role": "user", "content": "x" * 60_000}]}
        for number in range(300):
            assert gateway.chat(key, body, headers={"X-Request-Id": f"number-{number}"}).status == 200

        def files():
            return sorted((tmp_path / "data" / "audit").glob("*.db"))

        def size():
            return sum(file.stat().st_size for file in files())

        wait_until(lambda: gateway.admin("GET", "/status").json["audit"]["pending"] == 0, what="an empty journal")
        wait_until(lambda: size() <= limit, timeout=30, what="retention")
        assert len(files()) > 2
        newest = gateway.logs(1)[0]
        assert newest["request_id"] == "number-299"
        assert "xxxx" in gateway.detail(newest)["request_body"]
    finally:
        gateway.stop()
