"""Upstreams that stand in for one whose keys cannot serve."""

import json

import pytest
from conftest import http
from provider import GOOD, Provider, error

BODY = {"model": "gpt-4o", "messages": []}


@pytest.fixture
def providers():
    made = []

    def make(answers):
        made.append(Provider(answers))
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


def section(slug, provider, options="", keys=1):
    names = "".join(f"      - {{ name: {slug}{n}, value: {slug}-{n}-0123456789abcdef }}\n" for n in range(keys))
    return f"  - slug: {slug}\n    base_url: http://127.0.0.1:{provider.port}/{slug}\n{options}    keys:\n{names}"


def ask(gateway, key, slug="first", body=BODY):
    return http("POST", gateway.url(f"/proxy/{slug}/v1/chat/completions"), body, {"X-API-Key": key})


def detail(gateway, count=1):
    return gateway.detail(gateway.logs(count)[0])


def test_the_next_upstream_serves_when_no_key_can(make_gateway, providers):
    first, second = providers(lambda *_: error(401, "invalid_api_key")), providers(lambda *_: GOOD)
    gateway = make_gateway(
        upstream=section("first", first, "    fallbacks: [gone, second]\n", keys=2)
        + section("second", second, "    strip_body_fields: [user]\n")
    )
    key = gateway.key()
    answer = ask(gateway, key, body={**BODY, "user": "someone"})
    assert answer.status == 200 and answer.headers["x-fastgate-attempts"] == "3"
    record = detail(gateway)
    assert [(one["upstream"], one["status"]) for one in record["attempts_detail"]] == [
        ("first", 401), ("first", 401), ("second", 200),
    ]
    assert (record["upstream"], record["upstream_key"]) == ("first", "second0")
    # It is asked as the second one is: its path, its key, its cleaning.
    assert second.counts["second-0-0123456789abcdef"] == 1
    # Both keys are disabled now: nothing is tried with them, and the record says why.
    assert ask(gateway, key).status == 200
    assert [one["upstream"] for one in detail(gateway, 2)["attempts_detail"]] == ["second"]
    assert {one["upstream_key"] for one in detail(gateway, 2)["skipped"]} == {"first0", "first1"}
    assert sum(first.counts.values()) == 2


def test_what_may_have_been_paid_for_goes_nowhere_else(make_gateway, providers):
    first, second = providers(lambda *_: error(500, "oops")), providers(lambda *_: GOOD)
    gateway = make_gateway(upstream=section("first", first, "    fallbacks: [second]\n") + section("second", second))
    key = gateway.key()
    assert ask(gateway, key).status == 500 and not second.counts
    # A rule may allow it.
    rule = {"name": "again", "when": {"status": [500]}, "then": [{"action": "retry_next_key"}]}
    assert gateway.admin("POST", "/rules", rule).status == 201
    assert ask(gateway, key).status == 200 and sum(second.counts.values()) == 1


def test_only_upstreams_that_the_caller_may_use_stand_in(make_gateway, providers):
    first, second = providers(lambda *_: error(401, "invalid_api_key")), providers(lambda *_: GOOD)
    gateway = make_gateway(upstream=section("first", first, "    fallbacks: [second]\n") + section("second", second))
    narrow = gateway.key("narrow", permissions={"upstreams": ["first"]})
    answer = ask(gateway, narrow)
    assert answer.status == 502 and answer.json["error"]["code"] == "upstream_credentials" and not second.counts
    assert ask(gateway, narrow).status == 503
    upstreams = {one["slug"]: one for one in gateway.admin("GET", "/upstreams").json["items"]}
    gateway.admin("POST", f"/upstreams/{upstreams['second']['id']}/disable", {})
    assert ask(gateway, gateway.key("wide")).status == 503 and not second.counts


def test_fallbacks_are_set_and_checked(gateway, mock):
    base = f"http://127.0.0.1:{mock.port}"
    made = gateway.admin("POST", "/upstreams", {"slug": "a", "base_url": base, "fallbacks": ["miniai"]})
    assert made.status == 201 and made.json["fallbacks"] == ["miniai"]
    path = f"/upstreams/{made.json['id']}"
    for slugs in (["a"], ["miniai", "miniai"], ["nowhere"]):
        refused = gateway.admin("PATCH", path, {"fallbacks": slugs})
        assert refused.status == 422 and refused.json["error"]["param"] == "fallbacks", json.dumps(refused.json)
    assert gateway.admin("PATCH", path, {"fallbacks": None}).json["fallbacks"] == []
    for text, status in [("999ms", 422), ("1s", 200), ("2s", 200), ("89d", 200), ("90d", 200), ("91d", 422), ("long", 422)]:
        answer = gateway.admin("PATCH", path, {"max_cooldown": text})
        assert answer.status == status, (text, answer.json)
        assert status == 200 or answer.json["error"]["param"] == "max_cooldown"


def test_the_stand_in_of_a_stream_that_begins_with_an_error(make_gateway, providers):
    refused = (200, {"content-type": "text/event-stream"}, b'data: {"error":{"message":"slow down","code":429}}\n\n', 0)
    first, second = providers(lambda *_: refused), providers(lambda *_: GOOD)
    gateway = make_gateway(upstream=section("first", first, "    fallbacks: [second]\n") + section("second", second))
    assert ask(gateway, gateway.key(), body={**BODY, "stream": True}).status == 200
    assert sum(second.counts.values()) == 1


def test_the_next_upstream_serves_where_many_keys_are_throttled(make_gateway, providers):
    """Not all keys are tried with a request that may itself be too much; another upstream is all the same."""
    first, second = providers(lambda *_: error(429, "slow down")), providers(lambda *_: GOOD)
    gateway = make_gateway(
        upstream=section("first", first, "    fallbacks: [second]\n", keys=20) + section("second", second)
    )
    assert ask(gateway, gateway.key()).status == 200
    assert sum(first.counts.values()) == 12 and sum(second.counts.values()) == 1


def test_each_upstream_that_stands_in_has_its_turn(make_gateway, providers):
    """However many keys of those before it fail."""
    tired, dead = providers(lambda *_: error(429, "slow down")), providers(lambda *_: error(401, "invalid_api_key"))
    ill, good = providers(lambda *_: error(503, "no")), providers(lambda *_: GOOD)
    gateway = make_gateway(
        upstream=section("first", tired, "    fallbacks: [second, third, fourth]\n", keys=20)
        + section("second", dead, keys=20) + section("third", ill, keys=5) + section("fourth", good)
    )
    assert ask(gateway, gateway.key()).status == 200
    counts = [sum(one.counts.values()) for one in (tired, dead, ill, good)]
    assert counts[0] == 12 and counts[1] == 20 and 1 <= counts[2] <= 3 and counts[3] == 1
    # One that may not be tried again is asked once, and nobody stands in for it.
    once = make_gateway(
        upstream=section("first", ill, "    fallbacks: [fourth]\n    retry: { max_attempts: 1 }\n") + section("fourth", good),
        folder="once",
    )
    assert ask(once, once.key()).status == 503 and sum(good.counts.values()) == 1
