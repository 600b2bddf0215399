"""Rate limits on real sockets: exact under concurrency, free of charge when refused, and kept over kill -9."""

import collections
import concurrent.futures
import json
import math
import threading
import time
from http.client import HTTPConnection

import pytest
from conftest import http, wait_until
from openai import OpenAI, RateLimitError

BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})


def windows(gateway, query=""):
    items = gateway.admin("GET", f"/rate-limits{query}").json["items"]
    return {(item["scope"], item["window"]): item for item in items}


class Caller:
    """One connection that is kept, as a client of a pool has it."""

    def __init__(self, gateway, key):
        self.key = key
        self.connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)

    def ask(self, path="/v2/chat/completions"):
        headers = {"x-api-key": self.key, "content-type": "application/json"}
        self.connection.request("POST", f"/proxy/miniai{path}", BODY, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text


def test_sixty_a_minute_admits_exactly_sixty_and_obeying_helps(gateway, mock):
    key = gateway.key("limited", limits={"requests_per_minute": 60, "requests_per_hour": 500, "requests_per_day": 5000})
    attempts, clients = 10_000, 64
    begun = time.monotonic()

    def work(_):
        caller = Caller(gateway, key)
        return [caller.ask() for _ in range(attempts // clients + 1)]

    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        answers = [answer for part in threads.map(work, range(clients)) for answer in part]
    took = time.monotonic() - begun
    statuses = collections.Counter(status for status, _, _ in answers)
    assert took < 58, f"{took:.0f} s is too long for one window"
    assert statuses == {200: 60, 429: len(answers) - 60}
    assert len(mock.received()) == 60
    # What was refused counts nowhere else.
    state = windows(gateway)
    assert [state["client_key", name]["current"] for name in ("minute", "hour", "day")] == [60, 60, 60]
    assert not state["client_key", "minute"]["allowed"] and state["client_key", "hour"]["remaining"] == 440

    # Now nothing is admitted until the second that is named, kill -9 or not, and then it is.
    status, headers, text = Caller(gateway, key).ask()
    told = time.monotonic()
    error = json.loads(text)["error"]
    assert (status, error["code"], error["param"]) == (429, "rate_limit_exceeded", "client_key.minute")
    assert headers["x-ratelimit-limit-requests"] == "60" and headers["x-ratelimit-remaining-requests"] == "0"
    wait = int(headers["retry-after"])
    assert 1 <= wait <= 60
    gateway.kill()
    gateway.start()
    assert [windows(gateway)["client_key", name]["current"] for name in ("minute", "hour", "day")] == [60, 60, 60]
    assert Caller(gateway, key).ask()[0] == 429
    # One more than 60 would be within the minute after the first of them: still refused a second before.
    threading.Event().wait(max(0, told + wait - 1.5 - time.monotonic()))
    assert Caller(gateway, key).ask()[0] == 429
    threading.Event().wait(max(0, told + wait - time.monotonic()))
    status, headers, _ = Caller(gateway, key).ask()
    assert status == 200 and headers["x-ratelimit-limit-requests"] == "60"


def test_all_windows_of_all_scopes_are_looked_at_together(make_gateway, mock):
    gateway = make_gateway(extra="rate_limits: { requests_per_hour: 6 }\n")
    first = gateway.key("first", limits={"requests_per_minute": 3})
    second = gateway.key("second")
    ask = gateway.chat
    assert [ask(first).status for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = ask(first)
    assert refused.json["error"]["param"] == "client_key.minute" and refused.json["error"]["type"] == "rate_limit_error"
    assert windows(gateway)["global", "hour"]["current"] == 3
    assert [ask(second).status for _ in range(4)] == [200, 200, 200, 429]
    refused = ask(second)
    assert refused.json["error"]["param"] == "global.hour" and int(refused.headers["retry-after"]) > 3500
    assert refused.headers["x-ratelimit-reset-requests"].startswith("59m") or refused.headers[
        "x-ratelimit-reset-requests"
    ].startswith("1h")
    # A request that both the key's minute and everybody's hour refuse is told the longer wait.
    assert ask(first).json["error"]["param"] == "global.hour"
    page = http(
        "GET", f"http://127.0.0.1:{gateway.admin_port}/metrics", headers={"Authorization": f"Bearer {gateway.token}"}
    ).body.decode()
    assert 'fastgate_rate_limited_total{scope="client_key",window="minute"} 3' in page


def test_an_upstream_has_limits_of_its_own(make_gateway, mock):
    upstream = f"  - slug: other\n    base_url: http://127.0.0.1:{mock.port}\n    limits: {{ requests_per_day: 2 }}\n"
    gateway = make_gateway(upstream=upstream)
    key = gateway.key()
    path = gateway.url("/proxy/other/v1/chat/completions")
    answers = [http("POST", path, {"model": "m"}, {"X-API-Key": key}) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].json["error"]["param"] == "upstream.day" and gateway.chat(key).status == 200
    # A reload with another limit keeps what was counted.
    gateway.config.write_text(gateway.config.read_text().replace("requests_per_day: 2", "requests_per_day: 3"))
    gateway.command("reload")
    answers = [http("POST", path, {"model": "m"}, {"X-API-Key": key}) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]


def test_requests_at_once(gateway):
    key = gateway.key("few", limits={"concurrency": 2})
    slow = {"X-Mock-TTFT-Ms": "1500"}
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        running = [threads.submit(gateway.chat, key, headers=slow) for _ in range(2)]
        wait_until(lambda: len(gateway.admin("GET", "/exchanges").json["items"]) == 2, what="two exchanges")
        refused = gateway.chat(key)
        assert refused.status == 429 and refused.json["error"]["code"] == "concurrency_exceeded"
        assert refused.json["error"]["param"] == "client_key.concurrency" and refused.headers["retry-after"] == "1"
        assert [one.result().status for one in running] == [200, 200]
    assert gateway.chat(key).status == 200
    # Whatever ends an exchange gives its place back: callers that leave, too.
    for _ in range(6):
        caller = Caller(gateway, key)
        caller.connection.request(
            "POST", "/proxy/miniai/v2/chat/completions", BODY, {"x-api-key": key, "X-Mock-TTFT-Ms": "30000"}
        )
        wait_until(lambda: gateway.admin("GET", "/exchanges").json["items"], what="the exchange")
        caller.connection.close()
        wait_until(lambda: not gateway.admin("GET", "/exchanges").json["items"], what="its end")
    assert [gateway.chat(key).status for _ in range(3)] == [200] * 3


def test_upstream_keys_at_their_limits_are_passed_over(make_gateway, mock):
    keys = "".join(f"      - {{ name: k{n}, value: limited-key-{n}, limits: {{ requests_per_minute: {n} }} }}\n" for n in (1, 2))
    gateway = make_gateway(upstream=f"  - slug: pooled\n    base_url: http://127.0.0.1:{mock.port}\n    keys:\n{keys}")
    client = gateway.key()
    caller = Caller(gateway, client)

    def ask():
        caller.connection.request("POST", "/proxy/pooled/v1/chat/completions", BODY, {"x-api-key": client})
        answer = caller.connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("retry-after")

    assert [ask()[0] for _ in range(3)] == [200, 200, 200]
    status, text, wait = ask()
    assert status == 503 and json.loads(text)["error"]["code"] == "no_usable_key" and 50 <= int(wait) <= 60
    state = {key["name"]: key for key in gateway.admin("GET", "/keys").json["items"] if key["upstream"] == "pooled"}
    assert state["k2"]["state"] == "active" and state["k2"]["reason"] == "at its limit of 2/minute"
    assert state["k2"]["until"] and state["k2"]["limits"]["requests_per_minute"] == 2
    record = gateway.logs(4)[0]
    assert {one["upstream_key"]: one["reason"] for one in gateway.detail(record)["skipped"]} == {
        "k1": "at its limit of 1/minute",
        "k2": "at its limit of 2/minute",
    }


def test_limits_are_set_changed_and_cleared(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "a", "limits": {"requests_per_minute": 5, "concurrency": 4}}).json
    assert made["limits"] == {"requests_per_minute": 5, "requests_per_hour": None, "requests_per_day": None, "concurrency": 4}
    path = f"/client-keys/{made['id']}"
    for _ in range(3):
        assert gateway.chat(made["key"]).status == 200
    changed = gateway.admin("PATCH", path, {"limits": {"requests_per_minute": 4, "concurrency": None}}).json
    assert changed["limits"]["requests_per_minute"] == 4 and changed["limits"]["concurrency"] is None
    assert windows(gateway, f"?scope=client_key&id={made['id']}")["client_key", "minute"]["remaining"] == 1
    # A rotated key goes on counting where the one before it was.
    rotated = gateway.admin("POST", f"{path}/rotate", {"overlap_seconds": 600}).json
    assert [gateway.chat(key).status for key in (rotated["key"], made["key"], rotated["key"])] == [200, 429, 429]
    assert gateway.admin("PATCH", f"/client-keys/{rotated['id']}", {"limits": None}).json["limits"]["requests_per_minute"] is None
    assert gateway.chat(rotated["key"]).status == 200 and not windows(gateway)
    for limits, field in [
        ({"requests_per_minute": 0}, "limits.requests_per_minute"),
        ({"requests_per_second": 3}, "limits.requests_per_second"),
        ({"concurrency": "many"}, "limits.concurrency"),
        ([], "limits"),
    ]:
        refused = gateway.admin("PATCH", path, {"limits": limits})
        assert refused.status == 422 and refused.json["error"]["param"] == field, refused.json
    youngest = str(rotated["id"])
    gateway.command("keys", "edit", youngest, "--limits", "60/minute 8 at once")
    assert "limits: 60/minute 8 at once" in gateway.command("keys", "show", youngest).stdout
    assert "client_key" in gateway.command("limits").stdout
    assert gateway.command("keys", "edit", str(made["id"]), "--limits", "60/fortnight", check=False).returncode == 2


def test_the_sdk_is_told_and_waits(gateway):
    key = gateway.key("sdk", limits={"requests_per_minute": 1})
    client = OpenAI(base_url=f"http://127.0.0.1:{gateway.port}/proxy/miniai/v2", api_key=key, max_retries=0)
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(RateLimitError) as refused:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    assert refused.value.code == "rate_limit_exceeded"
    assert 0 < math.ceil(float(refused.value.response.headers["retry-after"])) <= 60
    record = next(one for one in gateway.logs(2) if one["status"] == 429)
    assert (record["error"], record["client_key"]) == ("rate_limit_exceeded", "sdk")


def test_quotas_of_client_keys(gateway, mock):
    made = gateway.admin(
        "POST", "/client-keys", {"name": "few", "quota": {"unit": "requests", "total": 3, "period": "month"}}
    ).json
    assert made["quota"]["used"] == 0 and made["quota"]["resets_at"].endswith("-01T00:00:00Z")
    path = f"/client-keys/{made['id']}"
    assert [gateway.chat(made["key"]).status for _ in range(4)] == [200, 200, 200, 429]
    refused = gateway.chat(made["key"])
    assert refused.json["error"]["code"] == "quota_exceeded" and refused.json["error"]["param"] == "client_key.quota"
    assert int(refused.headers["retry-after"]) > 60
    gateway.kill()
    gateway.start()
    assert gateway.admin("GET", path).json["quota"]["used"] == 3 and gateway.chat(made["key"]).status == 429
    assert gateway.admin("PATCH", path, {"quota": {"used": 1}}).json["quota"]["used"] == 1
    assert [gateway.chat(made["key"]).status for _ in range(3)] == [200, 200, 429]
    # What no upstream has seen costs nothing.
    keys = gateway.admin("GET", "/keys").json["items"]
    gateway.admin("PATCH", path, {"quota": {"used": 0}})
    gateway.admin("POST", f"/keys/{keys[0]['id']}/disable", {})
    assert [gateway.chat(made["key"]).status for _ in range(5)] == [503] * 5
    assert gateway.admin("GET", path).json["quota"]["used"] == 0
    gateway.admin("POST", f"/keys/{keys[0]['id']}/enable", {})
    assert gateway.admin("PATCH", path, {"quota": None}).json["quota"] is None
    assert [gateway.chat(made["key"]).status for _ in range(5)] == [200] * 5
    for quota, field in [({"unit": "requests"}, "total"), ({"total": 0}, "total"), ({"total": 5, "price": 1}, "price")]:
        wrong = gateway.admin("PATCH", path, {"quota": quota})
        assert wrong.status == 422 and wrong.json["error"]["param"] == f"quota.{field}"


def test_quotas_of_tokens_are_settled_by_what_providers_report(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "t", "quota": {"unit": "tokens", "total": 400}}).json
    path = f"/client-keys/{made['id']}"
    for _ in range(2):
        assert gateway.chat(made["key"], body={"model": "m", "messages": [], "max_tokens": 100}).status == 200
    records = [one for one in gateway.logs(2) if one["client_key"] == "t"]
    used = sum(one["prompt_tokens"] + one["completion_tokens"] for one in records)
    assert gateway.admin("GET", path).json["quota"]["used"] == used
    # More is asked for than is left: refused before a provider sees it.
    refused = gateway.chat(made["key"], body={"model": "m", "messages": [], "max_tokens": 401})
    assert refused.status == 429 and refused.json["error"]["code"] == "quota_exceeded"
    assert "retry-after" not in refused.headers
    assert gateway.admin("GET", path).json["quota"]["used"] == used
    assert f"{used} of 400 tokens" in gateway.command("keys", "show", str(made["id"])).stdout


def test_quotas_of_upstream_keys(make_gateway, mock):
    keys = "      - { name: small, value: quota-key-1, enable_quota: true, quota_total: 2, quota_period: day }\n"
    gateway = make_gateway(upstream=f"  - slug: pooled\n    base_url: http://127.0.0.1:{mock.port}\n    keys:\n{keys}")
    client = gateway.key()

    def ask():
        return http("POST", gateway.url("/proxy/pooled/v1/chat/completions"), {"model": "m"}, {"X-API-Key": client})

    def key(name="small"):
        return next(one for one in gateway.admin("GET", "/keys").json["items"] if one["name"] == name)

    assert [ask().status for _ in range(3)] == [200, 200, 503]
    assert (key()["state"], key()["quota_used"], key()["reason"]) == ("exhausted", 2, "its quota of 2 requests is used up")
    assert key()["until"] == key()["quota_resets_at"]
    gateway.kill()
    gateway.start()
    assert key()["quota_used"] == 2 and ask().status == 503
    assert gateway.admin("POST", f"/keys/{key()['id']}/reset", {}).json["state"] == "active"
    assert ask().status == 200 and key()["quota_used"] == 1
    added = gateway.admin(
        "POST",
        "/keys",
        {
            "upstream_id": key()["upstream_id"], "name": "big", "key_value": "quota-key-2", "enable_quota": True,
            "quota_total": 1,
        },
    ).json
    assert added["quota_total"] == 1 and added["quota_resets_at"] is None
    assert [ask().status for _ in range(3)] == [200, 200, 503]
    assert gateway.admin("PATCH", f"/keys/{added['id']}", {"quota_used": 0}).json["state"] == "active"
    assert ask().status == 200 and gateway.admin("PATCH", f"/keys/{added['id']}", {"enable_quota": False}).status == 200
    assert ask().status == 200


def test_counts_of_what_is_deleted_are_nobodys(gateway, mock):
    base = f"http://127.0.0.1:{mock.port}"
    for period in ("month", "none"):
        made = gateway.admin("POST", "/upstreams", {"slug": f"gone-{period}", "base_url": base}).json
        key = {
            "upstream_id": made["id"], "name": "k", "key_value": "gone-key-1", "limits": {"requests_per_minute": 9},
            "enable_quota": True, "quota_total": 50, "quota_period": period,
        }
        assert gateway.admin("POST", "/keys", key).status == 201
        assert gateway.admin("DELETE", f"/upstreams/{made['id']}").status == 204
        limited = gateway.key(f"after-{period}", limits={"requests_per_minute": 5})
        assert [gateway.chat(limited).status for _ in range(7)] == [200] * 5 + [429] * 2
        # The second in which quotas are looked at has passed over what is deleted.
        threading.Event().wait(1.2)
        assert gateway.chat(limited).status == 429
        assert windows(gateway)["client_key", "minute"]["current"] == 5


def test_the_youngest_of_rotated_keys_says_how_much(gateway):
    old = gateway.admin("POST", "/client-keys", {"name": "r"}).json
    new = gateway.admin("POST", f"/client-keys/{old['id']}/rotate", {"overlap_seconds": 600}).json
    path = f"/client-keys/{new['id']}"
    gateway.admin("PATCH", path, {"limits": {"requests_per_minute": 3}, "quota": {"total": 100}})
    assert [gateway.chat(new["key"]).status for _ in range(4)] == [200, 200, 200, 429]
    gateway.admin("PATCH", f"/client-keys/{old['id']}", {"notes": "old"})
    assert gateway.admin("POST", f"/client-keys/{old['id']}/revoke", {}).status == 200
    assert gateway.chat(new["key"]).status == 429 and gateway.admin("GET", path).json["quota"]["used"] == 3
    gateway.admin("DELETE", f"/client-keys/{old['id']}")
    assert gateway.chat(new["key"]).status == 429 and gateway.admin("GET", path).json["quota"]["used"] == 3


def test_what_reaches_no_upstream_costs_no_quota(make_gateway, mock):
    closed = "  - slug: closed\n    base_url: http://127.0.0.1:9\n    keys:\n" + (
        "      - { name: c, value: closed-key-1, enable_quota: true, quota_total: 3 }\n"
    )
    gateway = make_gateway(upstream=closed)
    made = gateway.admin("POST", "/client-keys", {"name": "q", "quota": {"unit": "tokens", "total": 10000}}).json
    body = {"model": "m", "max_tokens": 4000}
    for _ in range(4):
        answer = http("POST", gateway.url("/proxy/closed/v1/x"), body, {"X-API-Key": made["key"]})
        assert answer.status == 502
    assert gateway.admin("GET", f"/client-keys/{made['id']}").json["quota"]["used"] == 0
    key = next(one for one in gateway.admin("GET", "/keys").json["items"] if one["name"] == "c")
    assert key["quota_used"] == 0
    # A request that failed at the provider costs nothing either, and one that is too large says what is left.
    assert gateway.chat(made["key"], body=body, headers={"X-Mock-Status": "500"}).status == 500
    refused = gateway.chat(made["key"], body={**body, "max_tokens": 20000})
    assert "10000 are left" in refused.json["error"]["message"] and "retry-after" not in refused.headers
    assert gateway.admin("GET", f"/client-keys/{made['id']}").json["quota"]["used"] == 0


def test_bodies_that_are_streamed_are_reserved_for_too(make_gateway, mock):
    gateway = make_gateway(extra="limits: { buffer_body_bytes: 1024 }\n")
    made = gateway.admin("POST", "/client-keys", {"name": "q", "quota": {"unit": "tokens", "total": 1000}}).json
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 8000}]}
    assert gateway.chat(made["key"], body=body).status == 429
    assert gateway.chat(made["key"], body={"model": "m", "messages": []}).status == 200


def test_a_used_up_key_is_so_after_a_reload_and_can_be_reset(make_gateway, mock):
    keys = "      - { name: small, value: quota-key-1, enable_quota: true, quota_total: 1 }\n"
    gateway = make_gateway(upstream=f"  - slug: pooled\n    base_url: http://127.0.0.1:{mock.port}\n    keys:\n{keys}")
    client = gateway.key()

    def ask():
        return http("POST", gateway.url("/proxy/pooled/v1/chat/completions"), {"model": "m"}, {"X-API-Key": client}).status

    def key():
        return next(one for one in gateway.admin("GET", "/keys").json["items"] if one["name"] == "small")

    assert [ask(), ask()] == [200, 503]
    gateway.command("reload")
    assert key()["state"] == "exhausted" and http("GET", gateway.url("/health/ready")).status == 503
    gateway.kill()
    gateway.start()
    assert key()["state"] == "exhausted"
    assert gateway.admin("POST", f"/keys/{key()['id']}/reset", {}).json["quota_used"] == 0
    assert [ask(), ask()] == [200, 503]
