"""Tasks that the gateway does by itself, probes by which keys heal, and tests that operators ask for."""

import time

import pytest
from conftest import REAL_KEY, wait_until
from provider import GOOD, error
from test_pool import ask, keys, named, pool, upstream  # noqa: F401

NAMES = ["retention", "quota_reset", "key_recovery", "health_probe", "database_upkeep", "expired_keys", "record_cleanup"]
PROBE = "    probe: { path: /v1/models, interval: 1s }\n"


def task(gateway, name):
    return next(one for one in gateway.admin("GET", "/tasks").json["items"] if one["name"] == name)


def run(gateway, name):
    answer = gateway.admin("POST", f"/tasks/{name}/run")
    assert answer.status == 200, answer.body
    return answer.json


# -- Tasks


def test_every_task_runs_and_tells_what_it_has_done(gateway):
    assert [one["name"] for one in gateway.admin("GET", "/tasks").json["items"]] == NAMES
    for name in NAMES:
        done = run(gateway, name)
        assert done["succeeded"] is True and done["result"] and done["runs"] >= 1, done
        assert done["last_run_at"] and done["last_duration_ms"] >= 0 and done["next_run_at"] > done["last_run_at"]
    assert "whole" in task(gateway, "database_upkeep")["result"]
    assert task(gateway, "health_probe")["result"] == "no upstream has a probe"
    # Without being asked.
    wait_until(lambda: task(gateway, "quota_reset")["runs"] >= 3, what="a task that runs by itself")


def test_an_interval_is_set_kept_and_restored(gateway):
    for text in ("0s", "999ms", "3601s", "forever", "90d", 5):
        refused = gateway.admin("PATCH", "/tasks/retention", {"interval": text})
        assert refused.status == 422 and refused.json["error"]["param"] == "interval", text
    for text in ("1s", "2s", "3599s", "1h"):
        assert gateway.admin("PATCH", "/tasks/retention", {"interval": text}).json["interval"] == text
    assert gateway.admin("PATCH", "/tasks/retention", {"interval": "1m"}).json["interval"] == "1m"
    run(gateway, "retention")
    assert "from 1s to 1h" in gateway.command("tasks", "set", "retention", "--every", "2h", check=False).stderr
    assert gateway.command("tasks", "set", "expired_keys", "--every", "5m").stdout.count("5m") == 1
    change = gateway.admin("GET", "/operators/audit").json["items"][0]
    assert (change["action"], change["object"]) == ("change", "task") and "5m" in change["after"]
    before = task(gateway, "retention")["last_run_at"]
    gateway.stop()
    gateway.start()
    assert task(gateway, "retention")["interval"] == "1m" and task(gateway, "retention")["last_run_at"] == before
    assert gateway.admin("PATCH", "/tasks/retention", {"interval": None}).json["interval"] == "10s"
    assert gateway.command("tasks", "set", "expired_keys", "--every", "default").returncode == 0
    assert task(gateway, "expired_keys")["interval"] == "1m"


def test_tasks_that_are_not_there_and_operators_who_may_not(gateway):
    assert gateway.admin("POST", "/tasks/coffee/run").status == 404
    assert "there are retention" in gateway.command("tasks", "run", "coffee", check=False).stderr
    listed = gateway.command("tasks").stdout
    assert all(name in listed for name in NAMES)
    assert gateway.command("tasks", "run", "retention").stdout.count("retention") == 1


def test_expired_keys_are_noted_once(gateway):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    gateway.key("short", expires_at=end)
    gateway.key("long")

    def noted():
        run(gateway, "expired_keys")
        changes = gateway.admin("GET", "/operators/audit").json["items"]
        return [change for change in changes if change["action"] == "expire"]

    found = wait_until(noted, what="the end of the key")
    assert [(c["operator"], c["object"], "short" in c["before"]) for c in found] == [("gateway", "client_key", True)]
    assert len(noted()) == 1


# -- Probes


def test_a_probe_brings_back_what_was_refused_and_what_failed(pool):
    health = {"refused": 401, "failing": 500}

    def answers(key, count, body):
        return error(health[named(key)], "told to") if health[named(key)] != 200 else GOOD

    gateway, provider = pool(answers, ["refused", "failing"], PROBE + "    strategy: priority\n")
    provider.probe = lambda key, path: health[named(key)] if path == "/v1/models" else 404
    client = gateway.key()
    for _ in range(6):
        ask(gateway, client)
    state = keys(gateway)
    assert state["refused"]["state"] == "disabled" and state["failing"]["state"] == "cooling", state
    wait_until(lambda: provider.probes["refused-0123456789abcdef"] >= 1, what="a probe")
    assert keys(gateway)["refused"]["state"] == "disabled"
    health.update(refused=200, failing=200)
    wait_until(
        lambda: all(key["state"] == "active" for key in keys(gateway).values()), timeout=25, what="keys that are well again"
    )
    assert ask(gateway, client)[0] == 200
    assert upstream(gateway)["last_probe"]["success"] is True and upstream(gateway)["probe"]["path"] == "/v1/models"


def test_a_probe_harms_by_401_only_and_heals_no_limit(pool):
    health = {}
    gateway, provider = pool(
        lambda key, count, body: error(429, "rate_limit_exceeded", {"retry-after": "600"}), ["a", "b"], PROBE
    )
    provider.probe = lambda key, path: health.get(named(key), 200)
    client = gateway.key()
    ask(gateway, client)
    assert {key["state"] for key in keys(gateway).values()} == {"cooling"}
    run(gateway, "health_probe")
    assert {key["state"] for key in keys(gateway).values()} == {"cooling"}
    for name in ("a", "b"):
        gateway.admin("POST", f"/keys/{keys(gateway)[name]['id']}/reset")
    health.update(a=500, b=404)
    before = dict(provider.probes)
    wait_until(lambda: all(provider.probes[k] > before.get(k, 0) for k in ("a-0123456789abcdef", "b-0123456789abcdef")), timeout=25, what="probes")
    assert {key["state"] for key in keys(gateway).values()} == {"active"}
    health.update(a=401)
    wait_until(lambda: keys(gateway)["a"]["state"] == "disabled", timeout=25, what="the refused key")
    assert "401" in keys(gateway)["a"]["reason"] and keys(gateway)["b"]["state"] == "active"


def test_a_path_that_is_forbidden_to_all_harms_no_key(pool):
    gateway, provider = pool(lambda *_: GOOD, ["a", "b"], PROBE)
    health = {"a": 403, "b": 403}
    provider.probe = lambda key, path: health[named(key)]
    wait_until(lambda: len(provider.probes) == 2 and min(provider.probes.values()) >= 2, timeout=40, what="probes of both")
    assert {key["state"] for key in keys(gateway).values()} == {"active"}
    health.update(a=200)
    wait_until(lambda: keys(gateway)["b"]["state"] == "disabled", timeout=40, what="the one that alone is forbidden")
    assert keys(gateway)["a"]["state"] == "active"


@pytest.mark.parametrize("before", [2020, 2030, 2047, 2048, 2049])
def test_no_part_of_a_key_is_shown_where_an_answer_is_cut(pool, before):
    gateway, provider = pool(lambda *_: GOOD, ["a"])
    secret = "a-0123456789abcdef"
    provider.probe_body = "x" * before + secret + "y" * 100
    told = gateway.admin("POST", f"/keys/{keys(gateway)['a']['id']}/test").json
    assert told["status"] == 404 and told["body"].startswith("xxx") and len(told["body"]) <= 2048
    assert "a-0" not in told["body"] and "y" not in told["body"][2048:]
    assert upstream(gateway)["last_probe"]["body"] is None


def test_what_an_operator_has_decided_no_probe_changes(pool):
    gateway, provider = pool(lambda *_: GOOD, ["a", "b", "c"], PROBE)
    provider.probe = lambda key, path: 200
    gateway.admin("POST", f"/keys/{keys(gateway)['a']['id']}/disable", {"reason": "mine"})
    gateway.admin("POST", f"/keys/{keys(gateway)['b']['id']}/ban")
    wait_until(lambda: provider.probes["c-0123456789abcdef"] >= 2, timeout=25, what="probes")
    gateway.stop()
    gateway.start()
    seen = provider.probes["c-0123456789abcdef"]
    wait_until(lambda: provider.probes["c-0123456789abcdef"] >= seen + 2, timeout=25, what="probes")
    state = keys(gateway)
    assert (state["a"]["state"], state["a"]["reason"], state["b"]["state"]) == ("disabled", "mine", "banned")
    assert provider.probes["a-0123456789abcdef"] == 0


def test_a_probe_is_checked(gateway):
    draft = {"slug": "p", "base_url": "http://127.0.0.1:9"}
    for probe, field in (({"path": "v1"}, "probe.path"), ({"path": "/v1", "interval": "0s"}, "probe.interval"), ({}, "probe.path"), ({"path": "/" + "x" * 1024}, "probe.path"), ({"path": "/v1", "interval": "86401s"}, "probe.interval")):
        refused = gateway.admin("POST", "/upstreams", {**draft, "probe": probe})
        assert refused.status == 422 and refused.json["error"]["param"] == field, refused.json
    for index, probe in enumerate([{"path": "/" + "x" * 1023, "interval": "1d"}, {"path": "/v1", "interval": "1s"}]):
        assert gateway.admin("POST", "/upstreams", {**draft, "slug": f"p{index}", "probe": probe}).json["probe"] == probe
    made = gateway.admin("POST", "/upstreams", {**draft, "probe": {"path": "/v1/models?a=b"}}).json
    assert made["probe"] == {"path": "/v1/models?a=b", "interval": "1m"}
    assert gateway.admin("PATCH", f"/upstreams/{made['id']}", {"probe": None}).json["probe"] is None


# -- Tests that operators ask for


def test_an_operator_asks_how_an_upstream_and_a_key_are(pool):
    gateway, provider = pool(lambda *_: error(401, "invalid_api_key"), ["a"], PROBE.replace("1s", "1d"))
    provider.probe = lambda key, path: 200 if path == "/v1/models" else 418
    client = gateway.key()
    ask(gateway, client)
    key = keys(gateway)["a"]
    assert key["state"] == "disabled"
    told = gateway.admin("POST", f"/keys/{key['id']}/test", {"path": "/other"}).json
    assert (told["success"], told["status"], told["path"]) == (False, 418, "/other") and keys(gateway)["a"]["state"] == "disabled"
    assert "a-0123456789abcdef" not in told["body"] and "********" in told["body"]
    told = gateway.admin("POST", f"/keys/{key['id']}/test").json
    assert told["success"] and told["status"] == 200 and told["upstream_key"] == "a" and told["first_byte_ms"] > 0
    assert "active now" in told["message"] and keys(gateway)["a"]["state"] == "active"
    assert str(provider.port) in told["address"]
    told = gateway.admin("POST", f"/upstreams/{upstream(gateway)['id']}/test").json
    assert told["success"] and told["message"] == "It answers, and takes the key."
    for path in ("x", "/a b", "/" + "x" * 2000):
        refused = gateway.admin("POST", f"/keys/{key['id']}/test", {"path": path})
        assert refused.status == 422 and refused.json["error"]["param"] == "path"
    provider.stop()
    told = gateway.admin("POST", f"/keys/{key['id']}/test").json
    assert told["success"] is False and told["status"] is None and told["error"].startswith("connect: ")
    assert "cannot be reached" in gateway.command("pool", "test", "pooled/a", check=False).stdout
    assert gateway.admin("POST", "/keys/99999/test").status == 404 and gateway.admin("POST", "/upstreams/99999/test").status == 404


def test_no_question_reaches_an_address_where_clouds_keep_credentials(gateway):
    refused = gateway.admin("POST", "/upstreams", {"slug": "meta", "base_url": "http://169.254.169.254"})
    assert refused.status == 422
    assert REAL_KEY not in gateway.admin("POST", "/upstreams/1/test").body.decode()
