"""Whatever the console changes can be changed by a command and by a plain HTTP request, too, and is written down."""

import json
import subprocess
import threading

import pytest
from conftest import BINARY, wait_until
from receivers import Hook

LOOPBACK = "notifications: { allow_addresses: [127.0.0.0/8] }\n"


@pytest.fixture
def hook():
    receiver = Hook()
    yield receiver
    receiver.stop()


@pytest.fixture
def room(make_gateway):
    return make_gateway(extra=LOOPBACK)


def given(gateway, text, *arguments):
    """A command that reads standard input."""
    result = subprocess.run(
        [BINARY, *arguments, "--socket", gateway.socket], input=text, capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def one(gateway, path, **fields):
    """The only thing of a list that has these fields."""
    items = gateway.admin("GET", path).json["items"]
    found = [item for item in items if all(item[name] == value for name, value in fields.items())]
    assert len(found) == 1, items
    return found[0]


def changes(gateway):
    return [item["action"] for item in gateway.admin("GET", "/operators/audit?limit=1000").json["items"]]


def test_the_room_by_commands(room, hook, tmp_path):
    run = room.command
    made = json.loads(run("keys", "create", "team", "--owner", "ann", "--limits", "60/minute", "--json").stdout)
    key = str(made["id"])
    run("keys", "edit", key, "--owner", "bob", "--upstream", "miniai", "--expires", "90d")
    assert one(room, "/client-keys", name="team")["owner"] == "bob"
    run("keys", "disable", "team")
    assert room.chat(made["key"]).status == 401
    run("keys", "enable", key)
    assert room.chat(made["key"]).status == 200
    newer = str(json.loads(run("keys", "rotate", key, "--overlap", "1h", "--json").stdout)["id"])
    several = run("keys", "revoke", "team", check=False)
    assert several.returncode == 1 and f"give an id: {newer}, {key}" in several.stderr
    assert "there is no client key nobody" in run("keys", "show", "nobody", check=False).stderr
    run("keys", "revoke", key)
    run("keys", "delete", key)
    run("keys", "delete", newer)
    assert room.admin("GET", "/client-keys").json["items"] == []

    run("upstreams", "add", "other", "http://127.0.0.1:9", "--strategy", "weighted")
    run("upstreams", "edit", "other", "--name", "Other", "--limits", "100/minute")
    run("upstreams", "disable", "other")
    assert not one(room, "/upstreams", slug="other")["enabled"]
    run("upstreams", "enable", "other")
    assert run("upstreams", "test", "other", check=False).stdout

    given(room, "sk-by-hand-0001\n", "pool", "add", "other", "first", "--weight", "2")
    run("pool", "edit", "other/first", "--weight", "3", "--quota", "500 requests/day")
    for command, state in [("disable", "disabled"), ("enable", "active"), ("ban", "banned"), ("reset", "active")]:
        run("pool", command, "other/first")
        assert one(room, "/keys?upstream_id=2", name="first")["state"] == state
    assert run("pool", "test", "other/first", check=False).stdout
    assert "sk-by-hand-0001" not in run("pool", "show", "other/first").stdout

    rule = str(json.loads(run("rules", "add", "mine", "status 418 then ban_key, notify", "--json").stdout)["id"])
    run("rules", "edit", rule, "status 418 then disable_key", "--name", "ours")
    run("rules", "move", rule, "1")
    assert room.admin("GET", "/rules").json["items"][0]["name"] == "ours"
    run("rules", "disable", "ours")
    run("rules", "enable", rule)
    assert "there is no rule nothing" in run("rules", "show", "nothing", check=False).stderr
    assert "ours" in run("rules", "test", "--status", "418").stdout
    run("rules", "delete", rule)
    run("rules", "reset-defaults")

    script = tmp_path / "stamp.js"
    script.write_text("return 'v' + 1;")
    # The first of a language has to wait for a worker.
    assert wait_until(lambda: "v1" in run("script", "test", str(script), check=False).stdout)
    header = str(json.loads(run("headers", "add", "other", "X-Stamp", "--file", str(script), "--json").stdout)["id"])
    run("headers", "add", "other", "X-Team", "--value", "ops")
    run("headers", "edit", header, "--cache", "60")
    run("headers", "move", header, "2")
    assert one(room, "/headers", name="X-Stamp")["position"] == 2
    run("headers", "disable", header)
    run("headers", "enable", header)
    run("headers", "delete", header)

    run("notifications", "add", "ops", "--kind", "webhook", "--webhook-url", hook.url)
    run("notifications", "edit", "ops", "--min-severity", "warning", "--quiet", "22:00-07:00")
    run("notifications", "test", "ops")
    assert wait_until(lambda: hook.requests)
    run("notifications", "disable", "ops")
    run("notifications", "enable", "ops")
    assert "sent" in run("notifications", "history").stdout
    text = tmp_path / "text.md"
    text.write_text("Gone: {{reason}}")
    run("notifications", "template", "key_disabled", "--title", "Key gone", "--file", str(text))
    assert "Key gone" in run("notifications", "template", "key_disabled").stdout
    run("notifications", "template", "key_disabled", "--reset")
    run("notifications", "delete", "ops")

    run("tasks", "set", "retention", "--every", "2m")
    run("tasks", "run", "retention")
    assert one(room, "/tasks", name="retention")["interval"] == "2m"
    refused = run("upstreams", "delete", "other", check=False)
    assert refused.returncode == 1 and "--yes" in refused.stderr
    run("upstreams", "delete", "other", "--yes")
    run("reload")

    done = changes(room)
    assert len(done) >= 35 and {"rotate", "ban", "revoke", "test", "reload"} <= set(done), done


def test_the_room_by_requests(room, hook):
    def ask(method, path, body=None, status=200):
        answer = room.admin(method, path, body)
        assert answer.status == status, (method, path, answer.status, answer.body)
        return answer.json if answer.body else None

    def cycle(path, *actions):
        for action in actions:
            ask("POST", f"{path}/{action}", {})

    key = ask("POST", "/client-keys", {"name": "team", "owner": "ann"}, 201)["id"]
    ask("PATCH", f"/client-keys/{key}", {"owner": "bob", "limits": {"requests_per_minute": 60}})
    cycle(f"/client-keys/{key}", "disable", "enable")
    assert ask("POST", f"/client-keys/{key}/rotate", {"overlap_seconds": 60}, 201)["key"].startswith("fg_")
    cycle(f"/client-keys/{key}", "revoke")
    ask("DELETE", f"/client-keys/{key}", status=204)

    upstream = ask("POST", "/upstreams", {"slug": "other", "base_url": "http://127.0.0.1:9"}, 201)["id"]
    ask("PATCH", f"/upstreams/{upstream}", {"strategy": "weighted"})
    cycle(f"/upstreams/{upstream}", "disable", "enable", "test")
    pool = ask("POST", "/keys", {"upstream_id": upstream, "name": "first", "key_value": "sk-by-hand-0002"}, 201)["id"]
    ask("PATCH", f"/keys/{pool}", {"weight": 3})
    cycle(f"/keys/{pool}", "disable", "enable", "ban", "unban", "reset", "test")

    rule = ask(
        "POST", "/rules", {"name": "mine", "when": {"status": ["418"]}, "then": [{"action": "ban_key"}]}, 201
    )["id"]
    ask("PATCH", f"/rules/{rule}", {"enabled": False})
    order = [item["id"] for item in ask("GET", "/rules")["items"]]
    ask("POST", "/rules/reorder", {"ids": [rule] + [item for item in order if item != rule]})
    assert ask("GET", "/rules")["items"][0]["id"] == rule
    ask("POST", "/rules/test", {"status": 418})
    ask("DELETE", f"/rules/{rule}", status=204)
    ask("POST", "/rules/reset-defaults", {})

    script = {"language": "python", "script": "result = 'v' + str(1)"}
    assert wait_until(lambda: ask("POST", "/scripts/test", script)["result"] == "v1")
    rule = ask("POST", "/headers", {"upstream_id": upstream, "name": "X-Team", "kind": "static", "value": "ops"}, 201)
    ask("PATCH", f"/headers/{rule['id']}", {"kind": "python", "value": None, "script": script["script"]})
    ask("POST", "/headers/reorder", {"ids": [rule["id"]]})
    ask("DELETE", f"/headers/{rule['id']}", status=204)

    channel = ask("POST", "/notifications/channels", {"name": "ops", "kind": "webhook", "webhook_url": hook.url}, 201)
    path = f"/notifications/channels/{channel['id']}"
    ask("PATCH", path, {"min_severity": "critical"})
    assert ask("POST", f"{path}/test", {})["status"] == "sent"
    ask("PUT", "/notifications/templates/key_disabled", {"title": "Key gone"})
    ask("PUT", "/notifications/templates/key_disabled", {"title": None, "body": None})
    ask("DELETE", path, status=204)

    ask("PATCH", "/tasks/retention", {"interval": "2m"})
    ask("POST", "/tasks/retention/run", {})
    ask("PUT", "/operators/me/settings", {"theme": "mono"})
    ask("DELETE", f"/upstreams/{upstream}", status=204)
    ask("POST", "/reload", {})
    assert len(changes(room)) >= 30


def test_what_runs_is_listed_and_cut_off_by_a_command(room):
    key = room.key()
    ended = []
    body = {"model": "mock-1", "messages": [], "stream": True}

    def call():
        try:
            ended.append(room.chat(key, body, {"X-Mock-Tokens": "100000"}).body)
        except Exception as error:
            ended.append(getattr(error, "partial", b""))

    caller = threading.Thread(target=call)
    caller.start()
    row = wait_until(
        lambda: next((e for e in room.admin("GET", "/exchanges").json["items"] if e["stream_chunks"] > 3), None)
    )
    shown = room.command("exchanges").stdout
    assert str(row["id"]) in shown and "answering" in shown and "key1" in shown
    assert "is cut off" in room.command("exchanges", "cut", str(row["id"])).stdout
    caller.join(5)
    assert b"operator_cut" in ended[0]
    assert room.logs(1)[0]["error"] == "operator_cut"
    assert room.command("exchanges").stdout == "nothing is in flight\n"
    again = room.command("exchanges", "cut", str(row["id"]), check=False)
    assert again.returncode == 1 and again.stderr.strip()


def test_exchanges_are_counted_by_a_command(room):
    key = room.key()
    for _ in range(3):
        assert room.chat(key).status == 200
    room.logs(3)
    shown = room.command("stats", "--since", "1h").stdout.splitlines()
    assert shown[0].split()[:3] == ["CLIENT", "KEY", "REQUESTS"] and shown[1].split()[:3] == ["key1", "3", "0"]
    assert json.loads(room.command("stats", "--by", "model", "--json").stdout)["items"][0]["name"] == "mock-1"
    assert "no such exchange" in room.command("stats", "--filter", "status:599").stdout
    assert room.command("stats", "--since", "soon", check=False).returncode == 2
    assert room.command("stats", "--filter", "status:", check=False).returncode == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_are_completed_by_shells(shell):
    script = subprocess.run(
        [BINARY, "--generate-completion-script", shell], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    for word in ("exchanges", "notifications", "dry-run"):
        assert word in script
    if shell == "bash":
        found = subprocess.run(["bash", "-c", script + "\ncomplete -p fastgate"], capture_output=True, text=True, timeout=30)
        assert found.returncode == 0 and "fastgate" in found.stdout, found.stderr
