"""What keeps the gateway's own data safe: the master key's rotation."""

import base64
import os
import sqlite3

import pytest
from conftest import REAL_KEY, http


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
    assert (data / "master.key.previous").read_text() == before
    assert {oct((data / name).stat().st_mode)[-3:] for name in ("master.key", "master.key.previous")} == {"600"}
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
    assert stocked.admin("POST", f"/undo/{change['id']}").status == 409
    double = {"upstream_id": stocked.made["upstream_id"], "name": "again", "key_value": "sk-database-key-0002"}
    result = stocked.admin("POST", "/batch/keys/import-json", [double]).json
    assert result["failed_count"] == 1, result


def test_the_old_master_key_opens_nothing_any_more(stocked):
    data = stocked.folder / "data"
    assert stocked.command("rotate-master-key").stdout.count("master.key") == 2
    stocked.stop()
    (data / "master.key").write_bytes((data / "master.key.previous").read_bytes())
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
        (data / "master.key.previous").rename(data / "master.key")
    else:
        stocked.kill()
        (data / "master.key.next").write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
        (data / "master.key.next").chmod(0o600)
    stocked.start()
    assert ask(stocked) == 200
    assert not (data / "master.key.next").exists()


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
