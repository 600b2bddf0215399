"""Headers that are added to what goes upstream: static ones, and such that scripts compute."""

import json
import os
import re
import time

import pytest

from conftest import http, make_somebody, somebody, wait_until

STAMP = "return new Date().toISOString();"


def upstream(gateway, slug="miniai"):
    return next(item for item in gateway.admin("GET", "/upstreams").json["items"] if item["slug"] == slug)["id"]


@pytest.fixture
def rule(gateway, mock):
    """Makes header rules of the upstream, and says what the provider received last."""
    mock.forget()

    class Rules:
        def add(self, name, status=201, **fields):
            kind = "static" if "value" in fields else "javascript"
            body = {"upstream_id": upstream(gateway), "name": name, "kind": kind, **fields}
            answer = gateway.admin("POST", "/headers", body)
            assert answer.status == status, answer.body
            return answer.json

        def received(self):
            return {name.lower(): value for name, value in mock.received()[-1]["headers"]}

        def show(self, made):
            return gateway.admin("GET", f"/headers/{made['id']}").json

    return Rules()


def test_a_computed_header_is_different_on_every_request(gateway, rule):
    key = gateway.key()
    rule.add("X-Timestamp", script=STAMP)
    rule.add("X-Python-Time", kind="python", script="from datetime import datetime\nresult = datetime.now().isoformat()")
    rule.add("X-Team", value="platform")
    seen = set()
    for _ in range(10):
        assert gateway.chat(key, headers={"X-Timestamp": "forged", "x-team": "forged"}).status == 200
        headers = rule.received()
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT.*Z", headers["x-timestamp"])
        assert headers["x-python-time"].startswith("20") and headers["x-team"] == "platform"
        seen |= {headers["x-timestamp"], headers["x-python-time"]}
        time.sleep(0.002)
    assert len(seen) == 20


def test_what_a_script_knows(gateway, rule):
    key = gateway.key("team-x", owner="ml")
    rule.add("X-Context", script="return JSON.stringify(context)")
    gateway.chat(key, path="/v2/chat/completions?a=%20b")
    context = __import__("json").loads(rule.received()["x-context"])
    assert context.pop("time").endswith("Z")
    assert context == {
        "method": "POST", "path": "/v2/chat/completions", "query": "a=%20b", "client_key": "team-x", "owner": "ml",
        "upstream": "miniai", "attempt": 1,
    }


def test_each_failure_policy(gateway, rule):
    key = gateway.key()
    bad = "let a;\nreturn a.b;"
    made = rule.add("X-Bad", script=bad, on_failure="omit")
    assert gateway.chat(key).status == 200 and "x-bad" not in rule.received()
    path = f"/headers/{made['id']}"
    assert gateway.admin("PATCH", path, {"on_failure": "fallback", "fallback": "none"}).status == 200
    assert gateway.chat(key).status == 200 and rule.received()["x-bad"] == "none"
    assert gateway.admin("PATCH", path, {"on_failure": "fail", "fallback": None}).status == 200
    answer = gateway.chat(key)
    assert answer.status == 502 and answer.json["error"]["code"] == "header_script_failed"
    assert "X-Bad" in answer.json["error"]["message"] and "undefined" not in answer.json["error"]["message"]
    shown = rule.show(made)
    assert shown["runs"] == 3 and shown["errors"] == 3 and shown["p95_ms"] > 0
    assert shown["last_error"].startswith("line 2: TypeError")
    log = wait_until(lambda: gateway.admin("GET", "/logs?filter=status=502").json["items"], what="the record")[0]
    assert log["error"] == "header_script_failed"
    # Nothing was sent, and the key is as it was.
    assert gateway.admin("GET", "/keys").json["items"][0]["state"] == "active"
    assert gateway.admin("PATCH", path, {"enabled": False}).status == 200
    assert gateway.chat(key).status == 200 and "x-bad" not in rule.received()
    # The figures are those of the script, not of the rule's name.
    assert rule.show(made)["errors"] == 3
    assert gateway.admin("PATCH", path, {"script": "return 1", "enabled": True}).status == 200
    assert gateway.chat(key).status == 200 and rule.received()["x-bad"] == "1"
    mended = rule.show(made)
    assert (mended["runs"], mended["errors"], mended["last_error"]) == (1, 0, None)


@pytest.mark.parametrize("value", ["'a\\r\\nX-Evil: 1'", "'a\\nb'", "'\\u0000'", "' a'", "'x'.repeat(8193)", "({})", "null", "undefined", "Symbol()"])
def test_what_no_header_can_hold_is_a_failure(gateway, rule, value):
    key = gateway.key()
    made = rule.add("X-Value", script=f"return {value};")
    assert gateway.chat(key).status == 502
    assert rule.show(made)["errors"] == 1


def test_values_up_to_their_size_and_of_other_kinds(gateway, rule):
    key = gateway.key()
    rule.add("X-Long", script="return 'x'.repeat(8192)")
    rule.add("X-Number", script="return 2.5")
    rule.add("X-Truth", script="return true")
    rule.add("X-Empty", script="return ''")
    rule.add("X-Umlaut", kind="python", script="result = 'ä'")
    assert gateway.chat(key).status == 200
    headers = rule.received()
    assert len(headers["x-long"]) == 8192 and headers["x-number"] == "2.5" and headers["x-truth"] == "true" and headers["x-empty"] == ""


def test_a_script_that_hangs_costs_its_time_and_nobody_elses(make_gateway, mock):
    gateway = make_gateway("scripts: { timeout: 300ms }")
    key = gateway.key()
    for name, script in (("X-Hang", "if (context.path === '/hang') while(1); return 1"),):
        body = {"upstream_id": upstream(gateway), "name": name, "kind": "javascript", "script": script}
        assert gateway.admin("POST", "/headers", body).status == 201
    assert gateway.chat(key).status == 200
    begin = time.monotonic()
    assert gateway.chat(key, path="/hang").status == 502
    assert 0.3 <= time.monotonic() - begin < 0.4
    assert gateway.chat(key).status == 200


def test_a_value_is_kept_for_its_time_and_its_caller(gateway, rule):
    keys = [gateway.key("one"), gateway.key("two")]
    made = rule.add("X-Cached", script="return context.client_key + Math.random()", cache_seconds=60)
    seen = []
    for key in (keys[0], keys[0], keys[1], keys[0]):
        gateway.chat(key)
        seen.append(rule.received()["x-cached"])
    # Each loop of the gateway keeps its own.
    assert all(value.startswith(name) for value, name in zip(seen, ("one", "one", "two", "one")))
    assert rule.show(made)["runs"] <= 4
    # Another script is another value.
    assert gateway.admin("PATCH", f"/headers/{made['id']}", {"script": "return 'new'"}).status == 200
    gateway.chat(keys[0])
    assert rule.received()["x-cached"] == "new"


def test_the_caller_may_leave_while_a_script_runs(make_gateway, mock):
    import http.client

    gateway = make_gateway("scripts: { timeout: 2s }")
    key = gateway.key()
    body = {"upstream_id": upstream(gateway), "name": "X-Slow", "kind": "javascript", "script": "const end = Date.now() + 500; while (Date.now() < end); return 1"}
    assert gateway.admin("POST", "/headers", body).status == 201
    mock.forget()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
    connection.request("POST", "/proxy/miniai/v2/chat/completions", b"{}", {"X-API-Key": key})
    wait_until(lambda: gateway.admin("GET", "/exchanges").json["items"], what="the exchange")
    connection.close()
    gone = wait_until(lambda: gateway.admin("GET", "/logs").json["items"], what="the record")[0]
    assert gone["error"] == "caller_gone" and gone["status"] is None
    assert gateway.chat(key).status == 200
    assert len(mock.received()) == 1


def test_a_header_rule_is_checked(gateway, rule):
    for fields, param in (
        (dict(name="Host", value="x"), "name"), (dict(name="content-length", value="1"), "name"),
        (dict(name="X Bad", value="1"), "name"), (dict(name="X_Bad", value="1"), "name"), (dict(name="", value="1"), "name"),
        (dict(name="Authorization", value="1"), "name"), (dict(name="X-A", value="a\nb"), "value"),
        (dict(name="X-A", value="x" * 8193), "value"), (dict(name="X-A", kind="static"), "value"),
        (dict(name="X-A", kind="python"), "script"), (dict(name="X-A", script="x" * 65_537), "script"),
        (dict(name="X-A", script="return 1", on_failure="fallback"), "fallback"),
        (dict(name="X-A", script="return 1", fallback="x"), "fallback"),
        (dict(name="X-A", script="return 1", cache_seconds=86_401), "cache_seconds"),
        (dict(name="X-A", script="return 1", position=0), "position"), (dict(name="X-A", kind="lua", script="1"), "kind"),
    ):
        answer = rule.add(**fields, status=422)
        assert answer["error"]["param"] == param, (fields, answer)
    missing = gateway.admin("POST", "/headers", {"upstream_id": 99, "name": "X-A", "kind": "static", "value": "1"})
    assert missing.status == 422 and missing.json["error"]["param"] == "upstream_id"
    assert gateway.admin("GET", "/headers").json["items"] == []
    assert gateway.admin("GET", "/headers/7").status == 404


def test_limits_of_header_rules(gateway, rule):
    for length, status in ((127, 201), (128, 201), (129, 422)):
        rule.add("X-" + "n" * (length - 2), value="v" * 8192, status=status)
    for seconds, status in ((86_399, 201), (86_400, 201), (86_401, 422)):
        rule.add(f"X-{seconds}", script="return 1", cache_seconds=seconds, status=status)
    for number in range(4, 32):
        rule.add(f"X-N{number}", value=str(number))
    assert len(gateway.admin("GET", "/headers").json["items"]) == 32
    assert "32" in rule.add("X-One-More", value="1", status=409)["error"]["message"]


def test_no_value_is_in_the_record_of_changes(gateway, rule):
    rule.add("X-Secret", value="canary-value")
    rule.add("X-Signed", script="return 'canary-script'", on_failure="fallback", fallback="canary-fallback")
    own = gateway.admin("GET", "/headers").body.decode()
    assert all(f"canary-{name}" in own for name in ("value", "script", "fallback"))
    assert "canary" not in gateway.admin("GET", "/operators/audit").body.decode()


def test_order_change_and_record(gateway, rule):
    made = [rule.add(f"X-{name}", value=f"secret-{name}") for name in "ABC"]
    ids = [item["id"] for item in made]
    assert [item["position"] for item in gateway.admin("GET", "/headers").json["items"]] == [1, 2, 3]
    moved = gateway.admin("POST", "/headers/reorder", {"ids": ids[::-1]})
    assert [item["name"] for item in moved.json["items"]] == ["X-C", "X-B", "X-A"]
    assert gateway.admin("POST", "/headers/reorder", {"ids": ids[:2]}).status == 422
    stale = gateway.admin("PATCH", f"/headers/{ids[0]}", {"value": "x"}, {"If-Match": '"99"'})
    assert stale.status == 412
    assert gateway.admin("PATCH", f"/headers/{ids[0]}", {"value": "other-secret"}).json["value"] == "other-secret"
    assert gateway.admin("DELETE", f"/headers/{ids[1]}").status == 204
    assert [item["position"] for item in gateway.admin("GET", "/headers").json["items"]] == [1, 2]
    changes = gateway.admin("GET", "/operators/audit").body.decode()
    assert "header_rule" in changes and "secret" not in changes


def test_by_command(gateway, rule, tmp_path):
    script = tmp_path / "sign.py"
    script.write_text("result = 'signed'")
    gateway.command("headers", "add", "miniai", "X-Sign", "--file", str(script), "--fallback", "none", "--cache", "5")
    gateway.command("headers", "add", "miniai", "X-Team", "--value", "ml", "--position", "1")
    listed = gateway.command("headers").stdout
    assert listed.index("X-Team") < listed.index("X-Sign") and "fallback" in listed
    made = {item["name"]: item["id"] for item in gateway.admin("GET", "/headers").json["items"]}
    assert "result = 'signed'" in gateway.command("headers", "show", str(made["X-Sign"])).stdout
    gateway.command("headers", "edit", str(made["X-Team"]), "--javascript", "return 'computed'")
    gateway.command("headers", "move", str(made["X-Team"]), "2")
    gateway.command("headers", "disable", str(made["X-Sign"]))
    gateway.chat(gateway.key())
    assert rule.received()["x-team"] == "computed" and "x-sign" not in rule.received()
    assert "result = 'signed'" in gateway.command("headers", "show", "miniai/x-sign").stdout
    gateway.command("headers", "enable", "miniai/X-Sign")
    gateway.command("headers", "edit", "miniai/X-Sign", "--value", "plain")
    gateway.command("headers", "delete", "miniai/X-Sign")
    assert [item["name"] for item in gateway.admin("GET", "/headers").json["items"]] == ["X-Team"]
    for unknown, status in [("miniai/X-None", 1), ("none/X-Team", 1), ("X-Team", 2), ("miniai/", 2), ("999", 1)]:
        refused = gateway.command("headers", "delete", unknown, check=False)
        assert refused.returncode == status and "no " in refused.stderr, unknown
    gateway.command("headers", "add", "miniai", "X-Team", "--value", "two")
    refused = gateway.command("headers", "delete", "miniai/X-Team", check=False)
    assert refused.returncode == 1 and "give an id" in refused.stderr
    refused = gateway.command("headers", "add", "miniai", "Host", "--value", "x", check=False)
    assert refused.returncode == 1 and "the gateway's own to say" in refused.stderr
    assert gateway.command("headers", "add", "miniai", "X", "--value", "1", "--python", "x", check=False).returncode == 2


def test_a_script_is_tried_before_callers_depend_on_it(gateway, rule):
    refused = gateway.command("headers", "add", "miniai", "X-A", "--javascript", "\nthrow new Error('no key')", check=False)
    assert refused.returncode == 1 and "failed at line 2" in refused.stderr and "no key" in refused.stderr
    assert "--skip-trial" in refused.stderr and gateway.admin("GET", "/headers").json["items"] == []
    made = gateway.command("headers", "add", "miniai", "X-A", "--javascript", "return context.upstream", "--json")
    number = str(json.loads(made.stdout)["id"])
    failing = ["headers", "edit", number, "--python", "result = 1 / 0"]
    refused = gateway.command(*failing, check=False)
    assert refused.returncode == 1 and "division by zero" in refused.stderr
    assert gateway.admin("GET", f"/headers/{number}").json["kind"] == "javascript"
    assert gateway.command("headers", "edit", number, check=False).returncode == 2
    gateway.command(*failing, "--skip-trial")
    answer = gateway.chat(gateway.key())
    assert answer.status == 502
    gateway.logs(1)
    shown = gateway.command("logs", "--id", answer.headers["x-request-id"]).stdout
    assert "header_script_failed" in shown and "header X-A: " in shown and "division by zero" in shown


def test_header_rules_outlive_the_process(gateway, rule):
    key = gateway.key()
    rule.add("X-Timestamp", script=STAMP)
    gateway.stop()
    gateway.start()
    assert gateway.chat(key).status == 200
    assert rule.received()["x-timestamp"].endswith("Z")

def test_a_script_that_does_not_hold_is_refused_with_its_line(gateway, rule):
    for kind, script, place in (
        ("javascript", "const a = 1;\nreturn a +;", "line 2"), ("python", "a = 1\nresult = = a", "line 2, column 10"),
        ("python", "a = 1\n\nresult = a._hidden", "line 3"), ("javascript", "} ; globalThis.x = () => {", None),
    ):
        error = rule.add("X-Broken", kind=kind, script=script, status=422)["error"]
        assert error["param"] == "script" and (place is None or error["message"].startswith(place)), error
    made = rule.add("X-Fine", script="return 1")
    for change in ({"script": "return ("}, {"kind": "python", "script": "return 1"}):
        assert gateway.admin("PATCH", f"/headers/{made['id']}", change).json["error"]["param"] == "script"
    assert rule.show(made)["script"] == "return 1"
    # Only read, never run: what it would throw, and how long it would take, is not asked.
    rule.add("X-Throws", script="throw new Error()")
    rule.add("X-Hangs", script="while (true);")


def test_one_that_keeps_failing_raises_an_alert_and_takes_it_back(gateway, rule):
    key = gateway.key()
    made = rule.add("X-Bad", script="if (context.path.endsWith('completions')) throw new Error('canary'); return 1;")
    problems = lambda: [item for item in gateway.admin("GET", "/dashboard").json["problems"] if item["kind"] == "script"]
    for _ in range(4):
        assert gateway.chat(key).status == 502
    assert problems() == [] and rule.show(made)["failing"] is False
    assert gateway.chat(key).status == 502
    (problem,) = wait_until(problems, what="the alert")
    assert problem["name"] == "miniai/X-Bad" and problem["state"] == "failing" and "canary" not in str(problem)
    assert rule.show(made)["failing"] is True
    # What a script says may hold secrets: the log has the header's name and its rule only.
    (line,) = [line for line in gateway.log().splitlines() if "keeps failing" in line]
    assert "X-Bad" in line and f'"rule":"{made["id"]}"' in line and "canary" not in line
    assert gateway.chat(key, path="/v2/other").status != 502
    wait_until(lambda: problems() == [], what="the end of the alert")
    address = f"http://127.0.0.1:{gateway.admin_port}/metrics"
    metrics = http("GET", address, headers={"Authorization": f"Bearer {gateway.token}"}).body.decode()
    assert 'fastgate_script_runs_total{language="javascript",outcome="failed"} 5' in metrics
    assert 'fastgate_script_runs_total{language="javascript",outcome="ok"} 1' in metrics
    (status,) = gateway.admin("GET", "/status").json["scripts"]
    assert status["language"] == "javascript" and status["runs"] == {"failed": 5, "ok": 1} and status["workers"] >= 1


def test_nothing_leaks_between_tenants(gateway, rule, mock):
    """10,000 runs, two callers in turn, both languages: each run leaves what it can, and looks for what others left."""
    rule.add("X-Javascript", script="""
        const places = [globalThis, Object.prototype, Array.prototype, String.prototype, Function.prototype, Promise.prototype,
                        Math, JSON, Date, Reflect, console, crypto, base64, hmac, sha256, context.constructor];
        const found = places.map((place) => place.kept).filter(Boolean);
        for (const place of places) { try { place.kept = context.client_key; } catch {} }
        Date.now = () => context.client_key; JSON.stringify = () => context.client_key; Math.random = () => context.client_key;
        Promise.resolve().then(() => { globalThis.later = context.client_key; });
        const now = String(new Date().getTime()).length, free = typeof later;
        return [context.client_key, ...found, now, free].join(" ");
    """)
    rule.add("X-Python", kind="python", script="""
import json, string
found = []
try:
    found.append(kept)
except NameError:
    pass
kept = context["client_key"]
context["kept"] = kept
def remember(value, all=[]):
    all.append(value)
    return all
result = " ".join(remember(context["client_key"]) + found + [str(len(context))])
""")
    names = ("tenant-a", "tenant-b")
    keys = [gateway.key(name) for name in names]
    for turn in range(2500):
        for name, key in zip(names, keys):
            assert gateway.chat(key).status == 200
            if turn % 10 == 0:
                headers = rule.received()
                assert headers["x-javascript"] == f"{name} 13 undefined" and headers["x-python"] == f"{name} 9", (turn, headers)
        if turn % 250 == 0:
            mock.forget()
    for item in gateway.admin("GET", "/headers").json["items"]:
        assert item["runs"] == 5000 and item["errors"] == 0, item


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_viewer_sees_that_there_are_values_and_not_which(make_gateway, monkeypatch, tmp_path):
    """The socket knows its peer by the system's word."""
    gateway = make_gateway(start=False)
    make_somebody(gateway, tmp_path, "viewer")
    ids = upstream(gateway)
    for fields in (dict(name="X-A", kind="static", value="canary"), dict(name="X-B", kind="javascript", script="throw new Error('canary')")):
        assert gateway.admin("POST", "/headers", {"upstream_id": ids, **fields}).status == 201
    assert gateway.chat(gateway.key()).status == 502
    with somebody(gateway, monkeypatch) as ask:
        status, text = ask("GET", "/headers")
        assert status == 200 and "canary" not in text and text.count("(for operators)") == 3, text
        assert ask("POST", "/headers", '{"upstream_id": 1, "name": "X-C", "kind": "static", "value": "1"}')[0] == 403
        assert ask("POST", "/scripts/test", '{"language": "javascript", "script": "return 1"}')[0] == 403
