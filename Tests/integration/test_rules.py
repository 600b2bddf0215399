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
    assert names[0] == "dead credential" and "throttled" in names and names.index("out of quota") < names.index("throttled")
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
    assert rested["reason"] == "status 418 (tea)"
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
