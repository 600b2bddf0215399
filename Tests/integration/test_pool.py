"""The key pool on real sockets: keys die, rest and return, and callers do not notice."""

import concurrent.futures
import http.client
import json
import random
import socket
import sqlite3
import subprocess
import time

import pytest
from conftest import BINARY, wait_until
from conftest import http as fetch
from provider import GOOD, Provider, error


@pytest.fixture
def pool(make_gateway):
    """A gateway with an upstream `pooled` of the given keys, before a provider that answers as told."""
    made = []

    def make(answers, keys, options=""):
        provider = Provider(answers)
        made.append(provider)
        lines = "".join(f"      - {{ name: {key}, value: {key}-0123456789abcdef }}\n" for key in keys)
        upstream = f"  - slug: pooled\n    base_url: http://127.0.0.1:{provider.port}\n{options}    keys:\n{lines}"
        return make_gateway(upstream=upstream), provider

    yield make
    for provider in made:
        provider.stop()


def ask(gateway, key, stream=False, request_id=None, path="/v1/chat/completions"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    body = json.dumps({"model": "gpt-4o", "messages": [], "stream": stream})
    headers = {"x-api-key": key, "content-type": "application/json"}
    if request_id:
        headers["x-request-id"] = request_id
    connection.request("POST", f"/proxy/pooled{path}", body, headers)
    answer = connection.getresponse()
    result = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return result


def named(key):
    return key.removesuffix("-0123456789abcdef")


def keys(gateway):
    return {key["name"]: key for key in gateway.admin("GET", "/keys").json["items"] if key["upstream"] == "pooled"}


def upstream(gateway):
    return next(one for one in gateway.admin("GET", "/upstreams").json["items"] if one["slug"] == "pooled")


def test_no_caller_sees_a_dying_key(pool):
    def answers(key, count, body):
        return {
            "dead": error(401, "invalid_api_key"),
            "busy": error(429, "rate_limit_exceeded", {"retry-after": "3"}) if count == 1 else GOOD,
            "broke": error(429, "insufficient_quota"),
            "slow": error(503, "overloaded", delay=0.05),
            "good": GOOD,
        }[named(key)]

    gateway, provider = pool(answers, ["dead", "busy", "broke", "slow", "good"])
    client = gateway.key()
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: ask(gateway, client)[0], range(1000)))
    assert statuses == [200] * 1000
    state = keys(gateway)
    assert state["dead"]["state"] == "disabled" and "status 401" in state["dead"]["reason"]
    assert state["broke"]["state"] == "exhausted" and "out of quota" in state["broke"]["reason"]
    assert state["slow"]["state"] in ("cooling", "active") and state["good"]["state"] == "active"
    assert provider.counts["dead-0123456789abcdef"] <= 16 and provider.counts["broke-0123456789abcdef"] <= 16
    # Back after its time, through one request that finds out.
    wait_until(lambda: ask(gateway, client)[0] == 200 and keys(gateway)["busy"]["state"] == "active", what="busy's return")
    assert state["busy"]["state"] == "active" or state["busy"]["until"] is not None


def test_a_failed_over_request_tells_its_attempts(pool):
    def answers(key, count, body):
        return error(429, "slow down", {"retry-after": "60"}) if named(key) == "first" else GOOD

    gateway, provider = pool(answers, ["first", "second"])
    client = gateway.key()
    for _ in range(2):
        status, headers, _ = ask(gateway, client)
        assert status == 200
        if headers["x-fastgate-attempts"] == "2":
            break
    record = next(r for r in gateway.logs(1, "&filter=upstream%3Apooled") if r["attempts"] == 2)
    assert record["status"] == 200 and record["upstream_key"] == "second"
    detail = gateway.detail(record)
    first, second = detail["attempts_detail"]
    assert (first["upstream_key"], first["status"], first["rules"]) == ("first", 429, ["throttled"])
    assert (second["upstream_key"], second["status"], second["rules"]) == ("second", 200, [])
    assert first["duration_ms"] > 0 and detail["overhead_us"] < 20_000
    ask(gateway, client, request_id="later")
    later = next(r for r in gateway.logs(2, "&filter=upstream%3Apooled") if r["request_id"] == "later")
    (skipped,) = gateway.detail(later)["skipped"]
    assert skipped["upstream_key"] == "first" and skipped["reason"].startswith("cooling: status 429") and skipped["until"]


def test_a_rest_survives_a_crash(pool):
    def answers(key, count, body):
        return error(429, "slow down", {"retry-after": "300"}) if named(key) == "first" else GOOD

    gateway, provider = pool(answers, ["first", "second"])
    client = gateway.key()
    wait_until(lambda: ask(gateway, client)[0] == 200 and keys(gateway)["first"]["state"] == "cooling")
    until = keys(gateway)["first"]["until"]
    time.sleep(0.5)  # What is written down at most so late.
    gateway.kill()
    gateway.start()
    first = keys(gateway)["first"]
    assert first["state"] == "cooling" and first["until"] == until and "throttled" in first["reason"]
    count = provider.counts["first-0123456789abcdef"]
    assert [ask(gateway, client)[0] for _ in range(4)] == [200] * 4
    assert provider.counts["first-0123456789abcdef"] == count
    identifier = first["id"]
    assert gateway.admin("POST", f"/keys/{identifier}/reset").json["state"] == "active"


def test_keys_throttled_all_at_once_are_the_hosts_trouble(pool):
    is_tired = [True]

    def answers(key, count, body):
        return error(429, "too many requests from this address", {"retry-after": "2"}) if is_tired[0] else GOOD

    gateway, provider = pool(answers, [f"k{index:02}" for index in range(20)])
    client = gateway.key()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: ask(gateway, client)[0], range(40)))
    assert set(statuses) <= {429, 503}
    assert upstream(gateway)["health"] == "cooling"
    assert sum(provider.counts.values()) < 60
    status, headers, body = ask(gateway, client)
    assert status == 503 and json.loads(body)["error"]["code"] == "no_usable_key" and 1 <= int(headers["retry-after"]) <= 3
    problems = gateway.admin("GET", "/dashboard").json["problems"]
    assert any(p["kind"] == "upstream" and p["name"] == "pooled" for p in problems)
    is_tired[0] = False
    wait_until(lambda: ask(gateway, client)[0] == 200, what="the upstream's return")
    wait_until(lambda: ask(gateway, client)[0] == 200 and upstream(gateway)["health"] == "up")
    assert sum(key["state"] == "active" for key in keys(gateway).values()) >= 15


def test_an_upstream_that_rests_does_so_over_the_death_of_the_process(pool):
    gateway, provider = pool(
        lambda *_: error(429, "too many requests from this address", {"retry-after": "600"}), [f"k{i:02}" for i in range(20)]
    )
    client = gateway.key()
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: ask(gateway, client), range(40)))
    assert upstream(gateway)["health"] == "cooling"
    # What has become of it is written down a fifth of a second later at most.
    wait_until(lambda: kept(gateway) == "cooling", what="its state in the database")
    gateway.kill()
    gateway.start()
    before = sum(provider.counts.values())
    status, headers, _ = ask(gateway, client)
    assert (status, upstream(gateway)["health"]) == (503, "cooling") and int(headers["retry-after"]) > 20
    assert sum(provider.counts.values()) == before
    gateway.admin("POST", f"/keys/{keys(gateway)['k00']['id']}/reset")
    assert upstream(gateway)["health"] == "up"


def kept(gateway):
    with sqlite3.connect(f"file:{gateway.folder}/data/config.db?mode=ro", uri=True) as database:
        return database.execute("SELECT state FROM upstreams WHERE slug = 'pooled'").fetchone()[0]


def test_a_post_is_sent_once_unless_a_rule_says_otherwise(pool):
    """Faults of every kind; what may have been worked on reaches the provider once."""
    chance = random.Random(7)

    def answers(key, count, body):
        fault = chance.randrange(30)
        if fault < 4:
            return [(None, {}, b"", 0), error(500), error(502), (200, {"content-length": "500"}, b"cut", 0)][fault]
        return error(503) if fault == 4 else GOOD

    gateway, provider = pool(answers, [f"k{index:02}" for index in range(30)])
    client = gateway.key()
    seen = {}

    anyone = keys(gateway)["k00"]["id"]

    def one(index):
        try:
            answer = ask(gateway, client, request_id=f"once-{index}")
            # So many faults by chance would send the upstream to rest, which is another test.
            if answer[0] == 503 and b"no_usable_key" in answer[2]:
                gateway.admin("POST", f"/keys/{anyone}/reset")
            return index, answer
        except (http.client.IncompleteRead, ConnectionResetError):
            return index, (200, {"x-fastgate-attempts": "1"}, b"cut")

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for index, (status, headers, _) in threads.map(one, range(10_000)):
            seen[f"once-{index}"] = (status, headers.get("x-fastgate-attempts"))
    assert len(seen) == 10_000
    assert len(provider.ids) > 9000
    more = {request: count for request, count in provider.ids.items() if request and count > 1}
    details = {r["request_id"]: r for r in gateway.logs(len(more), "&filter=attempts%3E1")}
    for request, count in more.items():
        record = details[request]
        repeated = gateway.detail(record)["attempts_detail"][:-1]
        assert [attempt["status"] for attempt in repeated] == [503] * len(repeated), repeated
        assert count == record["attempts"]
    assert len(more) > 100


EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'


def stream(*parts):
    return 200, {"content-type": "text/event-stream"}, b"".join(parts), 0


def test_an_error_in_place_of_a_stream_is_tried_again_and_one_inside_it_is_not(pool):
    mode = ["first"]

    def answers(key, count, body):
        if named(key) == "good":
            return stream(EVENT, b"data: [DONE]\n\n")
        if mode[0] == "first":
            return stream(b'data: {"error":{"type":"overloaded_error"}}\n\n')
        return stream(EVENT, b'data: {"error":{"type":"overloaded_error"}}\n\n')

    gateway, provider = pool(answers, ["bad", "good"])
    client = gateway.key()
    for _ in range(4):
        status, headers, body = ask(gateway, client, stream=True)
        assert status == 200 and body == EVENT + b"data: [DONE]\n\n"
    assert provider.counts["bad-0123456789abcdef"] >= 1
    for name in keys(gateway).values():
        gateway.admin("POST", f"/keys/{name['id']}/reset")
    mode[0] = "inside"
    before = sum(provider.counts.values())
    bodies = [ask(gateway, client, stream=True)[2] for _ in range(4)]
    assert sum(provider.counts.values()) == before + 4
    assert any(b"overloaded_error" in body for body in bodies)


def test_a_caller_who_leaves_between_attempts_takes_no_key_with_him(pool):
    is_over = [False]

    def answers(key, count, body):
        return GOOD if is_over[0] else error(503, "overloaded")

    gateway, provider = pool(answers, [f"k{index}" for index in range(4)])
    client = gateway.key()
    head = f"POST /proxy/pooled/x HTTP/1.1\r\nHost: x\r\nX-API-Key: {client}\r\nContent-Length: 2\r\n\r\n{{}}"
    for _ in range(12):
        asked = sum(provider.counts.values())
        with socket.create_connection(("127.0.0.1", gateway.port)) as caller:
            caller.sendall(head.encode())
            wait_until(lambda: sum(provider.counts.values()) > asked, timeout=5, what="the first attempt")
        anyone = next(iter(keys(gateway).values()))["id"]
        gateway.admin("POST", f"/keys/{anyone}/reset")
    is_over[0] = True
    wait_until(lambda: all(key["in_flight"] == 0 for key in keys(gateway).values()), what="the end of all attempts")
    for key in keys(gateway).values():
        gateway.admin("POST", f"/keys/{key['id']}/reset")
    assert [ask(gateway, client)[0] for _ in range(8)] == [200] * 8
    assert all(key["state"] == "active" for key in keys(gateway).values())


def test_a_hostile_reset_time_harms_nobody(pool):
    times = ["9999999999999999", "999999999d", "-5", "1e400"]
    gateway, provider = pool(lambda key, count, body: error(429, "slow", {"retry-after": times[count % 4]}), ["a", "b"])
    client = gateway.key()
    for _ in range(4):
        assert ask(gateway, client)[0] in (429, 503)
        for key in keys(gateway).values():
            gateway.admin("POST", f"/keys/{key['id']}/reset")


def test_credentials_and_quota_of_the_only_key(pool):
    gateway, provider = pool(lambda *_: error(401, "invalid_api_key"), ["only"])
    client = gateway.key()
    status, _, body = ask(gateway, client)
    assert status == 502 and json.loads(body)["error"]["code"] == "upstream_credentials"
    status, headers, body = ask(gateway, client)
    assert status == 503 and json.loads(body)["error"]["code"] == "no_usable_key" and "retry-after" in {h.lower() for h in headers}
    assert sum(provider.counts.values()) == 1


@pytest.mark.parametrize("strategy", ["weighted", "least_used", "random", "priority"])
def test_strategies(pool, strategy):
    gateway, provider = pool(lambda *_: GOOD, ["a", "b", "c"], f"    strategy: {strategy}\n")
    assert upstream(gateway)["strategy"] == strategy
    client = gateway.key()
    assert [ask(gateway, client)[0] for _ in range(30)] == [200] * 30
    assert sum(provider.counts.values()) == 30


def test_the_command_line_does_it_too(pool):
    gateway, provider = pool(lambda *_: GOOD, ["a", "b"])
    assert "pooled/a" in gateway.command("pool").stdout
    banned = gateway.command("pool", "ban", "pooled/a", "--reason", "leaked").stdout
    assert "banned" in banned and "leaked" in banned
    client = gateway.key()
    assert [ask(gateway, client)[0] for _ in range(4)] == [200] * 4 and provider.counts["a-0123456789abcdef"] == 0
    assert json.loads(gateway.command("pool", "reset", "pooled/a", "--json").stdout)["state"] == "active"
    assert "there is no upstream key" in gateway.command("pool", "ban", "nobody/x", check=False).stderr
    added = subprocess.run(
        [BINARY, "pool", "add", "pooled", "c", "--weight", "3", "--socket", gateway.socket],
        input="sk-0123456789abcdefghijk\n", capture_output=True, text=True, timeout=30,
    )
    assert "managed by" in added.stderr or "pooled/c" in added.stdout, added.stderr
    changes = gateway.admin("GET", "/operators/audit").json["items"]
    assert {"ban", "enable"} <= {change["action"] for change in changes}


def test_an_upstream_without_keys_is_asked_once(make_gateway):
    """There is no next key, so what would be tried with it is not tried without one again and again."""
    for answer in (error(429), error(401), error(503)):
        provider = Provider(lambda *_: answer)
        block = f"  - slug: pooled\n    base_url: http://127.0.0.1:{provider.port}\n"
        gateway = make_gateway(upstream=block, folder=f"g{answer[0]}")
        ask(gateway, gateway.key())
        assert sum(provider.counts.values()) == 1
        gateway.stop()
        provider.stop()


def test_a_key_that_cannot_be_put_into_the_body_is_not_blamed(make_gateway):
    provider = Provider(lambda *_: error(401))
    block = (
        f"  - slug: pooled\n    base_url: http://127.0.0.1:{provider.port}\n    keys:\n"
        "      - { name: k, value: secret-0123456789, location: body, param_name: api_key }\n"
    )
    gateway = make_gateway(upstream=block)
    caller = gateway.key()
    for body in (b"", b"hello", b"\xef\xbb\xbf{}", b"[1]"):
        answer = http_post(gateway, caller, body)
        assert answer.status == 400 and answer.json["error"]["code"] == "bad_request"
    assert not provider.counts and keys(gateway)["k"]["state"] == "active"
    provider.stop()


def http_post(gateway, key, body):
    return fetch("POST", gateway.url("/proxy/pooled/v1/x"), body, {"X-API-Key": key, "Content-Type": "text/plain"})


def test_an_error_that_may_have_been_paid_for_is_not_asked_for_again(pool):
    event = b'data: {"error":{"type":"server_error","message":"m"}}\n\n'
    gateway, provider = pool(lambda *_: (200, {"content-type": "text/event-stream"}, event, 0), ["a", "b", "c"])
    status, _, body = ask(gateway, gateway.key(), stream=True)
    assert status == 200 and body == event and sum(provider.counts.values()) == 1


def test_a_new_value_brings_back_what_the_old_one_has_lost_and_no_more(pool):
    gateway, provider = pool(lambda key, *_: error(401) if "old" in key else GOOD, [])
    ids = {}
    for name in ("refused", "banned"):
        draft = {"upstream_id": upstream(gateway)["id"], "name": name, "key_value": f"{name}-old-0123456789"}
        ids[name] = gateway.admin("POST", "/keys", draft).json["id"]
    gateway.admin("POST", f"/keys/{ids['banned']}/ban", {"reason": "leaked"})
    caller = gateway.key()
    assert ask(gateway, caller)[0] == 502
    assert keys(gateway)["refused"]["state"] == "disabled"
    for name, id in ids.items():
        gateway.admin("PATCH", f"/keys/{id}", {"key_value": f"{name}-new-0123456789"})
    for _ in range(2):
        states = {name: key["state"] for name, key in keys(gateway).items()}
        assert states == {"refused": "active", "banned": "banned"} and ask(gateway, caller)[0] == 200
        gateway.stop()
        gateway.start()


def test_a_value_mended_in_the_file_while_nothing_runs_brings_its_key_back(pool):
    answers = lambda key, *_: error(401, "invalid_api_key") if "0123456789abcdef" in key else GOOD
    gateway, provider = pool(answers, ["refused", "banned", "same"])
    caller = gateway.key()
    found = keys(gateway)
    gateway.admin("POST", f"/keys/{found['banned']['id']}/ban", {"reason": "leaked"})
    assert ask(gateway, caller)[0] == 502
    assert {name: key["state"] for name, key in keys(gateway).items()} == {"refused": "disabled", "banned": "banned", "same": "disabled"}
    gateway.stop()
    text = gateway.config.read_text()
    for name in ("refused", "banned"):
        text = text.replace(f"value: {name}-0123456789abcdef", f"value: {name}-mended-123456")
    gateway.config.write_text(text)
    gateway.start()
    expected = {"refused": "active", "banned": "banned", "same": "disabled"}
    assert {name: key["state"] for name, key in keys(gateway).items()} == expected and ask(gateway, caller)[0] == 200
    # With another master key nobody can tell whether a value is the same, and nothing begins anew.
    assert gateway.admin("POST", "/master-key/rotate").status == 200
    gateway.stop()
    gateway.start()
    assert {name: key["state"] for name, key in keys(gateway).items()} == expected


def test_what_a_provider_says_of_tokens_is_bounded(pool):
    usage = {"prompt_tokens": 999999999999999999, "completion_tokens": 999999999999999999}
    gateway, _ = pool(lambda *_: (200, {"content-type": "application/json"}, {"usage": usage}, 0), ["a"])
    caller = gateway.key()
    for _ in range(20):
        assert ask(gateway, caller)[0] == 200
    assert gateway.logs(20)[0]["usage"] == "missing"
    for path in ("/dashboard/series?metric=tokens", "/stats?by=model", "/logs?filter=latency%3E10", "/dashboard"):
        assert gateway.admin("GET", path).status == 200
    # Numbers that are no time or length are refused, and nothing else.
    for path in ("/logs?filter=latency%3E1e30", "/logs?filter=ttft%3Cnan", "/logs?from=1795990000000000", "/stats?from=9223372036854775807"):
        assert gateway.admin("GET", path).status == 422
    assert ask(gateway, caller)[0] == 200
