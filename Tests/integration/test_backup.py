"""A backup holds everything but the master key, and puts a gateway back as it was."""

import io
import os
import subprocess
import tarfile
import threading

import pytest
from conftest import BINARY, REAL_KEY, http, wait_until


@pytest.fixture
def stocked(gateway, mock):
    upstream = gateway.admin("POST", "/upstreams", {"slug": "second", "base_url": f"http://127.0.0.1:{mock.port}/two"})
    key = {"upstream_id": upstream.json["id"], "name": "k", "key_value": "sk-database-key-0002"}
    assert gateway.admin("POST", "/keys", key).status == 201
    gateway.caller = gateway.key()
    for _ in range(3):
        assert ask(gateway) == 200
    gateway.logs(3)
    return gateway


def ask(gateway):
    url = gateway.url("/proxy/second/v2/chat/completions")
    return http("POST", url, b'{"messages": [{"content": "remember me"}]}', {"X-API-Key": gateway.caller}).status


def restore(gateway, backup, *options, environment=None):
    return subprocess.run(
        [BINARY, "restore", str(backup), "--config", str(gateway.config), *options],
        capture_output=True, text=True, timeout=60, env=environment or gateway.environment,
    )


def members(path):
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def pack(path, files):
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return path


def signed(header, count):
    """A header with another size, and the sum that fits it."""
    header = header[:124] + count + header[136:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def test_a_gateway_is_put_back_as_it_was(stocked, mock, tmp_path):
    backup = tmp_path / "backup.tar"
    shown = stocked.command("backup", str(backup)).stdout
    assert "master key and fastgate.yaml are not in it" in shown and oct(backup.stat().st_mode)[-3:] == "600"
    assert not (tmp_path / "backup.tar.part").exists() and not (stocked.folder / "data" / "backup.tmp").exists()
    assert stocked.admin("GET", "/operators/audit?limit=1").json["items"][0]["action"] == "backup"
    # What comes later is not in it.
    later = stocked.key("later")
    keys = stocked.admin("GET", "/client-keys").json["items"]
    master = (stocked.folder / "data" / "master.key").read_text().strip()

    files = members(backup)
    names = set(files)
    assert {"backup.json", "config.db", "limits.counts", "notifications.db", "telemetry.db", "SHA256SUMS"} <= names
    assert len([n for n in names if n.startswith("audit/rows-")]) == 1
    whole = backup.read_bytes()
    for secret in [master, stocked.caller, REAL_KEY, "sk-database-key-0002", stocked.token]:
        assert secret.encode() not in whole
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", backup, "-C", unpacked], check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=unpacked, check=True)

    running = restore(stocked, backup, "--replace")
    assert running.returncode == 1 and "already runs" in running.stderr
    stocked.stop()
    refused = restore(stocked, backup)
    assert refused.returncode == 1 and "--replace" in refused.stderr
    done = restore(stocked, backup, "--replace")
    assert done.returncode == 0, done.stderr
    [before] = (stocked.folder / "data").glob("before-restore-*")
    assert (before / "config.db").exists() and (before / "audit").is_dir() and str(before.name) in done.stdout
    stocked.start()
    mock.forget()
    assert ask(stocked) == 200
    assert "Bearer sk-database-key-0002" in str(mock.received())
    now = stocked.admin("GET", "/client-keys").json["items"]
    assert [k["id"] for k in now] == [k["id"] for k in keys if k["name"] != "later"]
    assert stocked.chat(later).status == 401
    records = stocked.logs(4)
    assert any("remember me" in stocked.detail(record)["request_body"] for record in records[1:])


def test_a_backup_moves_to_another_place(stocked, make_gateway, mock, tmp_path):
    backup = tmp_path / "small.tar"
    stocked.command("backup", "--without-log", str(backup))
    assert not [name for name in members(backup) if name.startswith("audit/")]
    other = make_gateway(folder="other", start=False)
    done = restore(other, backup)
    assert done.returncode == 0, done.stderr
    assert "put the master key" in done.stdout and str(other.folder / "data" / "master.key") in done.stdout
    with pytest.raises(AssertionError):
        other.start()
    assert "master key is missing" in other.log()
    key = other.folder / "data" / "master.key"
    key.write_bytes((stocked.folder / "data" / "master.key").read_bytes())
    key.chmod(0o600)
    other.start()
    other.caller = stocked.caller
    assert ask(other) == 200


def test_a_backup_from_before_a_rotation_finds_its_master_key(stocked, tmp_path):
    """The key that a rotation has left takes its place again, and the present one stays with its data."""
    backup, data = tmp_path / "b.tar", stocked.folder / "data"
    stocked.command("backup", str(backup))
    stocked.command("rotate-master-key")
    present = (data / "master.key").read_bytes()
    stocked.stop()
    done = restore(stocked, backup, "--replace")
    assert done.returncode == 0 and "master.key.before-" in done.stdout, done
    [aside] = data.glob("before-restore-*")
    assert (aside / "master.key").read_bytes() == present != (data / "master.key").read_bytes()
    stocked.start()
    assert ask(stocked) == 200


def test_the_master_key_of_another_time_is_told_before_anything_changes(stocked, tmp_path):
    backup, data = tmp_path / "b.tar", stocked.folder / "data"
    stocked.command("backup", str(backup))
    stocked.command("rotate-master-key")
    stocked.stop()
    [previous] = data.glob("master.key.before-*")
    elsewhere = tmp_path / "kept.key"
    previous.rename(elsewhere)
    refused = restore(stocked, backup, "--replace")
    assert refused.returncode == 1 and "--key-file" in refused.stderr
    wrong = restore(stocked, backup, "--replace", "--key-file", str(data / "master.key"))
    assert wrong.returncode == 1 and "is not the master key" in wrong.stderr
    assert not list(data.glob("before-restore-*")) and not (data / "restore.tmp").exists()
    assert restore(stocked, backup, "--replace", "--key-file", str(elsewhere)).returncode == 0
    stocked.start()
    assert ask(stocked) == 200


def test_a_directory_that_is_named_needs_no_configuration(stocked, tmp_path):
    backup = tmp_path / "b.tar"
    stocked.command("backup", str(backup))
    shell = tmp_path / "shell"
    shell.mkdir()
    (shell / "fastgate.yaml").write_text("upstreams: [ { slug: a, base_url: http://127.0.0.1:1, keys: [ { name: k, value: '${MISSING}' } ] } ]")
    command = [BINARY, "restore", str(backup), "--data", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=shell)
    assert done.returncode == 0 and "passed over" in done.stderr and "put the master key" in done.stdout, done
    named = subprocess.run([*command, "--config", "fastgate.yaml"], capture_output=True, text=True, cwd=shell)
    assert named.returncode == 1 and "MISSING" in named.stderr


def test_a_restore_that_fails_in_the_middle_leaves_everything_as_it_was(stocked, tmp_path):
    """The log on a disk of its own cannot be moved."""
    backup, data = tmp_path / "b.tar", stocked.folder / "data"
    stocked.command("backup", str(backup))
    stocked.stop()
    mounted = subprocess.run(["mount", "--bind", str(data / "audit"), str(data / "audit")], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        refused = restore(stocked, backup, "--replace")
        assert refused.returncode == 1 and "cannot move" in refused.stderr
        assert not list(data.glob("before-restore-*"))
        stocked.start()
        assert ask(stocked) == 200
        stocked.stop()
    finally:
        subprocess.run(["umount", str(data / "audit")], check=True)
    assert restore(stocked, backup, "--replace").returncode == 0


def test_a_rotation_that_was_cut_off_is_ended_before_its_data_moves_aside(stocked, tmp_path):
    backup, data = tmp_path / "b.tar", stocked.folder / "data"
    before = (data / "master.key").read_bytes()
    stocked.command("backup", str(backup))
    stocked.command("rotate-master-key")
    stocked.stop()
    after = (data / "master.key").read_bytes()
    # As a crash between the transaction and the renaming leaves it.
    (data / "master.key").rename(data / "master.key.next")
    next(data.glob("master.key.before-*")).rename(data / "master.key")
    (data / "master.key.old").write_bytes(before)
    (data / "master.key.old").chmod(0o600)
    assert restore(stocked, backup, "--replace").returncode == 0
    [aside] = data.glob("before-restore-*")
    assert (aside / "master.key").read_bytes() == after != before == (data / "master.key").read_bytes()


def test_what_is_no_backup_changes_nothing(stocked, tmp_path):
    backup, data = tmp_path / "b.tar", stocked.folder / "data"
    stocked.command("backup", str(backup))
    stocked.stop()
    whole, files = backup.read_bytes(), members(backup)
    link = tarfile.TarInfo("config.db")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    middle = whole.index(b"SQLite format 3") + 5000
    bad = {
        "empty": b"", "noise": os.urandom(5000), "text": b"hello\n" * 500, "short": whole[: len(whole) // 2],
        "no end": whole[: whole.rindex(b"SHA256SUMS")],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:],
        "long number": whole[:124] + b"77777777777\0" + whole[136:],
        "negative": signed(whole[:512], b"-0000000001\0") + whole[512:],
    }
    for name, data_ in bad.items():
        (tmp_path / name).write_bytes(data_)
    rest = {name: data_ for name, data_ in files.items() if name != "backup.json"}
    manifest = {"backup.json": files["backup.json"]}
    pack(tmp_path / "outside", {**manifest, "../evil": b"x", **rest})
    pack(tmp_path / "absolute", {**manifest, "/tmp/evil": b"x", **rest})
    pack(tmp_path / "foreign", {**manifest, "audit/../../x.db": b"x", **rest})
    pack(tmp_path / "link", {**manifest, link: b"", **rest})
    pack(tmp_path / "no manifest", rest)
    pack(tmp_path / "newer", {"backup.json": files["backup.json"].replace(b'"form":1', b'"form":2'), **rest})
    pack(tmp_path / "missing", {n: d for n, d in files.items() if n != "telemetry.db"})
    pack(tmp_path / "wrong sums", {**files, "telemetry.db": files["telemetry.db"] + b"x"})
    sums = files["SHA256SUMS"].decode().splitlines(keepends=True)
    without = "".join(line for line in sums if "config.db" not in line).encode()
    pack(tmp_path / "no configuration", {**{n: d for n, d in files.items() if n != "config.db"}, "SHA256SUMS": without})
    before = sorted(path.name for path in data.rglob("*"))
    for name in [*bad, "outside", "absolute", "foreign", "link", "no manifest", "newer", "missing", "wrong sums",
                 "no configuration", "not there"]:
        refused = restore(stocked, tmp_path / name, "--replace")
        assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1, (name, refused)
        assert sorted(path.name for path in data.rglob("*")) == before, name
    assert not (tmp_path / "evil").exists()
    stocked.start()
    assert ask(stocked) == 200


def test_a_backup_while_callers_stream_holds_nobody_up(stocked, tmp_path):
    stop, statuses = threading.Event(), []

    def call():
        while not stop.is_set():
            statuses.append(ask(stocked))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3):
        stocked.command("backup", str(tmp_path / f"{number}.tar"))
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200} and len(statuses) > 20
    stocked.stop()
    assert restore(stocked, tmp_path / "2.tar", "--replace").returncode == 0
    stocked.start()
    assert ask(stocked) == 200


def test_one_at_a_time_for_admins_and_never_over_a_file(stocked, tmp_path):
    assert stocked.admin("GET", "/backup", headers={"X-FastGate-Read-Only": "true"}).status == 403
    file = tmp_path / "b.tar"
    file.write_text("mine")
    refused = stocked.command("backup", str(file), check=False)
    assert refused.returncode == 1 and "exists" in refused.stderr and file.read_text() == "mine"
    stocked.command("backup", "--force", str(file))
    assert "config.db" in members(file)
    refused = stocked.command("backup", str(tmp_path / "no" / "b.tar"), check=False)
    assert refused.returncode == 1 and "cannot create" in refused.stderr
    # Whoever leaves in the middle holds nobody up.
    import http.client as client

    for _ in range(3):
        connection = client.HTTPConnection("127.0.0.1", stocked.admin_port)
        connection.request("GET", "/api/admin/backup", headers={"Authorization": f"Bearer {stocked.token}"})
        assert connection.getresponse().read(100)
        connection.close()
        wait_until(lambda: stocked.admin("GET", "/backup?log=false").status == 200, what="another backup")
    piped = subprocess.run([BINARY, "backup", "-", "--socket", stocked.socket], capture_output=True, timeout=30)
    with tarfile.open(fileobj=io.BytesIO(piped.stdout)) as archive:
        assert "config.db" in archive.getnames()


def test_a_backup_that_breaks_off_leaves_no_file_and_says_so(stocked, tmp_path):
    """The copy cannot be made: something of this name is in its place."""
    place = stocked.folder / "data" / "backup.tmp"
    place.mkdir()
    refused = stocked.command("backup", str(tmp_path / "b.tar"), check=False)
    assert refused.returncode == 1 and "broke off" in refused.stderr and len(refused.stderr.splitlines()) == 1
    assert list(tmp_path.glob("b.tar*")) == []
    wait_until(lambda: "a backup broke off" in stocked.log(), what="the reason in the log")
    place.rmdir()
    assert stocked.command("backup", str(tmp_path / "b.tar")).returncode == 0
