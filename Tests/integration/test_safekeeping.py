"""What keeps the gateway's own data safe: the master key's rotation, and erasing a caller from the log."""

import base64
import os
import sqlite3
import tarfile
import threading

import pytest
from conftest import REAL_KEY, http, wait_until


def add_key(gateway, name="k", value="sk-database-key-0002"):
    upstream = gateway.admin("POST", "/upstreams", {"slug": "second", "base_url": gateway.provider}).json
    made = gateway.admin("POST", "/keys", {"upstream_id": upstream["id"], "name": name, "key_value": value})
    assert made.status == 201, made.body
    return made.json


@pytest.fixture
def stocked(gateway, mock):
    gateway.provider = f"http://127.0.0.1:{mock.port}/two"
    gateway.caller = gateway.key()
    gateway.made = add_key(gateway)
    channel = {"name": "ops", "kind": "webhook", "webhook_url": "http://127.0.0.1:9/x", "secret": "channel-secret",
               "events": ["key_banned"]}
    assert gateway.admin("POST", "/notifications/channels", channel).status == 201
    return gateway


def ask(gateway):
    url = gateway.url("/proxy/second/v2/chat/completions")
    return http("POST", url, b'{"messages": []}', {"X-API-Key": gateway.caller}).status


def test_another_master_key_takes_the_place_of_the_present_one(stocked, mock):
    data = stocked.folder / "data"
    before = (data / "master.key").read_text()
    with sqlite3.connect(data / "config.db") as db:
        [(sealed, digest)] = db.execute("SELECT sealed, digest FROM upstream_keys WHERE sealed IS NOT NULL").fetchall()
    stocked.admin("PATCH", f"/keys/{stocked.made['id']}", {"weight": 3})
    change = stocked.admin("GET", "/operators/audit?limit=1").json["items"][0]
    answer = stocked.admin("POST", "/master-key/rotate")
    assert answer.status == 200, answer.body
    assert (answer.json["upstream_keys"], answer.json["notification_channels"]) == (1, 1)
    after = (data / "master.key").read_text()
    assert after != before and after not in answer.body.decode()
    [previous] = data.glob("master.key.before-*")
    assert previous.read_text() == before and answer.json["previous_file"].endswith(previous.name)
    assert {oct(file.stat().st_mode)[-3:] for file in data.glob("master.key*")} == {"600"}
    same = stocked.admin("POST", "/master-key/rotate", {"key": after.strip()})
    assert same.status == 422 and "present master key" in same.json["error"]["message"]
    with sqlite3.connect(data / "config.db") as db:
        [(sealed2, digest2)] = db.execute("SELECT sealed, digest FROM upstream_keys WHERE sealed IS NOT NULL").fetchall()
    assert sealed2 != sealed and digest2 != digest
    # In force for who runs, and over a restart.
    assert ask(stocked) == 200
    assert stocked.admin("PATCH", f"/keys/{stocked.made['id']}", {"weight": 5}).status == 200
    stocked.stop()
    stocked.start()
    mock.forget()
    assert ask(stocked) == 200
    assert "Bearer sk-database-key-0002" in str(mock.received())
    assert stocked.admin("GET", "/notifications/channels").json["items"][0]["name"] == "ops"
    # What an undo would bring back is sealed by a key that is gone.
    refused = stocked.admin("POST", f"/undo/{change['id']}")
    assert refused.status == 409 and "master key was rotated" in refused.json["error"]["message"]
    double = {"upstream_id": stocked.made["upstream_id"], "name": "again", "key_value": "sk-database-key-0002"}
    result = stocked.admin("POST", "/batch/keys/import-json", [double]).json
    assert result["failed_count"] == 1, result


def test_the_old_master_key_opens_nothing_any_more(stocked):
    data = stocked.folder / "data"
    assert stocked.command("rotate-master-key").stdout.count("master.key") == 2
    stocked.stop()
    [previous] = data.glob("master.key.before-*")
    (data / "master.key").write_bytes(previous.read_bytes())
    with pytest.raises(AssertionError):
        stocked.start()
    assert "not the one that sealed" in stocked.log()


@pytest.mark.parametrize("has_happened", [False, True])
def test_a_rotation_that_was_cut_off_has_happened_or_not(stocked, has_happened):
    data = stocked.folder / "data"
    if has_happened:
        assert stocked.admin("POST", "/master-key/rotate").status == 200
        stocked.kill()
        # As it was between the transaction and the renaming.
        (data / "master.key").rename(data / "master.key.next")
        next(data.glob("master.key.before-*")).rename(data / "master.key")
    else:
        stocked.kill()
        (data / "master.key.next").write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
        (data / "master.key.next").chmod(0o600)
    stocked.start()
    assert ask(stocked) == 200
    assert not (data / "master.key.next").exists()


def test_a_rotation_survives_readers_and_failures(stocked):
    """Whoever reads or locks the database meanwhile costs no key, and a failed one leaves the present one in force."""
    data = stocked.folder / "data"
    reader = sqlite3.connect(data / "config.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM upstreams").fetchall()
    assert stocked.admin("POST", "/master-key/rotate").status == 200
    reader.close()
    assert stocked.admin("POST", "/master-key/rotate").status == 200
    present = (data / "master.key").read_text()
    writer = sqlite3.connect(data / "config.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert http("POST", f"http://127.0.0.1:{stocked.admin_port}/api/admin/master-key/rotate", b"",
                {"Authorization": f"Bearer {stocked.token}"}, timeout=30).status == 500
    writer.execute("ROLLBACK")
    writer.close()
    assert (data / "master.key").read_text() == present
    assert not (data / "master.key.next").exists() and not (data / "master.key.old").exists()
    # What is sealed now opens now, and after a restart.
    second = {"upstream_id": stocked.made["upstream_id"], "name": "late", "key_value": "sk-database-key-0003"}
    made = stocked.admin("POST", "/keys", second)
    assert made.status == 201, made.body
    assert stocked.admin("GET", f"/keys/{stocked.made['id']}").status == 200
    stocked.stop()
    stocked.start()
    assert stocked.admin("GET", f"/keys/{made.json['id']}").status == 200 and ask(stocked) == 200


def test_a_master_key_of_the_environment(make_gateway, mock):
    first, second = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    gateway = make_gateway(environment={"FASTGATE_MASTER_KEY": first})
    gateway.provider, gateway.caller = f"http://127.0.0.1:{mock.port}/two", gateway.key()
    add_key(gateway)
    refused = gateway.admin("POST", "/master-key/rotate")
    assert refused.status == 409 and refused.json["error"]["param"] == "key"
    for bad in ["", "short", first[:-4]]:
        assert gateway.admin("POST", "/master-key/rotate", {"key": bad}).status == 422
    file = gateway.folder / "next.key"
    file.write_text(second + "\n")
    assert "FASTGATE_MASTER_KEY" in gateway.command("rotate-master-key", "--key-file", str(file)).stdout
    assert ask(gateway) == 200
    gateway.stop()
    gateway.environment["FASTGATE_MASTER_KEY"] = second
    gateway.start()
    assert ask(gateway) == 200 and REAL_KEY not in gateway.log()


def test_only_an_admin_rotates(stocked):
    answer = stocked.admin("POST", "/master-key/rotate", headers={"X-FastGate-Read-Only": "true"})
    assert answer.status == 403


def test_what_a_caller_has_done_is_erased(gateway, mock):
    """Rows, bodies and the journal: nothing of it is on the disk afterwards, and a crash does not bring it back."""
    gone, stays = gateway.key("gone"), gateway.key("stays")
    for number in range(5):
        body = {"model": "m", "messages": [{"role": "user", "content": f"canary-{number}-of-the-caller"}]}
        assert gateway.chat(gone, body).status == 200
        assert gateway.chat(stays, {"model": "m", "messages": [{"role": "user", "content": "others"}]}).status == 200
    gateway.logs(10)
    key = next(k for k in gateway.admin("GET", "/client-keys").json["items"] if k["name"] == "gone")
    with pytest.raises(AssertionError, match="nothing was erased"):
        gateway.command("purge", "--key", "gone")
    done = gateway.command("purge", "--key", "gone", "--yes").stdout
    assert "erased 5 records and 5 bodies" in done
    left = gateway.admin("GET", "/logs").json["items"]
    assert [record["client_key"] for record in left] == ["stays"] * 5
    assert all("others" in gateway.detail(record)["request_body"] for record in left)
    files = [path for path in (gateway.folder / "data").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"of-the-caller" in path.read_bytes()] == []
    line = gateway.admin("GET", "/operators/audit?limit=1").json["items"][0]
    assert (line["action"], line["object_id"], line["undoable"]) == ("purge", key["id"], False)
    # What comes later is written down as ever.
    assert gateway.chat(gone).status == 200
    assert len(gateway.logs(6)) == 6
    gateway.kill()
    gateway.start()
    assert len(gateway.logs(6)) == 6
    assert gateway.admin("POST", "/logs/purge", {"client_key_id": 99999}).status == 404
    assert gateway.admin("DELETE", f"/client-keys/{key['id']}").status == 204
    assert "goes by its id" in gateway.command("purge", "--key", "gone", "--yes", check=False).stderr
    assert "erased 1 records" in gateway.command("purge", "--key", str(key["id"]), "--yes").stdout
    assert gateway.admin("POST", "/logs/purge", {}).status == 422
    read_only = gateway.admin("POST", "/logs/purge", {"client_key_id": key["id"]}, {"X-FastGate-Read-Only": "true"})
    assert read_only.status == 403


def test_a_purge_that_somebody_hinders_says_so_and_ends_later(gateway):
    key = gateway.key("gone")
    body = {"model": "m", "messages": [{"role": "user", "content": "canary-of-the-caller"}]}
    for _ in range(3):
        assert gateway.chat(key, body).status == 200
    gateway.logs(3)
    [file] = (gateway.folder / "data" / "audit").glob("bodies-*.db")
    reader = sqlite3.connect(file)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM bodies").fetchall()
    made = gateway.admin("GET", "/client-keys").json["items"][0]["id"]
    url = f"http://127.0.0.1:{gateway.admin_port}/api/admin/logs/purge"
    token = {"Authorization": f"Bearer {gateway.token}"}
    refused = http("POST", url, {"client_key_id": made}, token, timeout=60)
    assert refused.status == 503 and "purge again" in refused.json["error"]["message"], refused.body
    reader.close()
    again = http("POST", url, {"client_key_id": made}, token, timeout=60)
    assert again.status == 200 and again.json["records"] == 0
    files = [path for path in (gateway.folder / "data").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"of-the-caller" in path.read_bytes()] == []


def test_a_caller_is_erased_also_while_the_audit_is_off(gateway):
    key = gateway.key("gone")
    for _ in range(3):
        assert gateway.chat(key, {"messages": [{"role": "user", "content": "canary-of-the-caller"}]}).status == 200
    gateway.logs(3)
    gateway.stop()
    gateway.config.write_text(gateway.config.read_text() + "audit: { mode: off }\n")
    gateway.start()
    assert "erased 3 records and 3 bodies" in gateway.command("purge", "--key", "gone", "--yes").stdout
    files = [path for path in (gateway.folder / "data").rglob("*") if path.is_file()]
    assert [path.name for path in files if b"of-the-caller" in path.read_bytes()] == []


def test_an_exchange_that_runs_during_a_purge_is_whole_afterwards(gateway, mock):
    key = gateway.key("busy")
    body = {"model": "m", "stream": True, "messages": []}
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(
            gateway.chat(key, body, {"X-Mock-Tokens": "40", "X-Mock-Gap-Ms": "25"})
        )
    )
    thread.start()
    wait_until(lambda: gateway.admin("GET", "/exchanges").json["items"], what="an exchange in flight")
    made = next(k for k in gateway.admin("GET", "/client-keys").json["items"])
    result = gateway.admin("POST", "/logs/purge", {"client_key_id": made["id"]}).json
    assert result["in_flight"] == 1 and result["records"] == 0
    thread.join()
    assert answers[0].status == 200
    [record] = gateway.logs(1)
    assert record["error"] is None and record["stream_chunks"] > 30
    assert gateway.admin("POST", "/logs/purge", {"client_key_id": made["id"]}).json["records"] == 1


def test_the_console_keeps_things_safe_too(stocked, attach, tmp_path):
    """Backing up, another master key and erasing a caller, each by its name."""
    file = tmp_path / "kept.tar"
    assert ask(stocked) == 200
    stocked.logs(1)
    terminal = attach(columns=80, lines=24)
    terminal.press("0")
    terminal.wait_for("Who changed what")

    def back_up():
        terminal.press("b")
        terminal.wait_for("on this console's machine")
        terminal.press(*str(file), "Ctrl-S")

    back_up()
    terminal.wait_for(lambda: "kept.tar has" in terminal.text.replace("\n", ""), what="a backup")
    with tarfile.open(file) as archive:
        assert any(name.endswith("config.db") for name in archive.getnames())
    assert file.stat().st_mode & 0o777 == 0o600 and not os.path.exists(f"{file}.part")
    # What is there is not written over, and the form stays.
    back_up()
    terminal.wait_for("exists")
    terminal.press("Esc")
    terminal.wait_for("What you have typed is not saved")
    terminal.press("d")
    terminal.wait_for(lambda: "Cancel" not in terminal.text, what="the form's going")
    before = (stocked.folder / "data" / "master.key").read_text()
    terminal.press(":")
    terminal.press(*"rotate-master-key", "Enter")
    terminal.wait_for("Another master key")
    terminal.press("y")
    terminal.wait_for("are sealed anew")
    assert (stocked.folder / "data" / "master.key").read_text() != before and ask(stocked) == 200
    stocked.logs(2)
    terminal.press("4")
    terminal.wait_for("key1")
    terminal.press(":")
    terminal.press(*"keys.purge", "Enter")
    terminal.wait_for("for good")
    terminal.press(*"key1", "Tab", "Enter")
    terminal.wait_for("erased 2 records")
    assert stocked.admin("GET", "/logs").json["items"] == []
