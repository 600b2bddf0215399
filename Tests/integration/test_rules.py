"""Rules: read, changed, ordered, tried, and at work on real answers."""

import json

import pytest
from conftest import wait_until
from test_pool import ask, keys, pool  # noqa: F401
from provider import GOOD, error


def rules(gateway):
    return gateway.admin("GET", "/rules").json["items"]


def test_the_defaults_are_there_and_can_be_brought_back(gateway):
    names = [rule["name"] for rule in rules(gateway)]
    assert names[:2] == ["request not permitted", "dead credential"] and "throttled" in names and names.index("out of quota") < names.index("throttled")
    for rule in rules(gateway):
        assert gateway.admin("DELETE", f"/rules/{rule['id']}").status == 204
    assert rules(gateway) == []
    back = gateway.admin("POST", "/rules/reset-defaults")
    assert back.status == 200 and [rule["name"] for rule in back.json["items"]] == names
    actions = [change["action"] for change in gateway.admin("GET", "/operators/audit").json["items"] if change["object"] == "rule"]
    assert actions[0] == "reset" and "delete" in actions


def test_rules_are_made_changed_and_ordered(gateway):
    draft = {"name": "teapot", "when": {"status": [418, "420-422", "5xx"]}, "then": [{"action": "ban_key"}], "position": 1}
    made = gateway.admin("POST", "/rules", draft, {"Idempotency-Key": "r1"})
    assert made.status == 201 and made.json["position"] == 1 and made.json["when"]["status"] == [418, "420-422", "5xx"]
    assert gateway.admin("POST", "/rules", draft, {"Idempotency-Key": "r1"}).json["id"] == made.json["id"]
    assert rules(gateway)[0]["name"] == "teapot" and [r["position"] for r in rules(gateway)] == list(range(1, len(rules(gateway)) + 1))
    path = f"/rules/{made.json['id']}"
    changed = gateway.admin("PATCH", path, {"enabled": False, "threshold": {"count": 3, "seconds": 60}}, {"If-Match": '"1"'})
    assert changed.json["version"] == 2 and changed.json["enabled"] is False and changed.json["threshold"]["count"] == 3
    assert gateway.admin("PATCH", path, {"name": "x"}, {"If-Match": '"1"'}).status == 412
    order = [rule["id"] for rule in rules(gateway)][::-1]
    assert [r["id"] for r in gateway.admin("POST", "/rules/reorder", {"ids": order}).json["items"]] == order
    assert gateway.admin("POST", "/rules/reorder", {"ids": order[1:]}).status == 422


@pytest.mark.parametrize(
    "spoilt, field",
    [
        ({"when": {"status": [99]}}, "status"), ({"when": {"statsu": [429]}}, "statsu"),
        ({"when": {"body_regex": "("}}, "body_regex"), ({"then": []}, "then"), ({"then": [{"action": "explode"}]}, "action"),
        ({"then": [{"action": "respond"}]}, "then"), ({"then": [{"action": "ban_key", "secnods": 3}]}, "secnods"),
        ({"name": ""}, "name"), ({"upstream_id": 999}, "upstream_id"), ({"threshold": {"count": 0, "seconds": 1}}, "threshold"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_rule_that_does_not_hold_is_refused_by_its_field(gateway, spoilt, field):
    draft = {"name": "x", "when": {"status": [500]}, "then": [{"action": "ban_key"}], **spoilt}
    before = rules(gateway)
    answer = gateway.admin("POST", "/rules", draft)
    told = json.dumps(answer.json["error"])
    assert answer.status in (400, 422) and field in told, told
    assert rules(gateway) == before


def test_rules_are_tried_without_doing_anything(gateway):
    tried = gateway.admin("POST", "/rules/test", {"status": 429, "headers": {"Retry-After": "7"}, "body": "slow down"}).json
    acting = next(rule for rule in tried["rules"] if rule["acts"])
    assert acting["name"] == "throttled" and tried["rule_id"] == acting["rule_id"]
    assert tried["effect"] == "the key rests for 7 s; the request goes to the next key"
    others = {rule["name"]: rule["why"] for rule in tried["rules"] if not rule["fits"]}
    assert others["dead credential"] == "status 429 is not 401" and "does not match" in others["out of quota"]
    assert gateway.admin("POST", "/rules/test", {}).status == 422
    key = gateway.key()
    gateway.chat(key, headers={"X-Mock-Status": "503"})
    record = gateway.logs(1)[0]
    tried = gateway.admin("POST", "/rules/test", {"log_id": record["id"]}).json
    assert next(rule["name"] for rule in tried["rules"] if rule["acts"]) == "overloaded"


def test_a_rule_of_ones_own_acts_and_is_counted(pool):  # noqa: F811
    gateway, provider = pool(lambda *_: error(418, "teapot"), ["a", "b"])
    client = gateway.key()
    upstream = next(u["id"] for u in gateway.admin("GET", "/upstreams").json["items"] if u["slug"] == "pooled")
    made = gateway.admin(
        "POST", "/rules",
        {
            "name": "tea", "upstream_id": upstream, "position": 1, "when": {"body_json": {"path": "error.code", "equals": "teapot"}},
            "then": [{"action": "cooldown_key", "seconds": 600}, {"action": "respond", "status": 203, "body": "{\"tea\":true}"}],
        },
    )
    assert made.status == 201, made.body
    status, headers, body = ask(gateway, client)
    assert status == 203 and body == b'{"tea":true}' and headers["content-type"] == "application/json"
    assert sorted(key["state"] for key in keys(gateway).values()) == ["active", "cooling"]
    rested = next(key for key in keys(gateway).values() if key["state"] == "cooling")
    assert rested["reason"] == "status 418 (tea): teapot" and rested["since"]
    wait_until(lambda: gateway.admin("GET", f"/rules/{made.json['id']}").json["hits"] == 1, what="the hit's counting")
    record = gateway.logs(1, "&filter=status%3D203")[0]
    assert gateway.detail(record)["attempts_detail"][0]["rules"] == ["tea"]
    assert "told to fail" not in (detail := gateway.detail(record))["response_body"] and "teapot" in detail["response_body"]


def test_rules_outlive_a_restart(gateway):
    gateway.admin("POST", "/rules", {"name": "mine", "when": {"error": ["timeout"]}, "then": [{"action": "notify"}]})
    before = rules(gateway)
    gateway.stop()
    gateway.start()
    assert rules(gateway) == before and before[-1]["name"] == "mine"


def test_what_is_typed_on_the_command_line_is_checked_before_it_is_sent(gateway):
    for text, says in (("status =\u0338 429 then notify", "column 8"), ("latency > 999999999999d then notify", "column 11"), ("status 429 then explode", "column 17")):
        refused = gateway.command("rules", "add", "x", text, check=False)
        assert refused.returncode == 2 and says in refused.stderr, (refused.returncode, refused.stderr)
    huge = gateway.admin("PATCH", "/upstreams/1", {"retry": {"max_time": "1099511627775d"}})
    assert huge.status in (409, 422)
    made = gateway.admin("POST", "/upstreams", {"slug": "long", "base_url": "http://127.0.0.1:9", "retry": {"max_time": "1099511627775d"}})
    assert made.status == 422 and made.json["error"]["param"] == "retry.max_time"
    listed = gateway.command("rules", "add", "edge", "status 418 and body contains teapot and 3 times in 60s then cooldown_key 5m fixed, retry_next_key", "--position", "1")
    assert "3 times in 1m" in listed.stdout
    rule = rules(gateway)[0]
    assert (rule["name"], rule["threshold"], rule["then"][0]["from_answer"]) == ("edge", {"count": 3, "seconds": 60}, False)
    gateway.command("rules", "move", str(rule["id"]), "3")
    gateway.command("rules", "edit", str(rule["id"]), "always then notify", "--name", "all")
    assert (rules(gateway)[2]["name"], rules(gateway)[2]["when"]) == ("all", {})
    tried = gateway.command("rules", "test", "--status", "429", "--header", "retry-after=7", "--all")
    assert "the key rests for" in tried.stdout or "acts" in tried.stdout
    gateway.command("rules", "delete", str(rule["id"]))
    assert all(one["name"] != "all" for one in rules(gateway))


def test_what_others_wrote_reaches_a_terminal_as_text(gateway):
    name = "bad\x1b]0;title\x07\u202ename"
    made = gateway.admin("POST", "/rules", {"name": name, "when": {}, "then": [{"action": "notify"}]})
    assert made.status == 201
    shown = gateway.command("rules").stdout
    assert "bad<U+1B>" in shown and "\x1b" not in shown and "\u202e" not in shown


def test_an_upstream_that_stands_in_is_not_deleted_and_rules_close_up(gateway):
    one = gateway.admin("POST", "/upstreams", {"slug": "one", "base_url": "http://127.0.0.1:9"}).json
    two = gateway.admin("POST", "/upstreams", {"slug": "two", "base_url": "http://127.0.0.1:9", "fallbacks": ["one"]}).json
    refused = gateway.admin("DELETE", f"/upstreams/{one['id']}")
    assert refused.status == 409 and "two" in refused.json["error"]["message"]
    draft = {"name": "own", "upstream_id": two["id"], "when": {}, "then": [{"action": "notify"}], "position": 1}
    assert gateway.admin("POST", "/rules", draft).status == 201
    assert gateway.admin("DELETE", f"/upstreams/{two['id']}").status == 204
    assert [rule["position"] for rule in rules(gateway)] == list(range(1, len(rules(gateway)) + 1))
    assert gateway.admin("DELETE", f"/upstreams/{one['id']}").status == 204
