"""What a caller or a provider may send on purpose: it reaches nobody else's keys, records or limits."""

import base64
import concurrent.futures
import datetime
import json
import socket
import threading
import urllib.parse

import pytest
from conftest import http, wait_until
from provider import GOOD, Provider, error


@pytest.fixture
def pooled(make_gateway):
    """A gateway with an upstream `pooled` before a provider that answers as told; `keys` are lines of YAML."""
    made = []

    def make(answers, keys, options="", extra="", folder="g"):
        provider = Provider(answers)
        made.append(provider)
        lines = "".join(f"      - {key}\n" for key in keys)
        block = f"  - slug: pooled\n    base_url: http://127.0.0.1:{provider.port}\n{options}"
        return make_gateway(extra, upstream=block + (f"    keys:\n{lines}" if lines else ""), folder=folder), provider

    yield make
    for provider in made:
        provider.stop()


def plain_keys(count):
    return [f"{{ name: k{n}, value: k{n}-0123456789abcdef }}" for n in range(count)]


def ask(gateway, key, body=None, headers=None, path="/v1/chat/completions"):
    body = {"model": "gpt-4o", "messages": []} if body is None else body
    return http("POST", gateway.url(f"/proxy/pooled{path}"), body, {"X-API-Key": key, **(headers or {})})


def states(gateway):
    return {key["name"]: key["state"] for key in gateway.admin("GET", "/keys").json["items"] if key["upstream"] == "pooled"}


def upstream(gateway):
    return next(one for one in gateway.admin("GET", "/upstreams").json["items"] if one["slug"] == "pooled")


@pytest.mark.parametrize("status", [400, 403])
def test_a_provider_that_repeats_its_input_speaks_against_no_key(pooled, status):
    def answers(key, count, body):
        sent = json.loads(body)
        detail = {"detail": [{"msg": "extra inputs", "input": sent}], "object": "error", "message": str(sent)}
        return status, {"content-type": "application/json"}, detail, 0

    gateway, provider = pooled(answers, plain_keys(4))
    client = gateway.key()
    for words in ("insufficient_quota", "invalid_api_key", "account_deactivated", "credit balance is too low"):
        sent = {"model": "m", "error": {"code": words, "type": words, "message": words}, "code": words, "messages": []}
        assert ask(gateway, client, sent).status == (400 if status == 400 else 502)
    assert set(states(gateway).values()) == {"active"} and sum(provider.counts.values()) == 4


def test_a_providers_own_words_are_heard_with_400(pooled):
    def answers(key, count, body):
        return GOOD if key.startswith("k1") else error(400, "insufficient_quota" if key.startswith("k0") else "invalid_api_key")

    gateway, _ = pooled(answers, plain_keys(3))
    client = gateway.key()
    assert [ask(gateway, client).status for _ in range(6)] == [200] * 6
    assert states(gateway) == {"k0": "exhausted", "k1": "active", "k2": "disabled"}


def test_one_request_that_is_too_much_takes_neither_the_upstream_nor_all_keys(pooled):
    def answers(key, count, body):
        return error(429, "slow down", {"retry-after": "300"}) if b"huge" in body else GOOD

    gateway, provider = pooled(answers, plain_keys(20))
    client = gateway.key()
    assert ask(gateway, client, {"model": "m", "messages": ["huge"]}).status == 429
    assert sum(provider.counts.values()) == 12
    assert upstream(gateway)["health"] != "cooling"
    assert list(states(gateway).values()).count("cooling") == 4
    assert [ask(gateway, client).status for _ in range(20)] == [200] * 20
    (record,) = [one for one in gateway.logs(21) if one["status"] == 429]
    tries = gateway.detail(record)["attempts_detail"]
    assert len(tries) == sum(provider.counts.values()) - 20 and all(one["status"] == 429 for one in tries)


def test_a_request_that_says_itself_that_it_is_too_large_rests_no_key(pooled):
    body = {"error": {"message": "Request too large for gpt-4o on tokens per min (TPM): Limit 30000", "code": "rate_limit_exceeded"}}
    gateway, provider = pooled(lambda *_: (429, {"content-type": "application/json"}, body, 0), plain_keys(8))
    assert ask(gateway, gateway.key()).json == body
    assert set(states(gateway).values()) == {"active"} and sum(provider.counts.values()) == 3


@pytest.mark.parametrize("status, code", [(401, "bad_organization"), (402, "afford"), (400, "insufficient_quota"), (403, "account_deactivated"), (429, "no insufficient_quota here")])
def test_a_request_that_every_key_refuses_takes_none_out(pooled, status, code):
    """Its caller's own organisation, an expense that nobody has the money for, words that are repeated."""
    gateway, provider = pooled(lambda key, count, body: error(status, code) if b"bogus" in body else GOOD, plain_keys(8))
    client = gateway.key()
    bad = {"model": "m", "messages": ["bogus"]}
    for _ in range(6):
        assert ask(gateway, client, bad).status in (400, 402, 429, 502)
        assert set(states(gateway).values()) == {"active"}
        assert ask(gateway, client).status == 200
    # Without a success between, it may be the keys: some rest, and none is out for good.
    for _ in range(2):
        ask(gateway, client, bad)
    assert set(states(gateway).values()) == {"active"}
    ask(gateway, client, bad)
    assert sorted(set(states(gateway).values())) == ["active", "cooling"]
    assert list(states(gateway).values()).count("cooling") == 4
    resting = next(key for key in gateway.admin("GET", "/keys").json["items"] if key["state"] == "cooling")
    assert "as with other keys for one request" in resting["reason"]


def test_what_is_forbidden_to_one_caller_rests_no_key(pooled):
    """Every fifth time another key is asked, and forbids it, too."""
    gateway, _ = pooled(lambda key, count, body: error(403, "flagged") if b"bogus" in body else GOOD, plain_keys(3))
    client, victim = gateway.key("a"), gateway.key("b")
    for _ in range(40):
        assert ask(gateway, client, {"model": "m", "messages": ["bogus"]}).status == 502
        assert ask(gateway, victim).status == 200
    assert set(states(gateway).values()) == {"active"}


@pytest.mark.parametrize("count", [11, 12, 13])
def test_a_request_that_is_refused_is_tried_with_twelve_keys(pooled, count):
    gateway, provider = pooled(lambda *_: error(401, "not_yours"), plain_keys(count))
    assert ask(gateway, gateway.key()).status == 502
    assert sum(provider.counts.values()) == min(count, 12) and set(states(gateway).values()) == {"active"}


def test_dead_keys_that_stand_side_by_side_are_found(pooled):
    def answers(key, count, body):
        return GOOD if key.startswith(("k4", "k5")) else error(401, "refused")

    gateway, _ = pooled(answers, plain_keys(6))
    assert ask(gateway, gateway.key()).status == 200
    assert states(gateway) == {f"k{n}": "active" if n > 3 else "disabled" for n in range(6)}


def test_what_a_provider_says_of_its_keys_in_so_many_words_is_believed(pooled):
    def answers(key, count, body):
        return error(*{"k0": (401, "invalid_api_key"), "k1": (401, "invalid_api_key"), "k2": (429, "insufficient_quota"), "k3": (402, "insufficient_balance")}[key[:2]])

    gateway, _ = pooled(answers, plain_keys(4))
    assert ask(gateway, gateway.key()).status in (402, 429, 502)
    assert states(gateway) == {"k0": "disabled", "k1": "disabled", "k2": "exhausted", "k3": "exhausted"}
    assert ask(gateway, gateway.key("other")).json["error"]["code"] == "no_usable_key"


def test_a_last_key_is_not_lost_to_a_request_that_nobody_else_can_judge(pooled):
    """The other one only rests: it will tell."""

    def answers(key, count, body):
        if b"bogus" in body:
            return error(401, "not_yours")
        return error(429, "slow", {"retry-after": "2"}) if key.startswith("k0") and count == 1 else GOOD

    gateway, _ = pooled(answers, plain_keys(2))
    client = gateway.key()
    wait_until(lambda: ask(gateway, client).status == 200 and states(gateway)["k0"] == "cooling", what="the first one's rest")
    assert ask(gateway, client, {"model": "m", "messages": ["bogus"]}).status == 502
    assert states(gateway) == {"k0": "cooling", "k1": "cooling"}
    wait_until(lambda: ask(gateway, client).status == 200, what="the other's return")


def test_a_body_too_large_to_be_sent_again_condemns_no_key(pooled):
    gateway, _ = pooled(lambda *_: error(401, "not_yours"), plain_keys(3), extra="limits: { buffer_body_bytes: 4096 }")
    assert ask(gateway, gateway.key(), {"model": "m", "messages": ["x" * 20_000]}).status == 502
    assert sorted(states(gateway).values()) == ["active", "active", "cooling"]


def test_a_single_key_is_not_blamed_for_what_no_key_may_do(pooled):
    gateway, _ = pooled(lambda *_: error(401, "mismatched_organization"), plain_keys(1))
    assert ask(gateway, gateway.key()).status == 502
    assert states(gateway) == {"k0": "active"}


def test_times_that_a_caller_has_sent_are_nobodys_rest(pooled):
    def answers(key, count, body):
        return 429, {"content-type": "application/json"}, {"error": {"message": "slow", "input": json.loads(body)}}, 0

    gateway, _ = pooled(answers, plain_keys(1))
    ask(gateway, gateway.key(), {"retryDelay": "86400s", "resets_in_seconds": 86400, "resets_at": "2030-01-01T00:00:00Z"})
    (key,) = [key for key in gateway.admin("GET", "/keys").json["items"] if key["upstream"] == "pooled"]
    until = datetime.datetime.fromisoformat(key["until"].replace("Z", "+00:00"))
    assert key["state"] == "cooling" and (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds() < 90


SECRET = 'sk+live/0123"4567=89abcdef'


def test_a_providers_key_is_covered_however_an_answer_repeats_it(pooled):
    forms = {
        "plain": SECRET, "url": urllib.parse.quote(SECRET, safe=""), "json": json.dumps(SECRET)[1:-1],
        "slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"), "base64": base64.b64encode(SECRET.encode()).decode(),
        "basic": base64.b64encode(f"user:{SECRET}".encode()).decode(), "hex": SECRET.encode().hex(),
        "url64": base64.urlsafe_b64encode(f"x{SECRET}".encode()).decode(),
    }
    text = " | ".join(forms.values())
    headers = {"content-type": "text/plain", **{f"x-echo-{name}": form for name, form in forms.items()}}
    gateway, _ = pooled(lambda *_: (200, headers, text.encode(), 0), [f"{{ name: k, value: {json.dumps(SECRET)} }}"])
    answer = ask(gateway, gateway.key())
    assert answer.body.decode() == text, "callers get what was sent"
    record = gateway.logs(1)[0]
    sinks = {"detail": json.dumps(gateway.detail(record), ensure_ascii=False)}
    for file in (gateway.folder / "data").rglob("*"):
        if file.is_file():
            sinks[file.name] = file.read_bytes().decode("latin-1")
    parts = {name: form[2:-4] if "64" in name or name == "basic" else form for name, form in forms.items()}
    parts["basic"] = parts["basic"][6:]
    for sink, content in sinks.items():
        for name, form in parts.items():
            assert form not in content and form not in content.replace("\\\\", "\\"), f"{name} in {sink}"
    detail = gateway.detail(record)
    assert detail["response_body"].count(" | ") == len(forms) - 1 and "*" * len(SECRET) in detail["response_body"]


def test_a_client_key_in_a_path_or_model_is_covered_while_it_runs(pooled):
    gateway, _ = pooled(lambda *_: (*GOOD[:3], 1.5), plain_keys(1))
    client = gateway.key()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, gateway, client, {"model": f"a-{client}"}, None, f"/v1/{client}")
        row = wait_until(
            lambda: next((e for e in gateway.admin("GET", "/exchanges").json["items"] if e["model"]), None), what="the exchange"
        )
        assert answer.result().status == 200
    secret = client.split("_", 2)[2]
    assert secret not in json.dumps(row) and row["model"].startswith("a-fg_") and row["path"].startswith("/proxy/pooled/v1/fg_")
    assert secret not in json.dumps(gateway.logs(1))


def test_members_to_strip_cannot_be_hidden(pooled):
    seen = []

    def answers(key, count, body):
        seen.append(body)
        return GOOD

    gateway, _ = pooled(answers, plain_keys(1), "    strip_body_fields: [user]\n")
    client = gateway.key()
    hidden = [
        b'\xef\xbb\xbf{"user":"me"}', b'{"\\u0075ser":"me"}', b'{"user":1,"USER":2}', '{"user":"me"}'.encode("utf-16"),
        '{"user":"me"}'.encode("utf-16-be"), b'{"a":1} {"user":"me"}',
    ]
    for kind in ("application/json", "text/plain"):
        for body in hidden:
            assert ask(gateway, client, body, {"Content-Type": kind}).status == 400, body
    assert not seen
    assert ask(gateway, client, b'{"User":"me","a":1}').status == 200
    assert ask(gateway, client, b"plain words, {user}", {"Content-Type": "text/plain"}).status == 200
    assert seen == [b'{"a":1}', b"plain words, {user}"]


def test_a_key_in_the_query_has_no_rival(pooled):
    seen = []

    def probe(key, path):
        seen.append(path)
        return 200

    gateway, provider = pooled(lambda *_: GOOD, ["{ name: k, value: secret-0123456789, location: query, param_name: key }"])
    provider.probe = probe
    client = gateway.key()
    for query in ("?KEY=evil&a=1", "?a=1&b=2;key=evil", "?%6bey=evil&a=1", "?k%45y=evil&a=1"):
        assert http("GET", gateway.url(f"/proxy/pooled/v1/models{query}"), headers={"X-API-Key": client}).status == 200
    assert seen == ["/v1/models?a=1&key=secret-0123456789"] * 4


def test_a_models_name_is_read_as_json_has_it(pooled):
    gateway, _ = pooled(lambda *_: GOOD, plain_keys(1))
    client = gateway.key("narrow", permissions={"models": ["meta-llama/*"]})
    assert ask(gateway, client, b'{"model":"meta-llama\\/Llama-3","messages":[]}').status == 200
    assert ask(gateway, client, b'{"model":"meta-llama\\u002fLlama-4","messages":[]}').status == 200
    assert ask(gateway, client, b'{"model":"meta-llama\\qx","messages":[]}').status == 403
    assert [record["model"] for record in gateway.logs(2, "&filter=status=200")] == ["meta-llama/Llama-4", "meta-llama/Llama-3"]
    # In what the command line shows it cannot look like a line of ours.
    everything = gateway.key("wide")
    assert ask(gateway, everything, b'{"model":"a\\n  upstream key: forged","messages":[]}').status == 200
    record = gateway.logs(4)[0]
    shown = gateway.command("logs", "--id", str(record["id"])).stdout
    assert "\n  upstream key: forged" not in shown and "a<U+A>  upstream key: forged" in shown


def test_paths_that_somebody_reads_as_another_do_not_pass(pooled):
    gateway, provider = pooled(lambda *_: GOOD, plain_keys(1))
    client = gateway.key("narrow", permissions={"paths": ["/v1/chat/**"]})
    for path in ("/v1/chat/..;/admin", "/v1/chat/..%c0%afadmin", "/v1/chat/%252e%252e/admin", "/v1/chat/..%3bx/admin", "/v1/chat/%c0%ae%c0%ae/x"):
        assert ask(gateway, client, path=path).status == 400, path
    assert not provider.counts
    for path in ("/v1/chat/completions", "/v1/chat/a;b=c/d", "/v1/chat/100%25", "/v1/chat/meta%252Fllama"):
        assert ask(gateway, client, path=path).status == 200, path


def test_a_limit_lowered_and_raised_admits_no_more(pooled):
    gateway, _ = pooled(lambda *_: GOOD, plain_keys(1))
    made = gateway.admin("POST", "/client-keys", {"name": "limited", "limits": {"requests_per_minute": 50}}).json
    client = made["key"]
    assert [ask(gateway, client).status for _ in range(50)] == [200] * 50
    for limit in (5, 50):
        assert gateway.admin("PATCH", f"/client-keys/{made['id']}", {"limits": {"requests_per_minute": limit}}).status == 200
        refused = ask(gateway, client)
        assert refused.status == 429 and int(refused.headers["retry-after"]) > 30


def test_a_record_names_each_skipped_key_once(make_gateway):
    first, second = Provider(lambda *_: error(503)), Provider(lambda key, count, body: error(503) if "s0" in key else GOOD)
    names = {"first": (first, "f"), "second": (second, "s")}
    block = "".join(
        f"  - slug: {slug}\n    base_url: http://127.0.0.1:{provider.port}\n"
        + ("    fallbacks: [second]\n" if slug == "first" else "")
        + "    keys:\n" + "".join(f"      - {{ name: {letter}{n}, value: {letter}{n}-0123456789abcdef }}\n" for n in range(3))
        for slug, (provider, letter) in names.items()
    )
    gateway = make_gateway(upstream=block)
    ids = {key["name"]: key["id"] for key in gateway.admin("GET", "/keys").json["items"]}
    for name in ("f0", "f1", "s2"):
        gateway.admin("POST", f"/keys/{ids[name]}/ban", {"reason": "gone"})
    client = gateway.key()
    answer = http("POST", gateway.url("/proxy/first/v1/x"), {"model": "m"}, {"X-API-Key": client})
    assert answer.status == 200
    detail = gateway.detail(gateway.logs(1)[0])
    assert sorted(one["upstream_key"] for one in detail["skipped"]) == ["f0", "f1", "second/s2"]
    assert [one["upstream_key"] for one in detail["attempts_detail"]][:2] == ["f2", "s0"]
    first.stop()
    second.stop()


def test_an_upstream_without_keys_can_rest(pooled):
    is_tired = [True]
    gateway, provider = pooled(lambda *_: error(503, "resting") if is_tired[0] else GOOD, [])
    rule = {
        "name": "tired", "when": {"status": [503]},
        "then": [{"action": "cooldown_upstream", "seconds": 1, "from_answer": False}],
    }
    made = gateway.admin("POST", "/rules", rule).json
    rules = [one["id"] for one in gateway.admin("GET", "/rules").json["items"]]
    gateway.admin("POST", "/rules/reorder", {"ids": [made["id"], *(one for one in rules if one != made["id"])]})
    client = gateway.key()
    assert ask(gateway, client).status == 503
    assert upstream(gateway)["health"] == "cooling"
    refused = ask(gateway, client)
    assert refused.status == 503 and "rests" in refused.json["error"]["message"] and refused.headers["retry-after"] == "1"
    assert sum(provider.counts.values()) == 1
    is_tired[0] = False
    wait_until(lambda: ask(gateway, client).status == 200, what="its return")
    assert upstream(gateway)["health"] == "up"


def test_a_numeric_request_id_is_found_by_the_command_line(pooled):
    gateway, _ = pooled(lambda *_: GOOD, plain_keys(1))
    assert ask(gateway, gateway.key(), headers={"X-Request-Id": "4711"}).status == 200
    gateway.logs(1)
    assert "request id: 4711" in gateway.command("logs", "--id", "4711").stdout
    missing = gateway.command("logs", "--id", "4712", check=False)
    assert missing.returncode != 0 and "request id 4712" in missing.stderr


def test_reading_goes_on_after_a_body_that_no_backend_took(make_gateway):
    """The body is larger than what is held, and the backend is not there: the connection serves the next request."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    filling = [socket.socket() for _ in range(4)]
    for each in filling:
        each.setblocking(False)
        each.connect_ex(server.getsockname())
    block = (
        f"  - slug: slow\n    base_url: http://127.0.0.1:{server.getsockname()[1]}\n"
        "    timeouts: { connect: 300ms }\n    retry: { max_attempts: 1 }\n"
    )
    gateway = make_gateway("limits: { buffer_body_bytes: 4096, body_idle_timeout: 3s }", upstream=block)
    client = gateway.key()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as caller:
        head = f"POST /proxy/slow/x HTTP/1.1\r\nHost: a\r\nX-API-Key: {client}\r\nContent-Length: 20000\r\n\r\n".encode()
        # The first part fills what is held; the rest comes when the gateway has stopped reading.
        caller.sendall(head + b"x" * 6000)
        first = threading.Event()

        def rest():
            first.wait(5)
            caller.sendall(b"x" * 14000)
            caller.sendall(f"GET /health HTTP/1.1\r\nHost: a\r\n\r\n".encode())

        thread = threading.Thread(target=rest)
        thread.start()
        text = b""
        while b"HTTP/1.1 504" not in text:
            part = caller.recv(65536)
            assert part, text
            text += part
        first.set()
        while b"HTTP/1.1 200" not in text:
            part = caller.recv(65536)
            assert part, text
            text += part
        thread.join()
    for each in (*filling, server):
        each.close()
