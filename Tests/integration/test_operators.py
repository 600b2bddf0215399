"""The operators' port: API, socket and commands."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
from conftest import BINARY, REAL_KEY, http, wait_until


def test_only_a_token_opens_the_port(gateway):
    base = f"http://127.0.0.1:{gateway.admin_port}"
    assert http("GET", f"{base}/api/admin/status").status == 401
    assert http("GET", f"{base}/api/admin/status", headers={"Authorization": "Bearer wrong"}).status == 401
    assert http("GET", f"{base}/metrics").status == 401
    key = gateway.key()
    assert http("GET", f"{base}/api/admin/status", headers={"Authorization": f"Bearer {key}"}).status == 401
    assert http("GET", f"{base}/api/admin/health").status == 200
    token = {"Authorization": f"Bearer {gateway.token}"}
    assert http("GET", f"{base}/api/admin/status", headers=token).status == 200
    assert http("GET", f"{base}/api/admin/status", headers={**token, "Host": "evil.example"}).status == 403
    assert http("GET", f"{base}/api/admin/status", headers={**token, "Origin": "https://evil.example"}).status == 403
    answers = [http("GET", f"{base}/api/admin/status", headers={"Authorization": "Bearer x"}) for _ in range(30)]
    # Who guesses is not listened to for a while, and told for how long; what it is told is no other refusal.
    assert {answer.status for answer in answers} == {401}
    assert "retry-after" not in answers[0].headers and int(answers[-1].headers["retry-after"]) >= 1
    assert b"too many" in answers[-1].body
    assert http("GET", f"{base}/api/admin/status", headers=token).status == 200
    assert oct((gateway.folder / "data" / "admin.token").stat().st_mode)[-3:] == "600"


def test_tokens_with_names_and_roles(make_gateway):
    """Each opens the port under its own name, with its own role, until the file says otherwise."""
    tokens = {role: f"{role}-token-of-the-test-0001" for role in ("viewer", "operator", "admin")}
    lines = ", ".join(f'{{ name: {role}-robot, role: {role}, token: "{value}" }}' for role, value in tokens.items())
    gateway = make_gateway(extra="", start=False)
    file = gateway.config.read_text()
    gateway.config.write_text(file.replace("admin: { port: 0 }", f"admin: {{ port: 0, tokens: [ {lines} ] }}"))
    gateway.start()
    base = f"http://127.0.0.1:{gateway.admin_port}/api/admin"

    def ask(role, method, path, body=None):
        return http(method, base + path, body, {"Authorization": f"Bearer {tokens[role]}"})

    for role in tokens:
        me = ask(role, "GET", "/operators/me").json
        assert (me["name"], me["role"], me["via"]) == (f"{role}-robot", role, "token")
    assert ask("viewer", "POST", "/client-keys", {"name": "a"}).status == 403
    assert ask("operator", "POST", "/client-keys", {"name": "a"}).status == 201
    assert ask("operator", "POST", "/master-key/rotate").status == 403
    assert ask("admin", "POST", "/master-key/rotate").status == 200
    names = [change["operator"] for change in gateway.admin("GET", "/operators/audit").json["items"]]
    assert names == ["admin-robot", "operator-robot"]
    assert gateway.admin("GET", "/operators/me").json["name"] == "admin"
    # Whose line has gone is out with the next reload, and what they listen to ends.
    request = urllib.request.Request(f"{base}/live", headers={"Authorization": f"Bearer {tokens['viewer']}"})
    with urllib.request.urlopen(request, timeout=10) as stream:
        assert stream.readline()
        gateway.config.write_text(file)
        assert gateway.admin("POST", "/reload").status == 200
        stream.read()
    assert ask("admin", "GET", "/status").status == 401 and gateway.admin("GET", "/status").status == 200
    assert not any("next start" in line.get("message", "") for line in gateway.lines())
    assert not any(token in gateway.log() for token in tokens.values())


@pytest.mark.parametrize("tokens, fault", [
    ("[ { name: a, role: viewer } ]", "is required"),
    ("[ { name: a, token: 01234567890123456789 } ]", "is required"),
    ("[ { name: a, role: viewer, token: short } ]", "at least 20 bytes"),
    ("[ { name: admin, role: viewer, token: 01234567890123456789 } ]", "not admin"),
    ("[ { name: a, role: king, token: 01234567890123456789 } ]", "role"),
    ("[ { name: a, role: viewer, token: x1234567890123456789 }, { name: b, role: admin, token: x1234567890123456789 } ]",
     "two tokens"),
])
def test_tokens_that_do_not_hold_are_faults_of_the_file(tmp_path, tokens, fault):
    file = tmp_path / "fastgate.yaml"
    file.write_text(f"admin: {{ tokens: {tokens} }}\n")
    checked = subprocess.run([BINARY, "check", "--config", str(file)], capture_output=True, text=True)
    assert checked.returncode == 1 and fault in checked.stderr and "1234567890123456789" not in checked.stderr


@pytest.mark.parametrize("section, holds", [
    (f"admin: {{ tokens: [ {{ name: a, role: viewer, token: {'x' * 19} }} ] }}", False),
    (f"admin: {{ tokens: [ {{ name: a, role: viewer, token: {'x' * 20} }} ] }}", True),
    (f"admin: {{ tokens: [ {{ name: {'n' * 100}, role: viewer, token: {'x' * 20} }} ] }}", True),
    (f"admin: {{ tokens: [ {{ name: {'n' * 101}, role: viewer, token: {'x' * 20} }} ] }}", False),
    ("audit: { retain_rows: 3d, retain_bodies: 73h }", False),
    ("audit: { retain_rows: 3d, retain_bodies: 72h }", True),
    ("audit: { retain_rows: 3d, retain_bodies: 71h }", True),
    ("audit: { retain_rows: 3d }", True),
])
def test_bounds_of_the_file(tmp_path, section, holds):
    file = tmp_path / "fastgate.yaml"
    file.write_text(section + "\n")
    checked = subprocess.run([BINARY, "check", "--config", str(file)], capture_output=True, text=True)
    assert (checked.returncode == 0) == holds, checked.stderr


def test_read_only_changes_nothing(gateway):
    answer = gateway.admin("POST", "/client-keys", {"name": "x"}, {"X-FastGate-Read-Only": "true"})
    assert answer.status == 403
    assert gateway.admin("GET", "/client-keys").json["items"] == []


def test_client_keys_by_api(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "a", "owner": "o", "notes": "n"}).json
    assert made["key"].startswith(made["prefix"]) and made["key"].endswith(made["last4"])
    path = f"/client-keys/{made['id']}"
    shown = gateway.admin("GET", path)
    assert "key" not in shown.json and shown.headers["ETag"] == '"1"'
    changed = gateway.admin("PATCH", path, {"owner": "p", "expires_at": "2099-01-01T00:00:00Z"}, {"If-Match": '"1"'})
    assert changed.json["owner"] == "p" and changed.json["version"] == 2
    assert gateway.admin("PATCH", path, {"owner": "q"}, {"If-Match": '"1"'}).status == 412
    assert gateway.admin("PATCH", path, {"expires_at": None}).json["expires_at"] is None
    for body, param in [
        ({"bogus": 1}, "bogus"), ({"name": 5}, "name"), ({"name": ""}, "name"), ({"expires_at": "soon"}, "expires_at"),
        ({"permissions": {"cidrs": ["x"]}}, "permissions.cidrs"), ({"permissions": {"paths": ["x"]}}, "permissions.paths"),
    ]:
        answer = gateway.admin("PATCH", path, body)
        assert (answer.status, answer.json["error"]["param"]) == (422, param), answer.body
    assert gateway.admin("POST", "/client-keys", {}).json["error"]["param"] == "name"
    assert gateway.admin("POST", "/client-keys", b"not json").status == 400
    assert gateway.admin("GET", "/client-keys/99999").status == 404
    assert gateway.admin("DELETE", path).status == 204 and gateway.admin("GET", path).status == 404
    actions = [change["action"] for change in gateway.admin("GET", "/operators/audit").json["items"]]
    assert actions == ["delete", "change", "change", "create"]


def test_a_repeated_create_creates_once(gateway):
    header = {"Idempotency-Key": "abc"}
    first = gateway.admin("POST", "/client-keys", {"name": "a"}, header)
    second = gateway.admin("POST", "/client-keys", {"name": "a"}, header)
    assert first.json == second.json and first.status == second.status == 201
    assert gateway.admin("POST", "/client-keys", {"name": "b"}, header).status == 409
    assert len(gateway.admin("GET", "/client-keys").json["items"]) == 1


def test_upstreams_and_their_keys_by_api(gateway, mock):
    made = gateway.admin("POST", "/upstreams", {"slug": "second", "base_url": f"http://127.0.0.1:{mock.port}/two"})
    assert made.status == 201, made.body
    upstream = made.json
    key = gateway.admin(
        "POST", "/keys", {"upstream_id": upstream["id"], "name": "k", "key_value": "sk-database-key-0002"}
    ).json
    assert key["masked_value"] == "sk-…0002" and "sk-database" not in json.dumps(key)
    client = gateway.key()
    mock.forget()

    def ask():
        return http("GET", gateway.url("/proxy/second/x"), headers={"X-API-Key": client})

    assert ask().status == 200
    received = mock.received()[0]
    assert received["uri"] == "/two/x"
    assert dict(received["headers"])["Authorization"] == "Bearer sk-database-key-0002"
    gateway.admin("POST", f"/keys/{key['id']}/ban", {"reason": "leaked"})
    assert ask().json["error"]["code"] == "no_usable_key"
    shown = gateway.admin("GET", f"/keys/{key['id']}").json
    assert (shown["state"], shown["reason"]) == ("banned", "leaked")
    gateway.admin("POST", f"/keys/{key['id']}/unban")
    assert ask().status == 200
    gateway.admin("POST", f"/upstreams/{upstream['id']}/disable")
    assert ask().json["error"]["code"] == "upstream_disabled"
    gateway.stop()
    gateway.start()
    assert ask().json["error"]["code"] == "upstream_disabled"
    assert gateway.admin("POST", "/upstreams", {"slug": "second", "base_url": "http://a"}).status == 409
    for url in ["ftp://x", "http://169.254.169.254", "http://u@x", "x"]:
        answer = gateway.admin("POST", "/upstreams", {"slug": "bad", "base_url": url})
        assert (answer.status, answer.json["error"]["param"]) == (422, "base_url")
    assert gateway.admin("DELETE", f"/upstreams/{upstream['id']}").status == 204


def test_a_key_cannot_take_anothers_name(gateway):
    upstream = gateway.admin("GET", "/upstreams").json["items"][0]["id"]
    made = gateway.admin("POST", "/keys", {"upstream_id": upstream, "name": "k", "key_value": "sk-database-key-0002"}).json
    refused = gateway.admin("PATCH", f"/keys/{made['id']}", {"name": "real"})
    assert (refused.status, refused.json["error"]["param"]) == (409, "name")
    assert gateway.admin("PATCH", f"/keys/{made['id']}", {"name": "k", "weight": 2}).json["weight"] == 2


def test_what_the_file_defines_is_operated_but_not_edited(gateway):
    upstream = gateway.admin("GET", "/upstreams").json["items"][0]
    assert upstream["source"] == "file"
    assert gateway.admin("PATCH", f"/upstreams/{upstream['id']}", {"name": "x"}).json["error"]["code"] == "managed_by_file"
    assert gateway.admin("DELETE", f"/upstreams/{upstream['id']}").status == 409
    key = gateway.admin("GET", "/keys").json["items"][0]
    assert gateway.admin("PATCH", f"/keys/{key['id']}", {"name": "x"}).status == 409
    assert gateway.admin("POST", f"/keys/{key['id']}/disable").json["state"] == "disabled"
    client = gateway.key()
    assert gateway.chat(client).status == 503
    gateway.stop()
    gateway.start()
    assert gateway.admin("GET", "/keys").json["items"][0]["id"] == key["id"]
    assert gateway.chat(client).status == 503
    assert http("GET", gateway.url("/health/ready")).status == 503
    gateway.admin("POST", f"/keys/{key['id']}/enable")
    assert gateway.chat(client).status == 200


def test_log_filters_pages_export_and_faults(gateway):
    key = gateway.key("alpha", owner="team-a")
    for status in (200, 200, 500, 503):
        gateway.chat(key, headers={"X-Mock-Status": str(status)})
    http("GET", gateway.url("/nothing"))
    gateway.logs(5)

    def find(text):
        return gateway.admin("GET", "/logs?filter=" + urllib.request.quote(text))

    assert len(find("status>=500").json["items"]) == 2
    assert len(find("status:2xx and owner:team-a and client:alpha").json["items"]) == 2
    assert len(find("not upstream:miniai").json["items"]) == 1
    assert len(find("error:not_found or status=503").json["items"]) == 2
    assert len(find("body:\"told to fail\"").json["items"]) == 2
    assert len(find("path~chat/c.*s$ and time>-1m").json["items"]) == 4
    answer = find("status>>5")
    assert answer.status == 422 and "column 8" in answer.json["error"]["message"]
    assert find("path~(").status == 422
    page = gateway.admin("GET", "/logs?limit=2").json
    rest = gateway.admin("GET", f"/logs?limit=2&cursor={page['next_cursor']}").json
    assert len({r["id"] for r in page["items"] + rest["items"]}) == 4
    assert gateway.admin("GET", "/logs?limit=0").status == 422
    assert gateway.admin("GET", "/logs?cursor=junk").status == 400
    rows = gateway.admin("GET", "/logs/export?format=csv").body.decode().splitlines()
    assert len(rows) == 6 and rows[0].startswith("id,time,request_id")
    lines = gateway.admin("GET", "/logs/export?format=jsonl&filter=status%3E%3D500").body.decode().splitlines()
    assert [json.loads(line)["status"] for line in lines] == [503, 500]
    stats = gateway.admin("GET", "/stats?by=owner").json["items"]
    assert [(s["name"], s["requests"], s["errors"]) for s in stats if s["name"]] == [("team-a", 4, 2)]


def test_the_log_is_read_on_from_a_moment(gateway):
    key = gateway.key()
    for index in range(7):
        gateway.chat(key, headers={"X-Request-Id": f"on-{index}"})
    times = [record["time"] for record in gateway.logs(7)][::-1]
    page = gateway.admin("GET", f"/logs?order=oldest&limit=2&from={times[2]}").json
    assert [r["request_id"] for r in page["items"]] == ["on-2", "on-3"]
    page = gateway.admin("GET", f"/logs?order=oldest&limit=9&from={times[2]}&cursor={page['next_cursor']}").json
    assert [r["request_id"] for r in page["items"]] == ["on-4", "on-5", "on-6"] and page["next_cursor"] is None
    assert gateway.admin("GET", "/logs?order=sideways").status in (400, 422)


def events(gateway, path):
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.admin_port}/api/admin{path}", headers={"Authorization": f"Bearer {gateway.token}"}
    )
    response = urllib.request.urlopen(request, timeout=10)
    assert response.readline() == b": ok\n"
    for line in response:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_live_tail_and_snapshots(gateway):
    key = gateway.key()
    tail = events(gateway, "/logs/stream?filter=status%3D200")
    threading.Timer(0.2, lambda: [gateway.chat(key, headers={"X-Request-Id": f"tail-{n}"}) for n in range(3)]).start()
    # Each loop's are in order; which loop's are written first is chance.
    assert sorted(next(tail)["request_id"] for _ in range(3)) == ["tail-0", "tail-1", "tail-2"]
    # The log is sooner than the figures, which are handed over ten times a second.
    snapshot = next(one for one in events(gateway, "/live") if one["dashboard"]["requests"] == 3)
    assert snapshot["exchanges"] == []


def test_an_operator_sees_and_cuts_an_exchange(gateway):
    key = gateway.key()
    result = {}

    def call():
        result["answer"] = gateway.chat(key, {"model": "m", "stream": True}, {"X-Mock-Tokens": "100000"})

    def run():
        try:
            call()
        except Exception as error:
            result["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    exchange = wait_until(
        lambda: next((e for e in gateway.admin("GET", "/exchanges").json["items"] if e["stream_chunks"] > 3), None)
    )
    assert exchange["state"] == "answering" and exchange["client_key"] == "key1"
    assert gateway.admin("DELETE", f"/exchanges/{exchange['id']}").status == 204
    thread.join(5)
    assert b"operator_cut" in (result["answer"].body if "answer" in result else result["error"].partial)
    assert gateway.admin("DELETE", f"/exchanges/{exchange['id']}").status == 404
    assert gateway.logs(1)[0]["error"] == "operator_cut"


def test_commands(gateway):
    made = gateway.command("keys", "create", "ci", "--owner", "bob", "--model", "mock-*", "--expires", "90d")
    key = made.stdout.strip()
    assert gateway.chat(key).status == 200
    gateway.logs(1)
    assert "ci" in gateway.command("keys").stdout
    identity = json.loads(gateway.command("keys", "list", "--json").stdout)["items"][0]["id"]
    gateway.command("keys", "edit", str(identity), "--expires", "never")
    assert json.loads(gateway.command("keys", "show", str(identity), "--json").stdout)["expires_at"] is None
    successor = gateway.command("keys", "rotate", str(identity), "--overlap", "1h").stdout.strip().splitlines()[0]
    assert gateway.chat(successor).status == 200
    gateway.command("keys", "disable", str(identity))
    assert gateway.chat(key).status == 401
    gateway.command("keys", "revoke", str(identity))
    gateway.command("keys", "delete", str(identity))
    assert "POST /proxy/miniai" in gateway.command("logs").stdout
    request_id = gateway.logs(1)[0]["request_id"]
    assert f"request id: {request_id}" in gateway.command("logs", "--id", request_id).stdout
    assert json.loads(gateway.command("status", "--json").stdout)["state"] == "ok"
    assert "in flight" in gateway.command("status").stdout
    assert gateway.command("reload").stdout.strip() == "reloaded"
    result = gateway.command("logs", "--filter", "nope=1", check=False)
    assert result.returncode == 1 and "no field nope" in result.stderr
    result = gateway.command("keys", "show", "4711", check=False)
    assert result.returncode == 1 and result.stderr.count("\n") == 1


def test_a_command_without_a_gateway_says_so_at_once(tmp_path):
    for socket in (tmp_path / "none.sock", tmp_path):
        command = [BINARY, "status", "--socket", str(socket)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=5)
        assert result.returncode == 1 and result.stderr.startswith("fastgate: no gateway answers at")
        assert result.stderr.count("\n") == 1


def test_the_api_description_and_the_routes_agree(gateway):
    document = gateway.admin("GET", "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        assert path.startswith("/api/admin/")
        for method in operations:
            if method == "get" and "{id}" not in path and not path.endswith(("stream", "live", "export")):
                path = path.replace("{event}", "key_disabled")
                assert gateway.admin("GET", path.removeprefix("/api/admin")).status == 200, path
    wrong = gateway.admin("PUT", "/keys")
    assert wrong.status == 405 and wrong.headers["allow"] == "GET, POST"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                for kind, media in answer.get("content", {}).items():
                    # Every JSON that is answered or taken has a schema that says something.
                    assert kind != "application/json" or media["schema"], (method, path, status)
            for kind, media in operation.get("requestBody", {"content": {}})["content"].items():
                assert media["schema"], (method, path, kind)
    assert gateway.admin("GET", "/nope").status == 404


def test_metrics(gateway):
    gateway.chat(gateway.key())
    gateway.logs(1)
    request = {"Authorization": f"Bearer {gateway.token}"}

    def page():
        text = http("GET", f"http://127.0.0.1:{gateway.admin_port}/metrics", headers=request).body.decode()
        return text if 'fastgate_requests_total{status="200"} 1' in text else None

    text = wait_until(page)
    for name in ["request_duration_seconds_count 1", "in_flight 0", "audit_dropped_total 0", "upstream_attempts_total 1"]:
        assert f"fastgate_{name}" in text
    assert 'fastgate_key_state{upstream="miniai",key="real",state="active"} 1' in text


def test_check_tells_every_fault(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("server: { port: x }\naudit: { mode: loud }\n")
    result = subprocess.run([BINARY, "check", "--config", str(file)], capture_output=True, text=True)
    assert result.returncode == 1
    assert [line.split(": ")[0].rsplit(":", 2)[1] for line in result.stderr.splitlines()] == ["1", "2"]
    result = subprocess.run([BINARY, "check", "--json", "--config", str(file)], capture_output=True, text=True)
    assert [fault["line"] for fault in json.loads(result.stdout)["faults"]] == [1, 2]
    for wrong in (["check", "--nope"], ["keys", "show", "abc"], ["nope"], ["logs", "--limit", "x"]):
        result = subprocess.run([BINARY, *wrong], capture_output=True, text=True)
        assert result.returncode == 2 and result.stderr.count("\n") == 1, result
    assert subprocess.run([BINARY, "--help"], capture_output=True).returncode == 0
    assert subprocess.run([BINARY, "--version"], capture_output=True).returncode == 0


def test_no_secret_in_any_sink(make_gateway, mock, tmp_path):
    """Canaries in every slot, then a search of every file and answer in four encodings."""
    import base64

    secrets = {
        "provider": "canary-provider-4f8a1c", "database": "canary-database-9b2e77", "query": "canary-query-5d31aa",
        "field": "canary-field-77c0de", "header": "canary-header-e0fa12",
    }
    gateway = make_gateway(environment={"PROVIDER_KEY": secrets["provider"], "FASTGATE_LOG": "trace"})
    upstream = gateway.admin("GET", "/upstreams").json["items"][0]["id"]
    made = gateway.admin(
        "POST", "/keys", {"upstream_id": upstream, "name": "db", "key_value": secrets["database"]},
        {"Idempotency-Key": "one"},
    )
    assert made.status == 201
    client = gateway.key("canary")
    secrets["client"] = client.split("_", 2)[2]
    secrets["admin"] = gateway.token.split("_", 1)[1]
    secrets["master"] = (gateway.folder / "data" / "master.key").read_text().strip()
    body = {"model": "m", "api_key": secrets["field"], "messages": [{"content": f"my key is {client}"}]}
    for status in ("200", "401", "429", "500"):
        for _ in range(2):
            gateway.chat(
                client, body, {"X-Mock-Status": status, "X-Secret-Token": secrets["header"]},
                path=f"/v2/chat/completions?key={secrets['query']}",
            )
    records = gateway.logs(8)
    sinks = {"answers": b"", "log": gateway.log().encode()}
    for record in records:
        sinks["answers"] += json.dumps(gateway.detail(record)).encode()
    for path in ("/keys", "/client-keys", "/upstreams", "/status", "/operators/audit", "/logs/export?format=jsonl"):
        sinks["answers"] += gateway.admin("GET", path).body
    sinks["cmdline"] = open(f"/proc/{gateway.process.pid}/cmdline", "rb").read()
    kept = {"master.key": ["master"], "admin.token": ["admin"]}
    for file in sorted((gateway.folder / "data").rglob("*")):
        if file.is_file():
            sinks[file.name] = file.read_bytes()
    for name, secret in secrets.items():
        raw = secret.encode()
        for form in (raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode(), urllib.request.quote(secret, safe="").encode()):
            for sink, content in sinks.items():
                if name in kept.get(sink, []):
                    continue
                assert form not in content, f"{name} is in {sink}"


def test_a_taken_operators_port_ends_the_start_with_one_line(tmp_path, mock):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "fastgate.yaml"
        config.write_text(f"server: {{ host: 127.0.0.1, port: 0 }}\nadmin: {{ port: {port} }}\n")
        result = subprocess.run([BINARY, "serve", "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"fastgate: cannot listen on 127.0.0.1:{port} for operators: Address already in use"
    )


def test_a_socket_that_cannot_be_made_ends_the_start_with_one_line(tmp_path):
    config = tmp_path / "fastgate.yaml"
    path = tmp_path / "nowhere" / "fastgate.sock"
    config.write_text(f"server: {{ host: 127.0.0.1, port: 0 }}\nadmin: {{ port: 0, socket: {path} }}\n")
    result = subprocess.run([BINARY, "serve", "--config", str(config)], capture_output=True, text=True, timeout=20)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"fastgate: cannot listen on {path} for operators: No such file or directory"


def test_keys_edit_changes_only_what_is_given(gateway):
    gateway.command("keys", "create", "narrow", "--upstream", "miniai", "--cidr", "127.0.0.0/8")
    key = gateway.admin("GET", "/client-keys").json["items"][0]
    gateway.command("keys", "edit", str(key["id"]), "--model", "gpt-5*")
    permissions = gateway.admin("GET", f"/client-keys/{key['id']}").json["permissions"]
    assert permissions == {"upstreams": ["miniai"], "paths": [], "models": ["gpt-5*"], "cidrs": ["127.0.0.0/8"]}
    gateway.command("keys", "edit", str(key["id"]), "--allow-all", "--path", "/v1/**")
    permissions = gateway.admin("GET", f"/client-keys/{key['id']}").json["permissions"]
    assert permissions == {"upstreams": [], "paths": ["/v1/**"], "models": [], "cidrs": []}
    assert "no upstream typo yet" in gateway.command("keys", "create", "k", "--upstream", "typo").stderr


def test_an_expired_key_is_not_rotated(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "k"}).json
    first = gateway.admin("POST", f"/client-keys/{made['id']}/rotate", {"overlap_seconds": 0}).json
    # Its successor has no end, and so has a second one.
    assert gateway.admin("POST", f"/client-keys/{made['id']}/rotate", {"overlap_seconds": 0}).json["expires_at"] is None
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    gateway.admin("PATCH", f"/client-keys/{first['id']}", {"expires_at": soon})
    answer = wait_until(
        lambda: (a := gateway.admin("POST", f"/client-keys/{first['id']}/rotate", {})).status == 409 and a, interval=0.3
    )
    assert "expired" in answer.json["error"]["message"]


def test_many_operators_at_once_are_all_answered(gateway):
    """Reads that wait for a connection to a database must not keep those from ending that hold one."""
    key = gateway.key("caller")
    for _ in range(50):
        gateway.chat(key)
    gateway.logs(50)
    paths = ["/dashboard?filter=status:2xx", "/logs?filter=path:chat", "/status", "/operators/audit", "/stats?by=owner",
             "/operators/me/settings", "/dashboard/charts", "/client-keys"]  # fmt: skip
    failed = []

    def ask(number):
        for turn in range(12):
            path = paths[(number + turn) % len(paths)]
            try:
                answer = gateway.admin("GET", path)
                if answer.status != 200:
                    failed.append((path, answer.status, answer.body))
            except OSError as error:
                failed.append((path, error))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed[:3]


def test_settings_are_an_object_of_ones_own(gateway):
    assert gateway.admin("GET", "/operators/me/settings").json == {}
    assert gateway.admin("PUT", "/operators/me/settings", {"theme": "light"}).status == 200
    assert gateway.admin("GET", "/operators/me/settings").json == {"theme": "light"}
    assert gateway.admin("PUT", "/operators/me/settings", [1]).status == 400
    for length, status in ((65_535, 200), (65_536, 200), (65_537, 422)):
        body = b'{"x":"' + b"y" * (length - 8) + b'"}'
        assert len(body) == length
        assert gateway.admin("PUT", "/operators/me/settings", body).status == status
    assert len(gateway.admin("GET", "/operators/me/settings").body) == 65_536


def test_a_socket_that_is_served_is_left_alone(make_gateway, tmp_path):
    first = make_gateway(folder="one")
    second = make_gateway(folder="two", start=False, environment={"FASTGATE_SOCKET": first.socket})
    result = subprocess.run(
        [BINARY, "serve", "--config", str(second.config), "--no-console"], capture_output=True, text=True, timeout=20,
        env=second.environment,
    )
    assert result.returncode != 0 and "another gateway listens on" in result.stderr
    assert first.command("status").stdout.startswith("FastGate")
    # One that is left over is nobody's.
    first.kill()
    assert make_gateway(folder="two", environment={"FASTGATE_SOCKET": first.socket}).command("status").returncode == 0


def test_a_command_finds_the_socket_that_the_configuration_names(make_gateway, tmp_path):
    gateway = make_gateway(start=False)
    text = gateway.config.read_text().replace("admin: { port: 0 }", "admin: { port: 0, socket: run/own.sock }")
    gateway.config.write_text(text)
    (gateway.folder / "run").mkdir()
    gateway.start()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FASTGATE_")}
    for folder, more in [(gateway.folder, {}), (tmp_path, {"FASTGATE_CONFIG": str(gateway.config)})]:
        # Whoever asks need not know the provider's key, which the file takes from the gateway's environment.
        result = subprocess.run(
            [BINARY, "status"], capture_output=True, text=True, cwd=folder, env={**environment, **more}, timeout=20
        )
        assert result.returncode == 0, result.stderr


def test_fields_inside_fields_are_refused_too(gateway):
    for path, body, field in [
        ("/client-keys", {"name": "x", "permissions": {"upstream": ["m"]}}, "permissions.upstream"),
        ("/upstreams", {"slug": "x", "base_url": "http://h", "timeouts": {"bogus": "1s"}}, "timeouts.bogus"),
        ("/upstreams", {"slug": "x", "base_url": "http://h", "probe": {"path": "/", "every": "1s"}}, "probe.every"),
        (
            "/rules",
            {"name": "x", "when": {"header": [{"name": "a", "value": "1"}]}, "then": [{"action": "notify"}]},
            "when.header.value",
        ),
    ]:
        answer = gateway.admin("POST", path, body)
        assert (answer.status, answer.json["error"]["param"]) == (422, field), answer.body
        assert answer.json["error"]["request_id"].startswith("adm_")
    # What is one may stand without its list.
    when = {"status": "5xx", "error": "timeout", "body_contains": "x", "header": {"name": "a", "contains": "b"}}
    made = gateway.admin("POST", "/rules", {"name": "one", "when": when, "then": [{"action": "notify"}]})
    assert made.status == 201 and made.json["when"]["status"] == ["5xx"], made.body


def test_a_change_of_permissions_leaves_the_others(gateway):
    gateway.key("lab", permissions={"models": ["gpt-*"], "paths": ["/v1/*"]})
    place = f"/client-keys/{gateway.admin('GET', '/client-keys').json['items'][0]['id']}"
    after = gateway.admin("PATCH", place, {"permissions": {"paths": ["/v2/*"]}}).json["permissions"]
    assert after == {"models": ["gpt-*"], "paths": ["/v2/*"], "upstreams": [], "cidrs": []}
    after = gateway.admin("PATCH", place, {"permissions": {"models": None}}).json["permissions"]
    assert after["models"] == [] and after["paths"] == ["/v2/*"]
    assert gateway.admin("PATCH", place, {"permissions": None}).json["permissions"]["paths"] == []


def test_nobody_deletes_what_has_changed_since(gateway, mock):
    gateway.key("lab")
    upstream = gateway.admin("POST", "/upstreams", {"slug": "x", "base_url": "http://127.0.0.1:9"}).json
    key = gateway.admin("POST", "/keys", {"upstream_id": upstream["id"], "name": "k", "key_value": "sk-0123456789"}).json
    rule = gateway.admin("POST", "/rules", {"name": "r", "when": {"status": [418]}, "then": [{"action": "notify"}]}).json
    header = gateway.admin("POST", "/headers", {"upstream_id": upstream["id"], "name": "x-a", "kind": "static", "value": "1"}).json
    channel = gateway.admin(
        "POST", "/notifications/channels", {"name": "c", "kind": "webhook", "webhook_url": "https://example.com/x"}
    ).json
    client = gateway.admin("GET", "/client-keys").json["items"][0]
    for path, made in [
        ("/headers", header), ("/rules", rule), ("/keys", key), ("/upstreams", upstream),
        ("/notifications/channels", channel), ("/client-keys", client),
    ]:
        place = f"{path}/{made['id']}"
        stale = gateway.admin("DELETE", place, headers={"If-Match": f'"{made["version"] + 1}"'})
        assert stale.status == 412, (path, stale.body)
        version = gateway.admin("GET", place).json["version"]
        assert gateway.admin("DELETE", place, headers={"If-Match": f'"{version}"'}).status == 204, path


def test_every_list_comes_by_parts(gateway):
    for path in [
        "/upstreams", "/headers", "/rules", "/tasks", "/notifications/channels", "/exchanges", "/batch/jobs", "/operators",
        "/rate-limits", "/stats", "/scripts/examples",
    ]:
        whole = gateway.admin("GET", path).json["items"]
        parts, cursor = [], ""
        while cursor is not None:
            page = gateway.admin("GET", f"{path}?limit=2{cursor and '&cursor=' + cursor}")
            assert page.status == 200 and len(page.json["items"]) <= 2, page.body
            parts += page.json["items"]
            cursor = page.json["next_cursor"]
        assert [str(one) for one in parts] == [str(one) for one in whole] or path in ("/tasks", "/rules")
        assert len(parts) == len(whole)
        for bad in ["limit=0", "limit=1001", "limit=x"]:
            assert gateway.admin("GET", f"{path}?{bad}").status == 422
        assert gateway.admin("GET", f"{path}?cursor=zzz").status == 400


def test_a_rotation_happens_once(gateway):
    gateway.key("lab")
    number = gateway.admin("GET", "/client-keys").json["items"][0]["id"]
    answers = [gateway.admin("POST", f"/client-keys/{number}/rotate", headers={"Idempotency-Key": "a"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201] and answers[0].json == answers[1].json
    assert len(gateway.admin("GET", "/client-keys").json["items"]) == 2
    # One that was stopped stays stopped, and its successor works.
    gateway.admin("POST", f"/client-keys/{number}/disable")
    fresh = gateway.admin("POST", f"/client-keys/{number}/rotate").json
    assert fresh["enabled"] and gateway.chat(fresh["key"]).status == 200
    assert not gateway.admin("GET", f"/client-keys/{number}").json["enabled"]


def test_the_socket_asks_for_no_host(gateway):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(gateway.socket)
        client.sendall(b"GET /api/admin/status HTTP/1.1\r\nhost: unix\r\nconnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    refused = gateway.admin("GET", "/status", headers={"Host": "evil.example"})
    assert refused.status == 403
    wrong = gateway.admin("POST", "/status")
    assert (wrong.status, wrong.json["error"]["code"]) == (405, "method_not_allowed")


def test_a_console_without_a_terminal_ends_by_signal(gateway):
    process = subprocess.Popen(
        [BINARY, "console", "--socket", gateway.socket], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline()
    process.terminate()
    assert process.wait(5) == -signal.SIGTERM
    process.stdout.close()
    process.stderr.close()


def test_filters_take_spaces_numbers_and_parts_of_seconds(gateway):
    key = gateway.key()
    gateway.chat(key)
    gateway.chat(key, headers={"X-Mock-Status": "404"})
    gateway.logs(2)

    def count(text):
        answer = gateway.admin("GET", "/logs?filter=" + urllib.parse.quote(text))
        assert answer.status == 200, (text, answer.body)
        return len(answer.json["items"])

    newest = gateway.logs(2)[0]
    for text, wanted in [
        ("status >= 400", 1), ("status>= 400", 1), ("status >=400", 1), ("not status >= 400", 1), ("404", 1), ("40", 0),
        (f"id={newest['id']}", 1), (f"id:{newest['id']}", 1), (f"id!={newest['id']}", 1), (f"id={newest['request_id']}", 1),
        ("latency > 30 s", 0), ("latency < 30 s", 2), ("bytes > 1 b", 2), ("bytes > 1 gb", 0),
        ("latency<30.5s", 2), ("latency > 30.5s", 0), ("client = key1 and path : chat", 2), ('path : "v2/chat"', 2),
    ]:
        assert count(text) == wanted, text
    plus = gateway.admin("GET", "/logs?filter=status+%3E%3D+400+and+not+path:a%2Bb").json["items"]
    assert len(plus) == 1
    for text in ["status >=", "status >= and 1", "latency>1.2.3s", "foo = 1", "stat >= 4", "foo =1"]:
        assert gateway.admin("GET", "/logs?filter=" + urllib.parse.quote(text)).status == 422, text


def test_new_values_of_a_disabled_key_do_not_bring_it_back(gateway, mock):
    """Not at once, and not after a restart."""
    upstream = gateway.admin("GET", "/upstreams").json["items"][0]["id"]
    key = gateway.admin("POST", "/keys", {"upstream_id": upstream, "name": "own", "key_value": "sk-own-000001"}).json["id"]
    gateway.admin("POST", f"/keys/{key}/disable", {"reason": "being replaced"})
    changed = gateway.admin("PATCH", f"/keys/{key}", {"key_value": "sk-own-000002"}).json
    assert (changed["state"], changed["reason"]) == ("disabled", "being replaced") and changed["since"]
    gateway.stop()
    gateway.start()
    again = gateway.admin("GET", f"/keys/{key}").json
    assert (again["state"], again["reason"], again["since"]) == ("disabled", "being replaced", changed["since"])


def test_a_condition_that_callers_feel_is_told(gateway):
    upstream = gateway.admin("GET", "/upstreams").json["items"][0]["id"]
    (key,) = [one["id"] for one in gateway.admin("GET", f"/keys?upstream_id={upstream}").json["items"]]
    assert gateway.admin("GET", "/status").json["state"] == "ok"
    gateway.admin("POST", f"/keys/{key}/disable")
    assert gateway.admin("GET", "/status").json["state"] == "degraded"
    assert "degraded" in gateway.command("status").stdout.splitlines()[0]
    assert gateway.admin("GET", "/upstreams").json["items"][0]["health_reason"]
    gateway.admin("POST", f"/keys/{key}/reset")
    wait_until(lambda: gateway.admin("GET", "/dashboard").json["state"] == "ok", what="a dashboard that knows it")


def test_the_log_says_where_a_stream_kept_its_reader_waiting(gateway):
    body = {"model": "m", "stream": True, "messages": []}
    assert gateway.chat(gateway.key(), body, {"X-Mock-Tokens": "3", "X-Mock-Gap-Ms": "320"}).status == 200
    record = gateway.logs(1)[0]
    gaps = gateway.detail(record)["stream"]["gaps"]
    assert len(gaps) >= 2 and all(300 <= gap["ms"] < 2000 for gap in gaps), gaps
    assert [gap["after"] for gap in gaps] == sorted({gap["after"] for gap in gaps}) and gaps[-1]["after"] < record["stream_chunks"]
    shown = gateway.command("logs", "--id", str(record["id"])).stdout
    assert f"pauses  {gaps[0]['ms']}ms after event {gaps[0]['after']}" in shown
    assert gateway.chat(gateway.key("other"), body, {"X-Mock-Gap-Ms": "1"}).status == 200
    assert gateway.detail(gateway.logs(2)[0])["stream"]["gaps"] == []
