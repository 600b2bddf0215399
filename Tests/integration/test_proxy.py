"""The seeds' case, and what callers rely on."""

import contextlib
import json
import socket
import time

import openai
import pytest
from conftest import REAL_KEY, Mock, http, wait_until


def sdk(gateway, key, **options):
    return openai.OpenAI(base_url=gateway.url("/proxy/miniai/v2"), api_key=key, max_retries=0, **options)


def test_three_callers_share_one_endpoint_and_are_told_apart(gateway, mock):
    keys = {name: gateway.key(name, owner=f"owner-{name}") for name in ("key1", "key2", "key3")}
    sent = {}
    for name, key in keys.items():
        for stream in (False, True):
            body = json.dumps({"model": "m", "stream": stream, "user": name, "messages": [{"role": "user", "content": "h\u00e9"}]}).encode()
            answer = gateway.chat(key, body, {"X-Internal": "1", "X-Forwarded-For": "9.9.9.9", "X-Kept": "yes"})
            assert answer.status == 200
            sent[(name, stream)] = body
    received = mock.received()
    assert [bytes(r["body"], "utf-8") for r in received] == list(sent.values())
    for request in received:
        headers = {name.lower(): value for name, value in request["headers"]}
        assert request["uri"] == "/miniai/v2/chat/completions"
        assert headers["authorization"] == f"Bearer {REAL_KEY}"
        assert headers["x-kept"] == "yes"
        assert headers["host"] == f"127.0.0.1:{mock.port}"
        assert not {"x-api-key", "x-internal", "x-forwarded-for", "connection"} & headers.keys()
    records = gateway.logs(6)
    assert sorted((r["client_key"], r["owner"], r["is_stream"]) for r in records) == sorted(
        (name, f"owner-{name}", stream) for name, stream in sent
    )
    for record in records:
        assert record["status"] == 200 and record["usage"] == "reported" and record["prompt_tokens"] == 12
        assert (record["stream_chunks"] > 0) == record["is_stream"]
        detail = gateway.detail(record)
        assert detail["request_body"].encode() == sent[(record["client_key"], record["is_stream"])]
        assert "mock-1" in detail["response_body"]
        assert detail["request_headers"]["X-Kept"] == "yes"
        text = json.dumps(detail)
        assert REAL_KEY not in text and not any(key in text for key in keys.values())
        if record["is_stream"]:
            assert detail["stream"]["reads"] > 1 and detail["stream"]["longest_gap_ms"] > 0


def test_openai_sdk_answers_and_streams(gateway):
    client = sdk(gateway, gateway.key())
    messages = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model="mock-1", messages=messages)
    assert answer.choices[0].message.content.startswith("The")
    assert answer.usage.prompt_tokens == 12
    events = list(client.chat.completions.create(model="mock-1", messages=messages, stream=True))
    text = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert text.startswith("The gate is open") and events[-1].usage.completion_tokens == 16


def test_openai_sdk_raises_what_it_should(gateway):
    messages = [{"role": "user", "content": "Hello"}]
    with pytest.raises(openai.AuthenticationError) as caught:
        sdk(gateway, "fg_nonsense").chat.completions.create(model="m", messages=messages)
    assert caught.value.code == "invalid_api_key"
    limited = gateway.key("limited", permissions={"models": ["gpt-*"]})
    with pytest.raises(openai.PermissionDeniedError) as caught:
        sdk(gateway, limited).chat.completions.create(model="mock-1", messages=messages)
    assert caught.value.param == "model"
    with pytest.raises(openai.APIStatusError) as caught:
        sdk(gateway, gateway.key()).chat.completions.create(
            model="m", messages=messages, extra_headers={"X-Mock-Status": "500"}
        )
    assert caught.value.status_code == 500


@pytest.mark.parametrize("status", [401, 403])
def test_a_provider_refusing_our_key_is_502_and_names_nothing(gateway, status):
    answer = gateway.chat(gateway.key(), headers={"X-Mock-Status": str(status)})
    assert answer.status == 502 and answer.json["error"]["code"] == "upstream_credentials"
    record = gateway.logs(1)[0]
    assert record["status"] == 502 and record["error"] == "upstream_credentials"
    assert "The mock was told to fail" in gateway.detail(record)["response_body"]


def test_answers_of_the_gateway_are_logged_with_their_sizes(gateway):
    """What callers are sent counts, whoever made it; what no upstream was asked for has no time to its first byte."""
    rule = {"name": "teapot", "when": {"status": [418]}, "then": [{"action": "respond", "status": 503, "body": "later"}]}
    assert gateway.admin("POST", "/rules", rule).status == 201
    key = gateway.key()
    answers = [
        gateway.chat("fg_nonsense"),
        http("POST", gateway.url("/proxy/nobody/v1/x"), b"{}", {"X-API-Key": key}),
        gateway.chat(key, headers={"X-Mock-Status": "418"}),
        gateway.chat(key, headers={"X-Mock-Status": "401"}),
        http("HEAD", gateway.url("/proxy/nobody/v1/x"), headers={"X-API-Key": key}),
    ]
    assert [answer.status for answer in answers] == [401, 404, 503, 502, 404]
    records = gateway.logs(len(answers))[::-1]
    assert [record["bytes_out"] for record in records] == [len(answer.body) for answer in answers]
    assert answers[2].body == b"later" and records[4]["bytes_out"] == 0 and records[0]["ttft_ms"] is None

    def counted():
        # The second at hand is shown once it is over.
        series = gateway.admin("GET", "/dashboard/series?metric=bytes_out").json
        return sum(point["value"] for point in series["points"])

    wait_until(lambda: counted() == sum(len(answer.body) for answer in answers), what="the bytes in the series")


def test_permissions(gateway, mock):
    mock.forget()
    key = gateway.key("k", permissions={"upstreams": ["other"]})
    assert gateway.chat(key).json["error"]["param"] == "upstream"
    key = gateway.key("k", permissions={"paths": ["/v1/*"]})
    assert gateway.chat(key).json["error"]["param"] == "path"
    assert gateway.chat(key, path="/v1/x").status == 200
    key = gateway.key("k", permissions={"cidrs": ["10.0.0.0/8"]})
    assert gateway.chat(key).json["error"]["param"] == "address"
    assert len(mock.received()) == 1


def test_expiry_disable_revoke_and_rotation_take_effect_at_once(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "k"}).json
    assert gateway.chat(made["key"]).status == 200
    gateway.admin("POST", f"/client-keys/{made['id']}/disable")
    assert gateway.chat(made["key"]).json["error"]["code"] == "disabled_api_key"
    refused = gateway.logs(2)[0]
    # Whoever still sends a dead key can be found.
    assert (refused["client_key"], refused["upstream"], refused["status"]) == ("k", "miniai", 401)
    gateway.admin("POST", f"/client-keys/{made['id']}/enable")
    successor = gateway.admin("POST", f"/client-keys/{made['id']}/rotate", {"overlap_seconds": 60}).json
    assert gateway.chat(made["key"]).status == 200 and gateway.chat(successor["key"]).status == 200
    rotated = gateway.admin("POST", f"/client-keys/{successor['id']}/rotate", {"overlap_seconds": 0}).json
    assert gateway.chat(successor["key"]).json["error"]["code"] == "expired_api_key"
    again = gateway.admin("POST", f"/client-keys/{made['id']}/rotate", {"overlap_seconds": 60}).json
    assert again["expires_at"] is None, "a second rotation does not inherit the overlap's end"
    gateway.admin("POST", f"/client-keys/{rotated['id']}/revoke")
    assert gateway.chat(rotated["key"]).status == 401
    assert gateway.admin("POST", f"/client-keys/{rotated['id']}/enable").status == 409


def raw(gateway, data, timeout=5):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout) as connection:
        connection.sendall(data)
        parts = []
        while True:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                return b"".join(parts), "reset"
            if not part:
                return b"".join(parts), "closed"
            parts.append(part)


def head(key, path="/v2/chat/completions", extra=b""):
    return b"POST /proxy/miniai%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n%s" % (path.encode(), key.encode(), extra)


def test_limits_have_their_own_statuses_and_reach_no_backend(make_gateway, mock):
    gateway = make_gateway(
        "limits: { max_body_bytes: 1000, buffer_body_bytes: 1000, header_timeout: 300ms, body_idle_timeout: 300ms }"
    )
    key = gateway.key()
    mock.forget()
    cases = [
        (head(key, "/" + "a" * 9000) + b"\r\n", b"414"),
        (head(key, extra=b"X: " + b"a" * 17000 + b"\r\n") + b"\r\n", b"431"),
        (head(key, extra=b"".join(b"X-%d: y\r\n" % n for n in range(101))) + b"\r\n", b"431"),
        (head(key, extra=b"Content-Length: 1001\r\n") + b"\r\n", b"413"),
        (head(key, extra=b"Transfer-Encoding: chunked\r\n") + b"\r\n3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n", b"413"),
        (head(key, extra=b"Expect: magic\r\n") + b"\r\n", b"417"),
        (head(key), b"408"),
        (head(key, extra=b"Content-Length: 10\r\n") + b"\r\nhalf", b"408"),
        (head(key, extra=b"Transfer-Encoding: gzip\r\n") + b"\r\n", b"501"),
        (head(key).replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n", b"505"),
        (head(key, extra=b"Transfer-Encoding: chunked\r\n") + b"\r\nzz\r\n", b"400"),
    ]
    for data, status in cases:
        answer, _ = raw(gateway, data)
        assert answer.split(b" ")[1] == status, (data[:80], answer[:200])
        assert b"\r\nconnection: close\r\n" in answer
        assert b'"code":' in answer
    assert mock.received() == []
    body = b"a" * 1000
    answer, _ = raw(gateway, head(key, extra=b"Connection: close\r\nContent-Length: 1000\r\n") + b"\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 200")


def test_upstream_timeouts_say_which(make_gateway, mock):
    slow = f"""
  - slug: slow
    base_url: http://127.0.0.1:{mock.port}
    timeouts: {{ first_byte: 200ms, idle: 200ms }}
  - slug: nobody
    base_url: http://127.0.0.1:1
"""
    gateway = make_gateway(upstream=slow)
    key = gateway.key()

    def ask(slug, headers, stream=False):
        body = {"model": "m", "stream": stream}
        return http("POST", gateway.url(f"/proxy/{slug}/x"), body, {"X-API-Key": key, **headers})

    answer = ask("slow", {"X-Mock-Header-Delay-Ms": "3000"})
    assert answer.status == 504 and "first byte" in answer.json["error"]["message"]
    answer = ask("nobody", {})
    assert answer.status == 502 and answer.json["error"]["code"] == "upstream_error"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        body = b'{"stream":true}'
        connection.sendall(
            b"POST /proxy/slow/x HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nX-Mock-Gap-Ms: 3000\r\nContent-Length: %d\r\n\r\n%s"
            % (key.encode(), len(body), body)
        )
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"upstream_timeout" in data and not data.endswith(b"0\r\n\r\n") and b"[DONE]" not in data


def test_a_caller_that_leaves_cancels_the_upstream_at_once(gateway, mock):
    key = gateway.key()
    mock.forget()
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    body = b'{"model":"m","stream":true}'
    connection.sendall(
        head(key, extra=b"X-Mock-Tokens: 10000\r\nContent-Length: %d\r\n" % len(body)) + b"\r\n" + body
    )
    assert b"200 OK" in connection.recv(65536)
    left = time.time() * 1000
    connection.close()
    ended = wait_until(lambda: next((r for r in mock.received() if r["end"] == "closed"), None))
    assert ended["ended_at_ms"] - left < 250
    record = gateway.logs(1)[0]
    assert record["error"] == "caller_gone" and record["status"] == 200


def test_a_stream_that_breaks_says_so_and_never_looks_whole(gateway):
    key = gateway.key()
    body = b'{"model":"m","stream":true}'
    data, _ = raw(
        gateway, head(key, extra=b"X-Mock-Cut-After: 3\r\nContent-Length: %d\r\n" % len(body)) + b"\r\n" + body
    )
    assert b'"code":"truncated"' in data and b"[DONE]" not in data and not data.endswith(b"0\r\n\r\n")
    record = gateway.logs(1)[0]
    assert record["error"] == "truncated" and record["stream_chunks"] == 3
    with pytest.raises(openai.APIError):
        list(
            sdk(gateway, key).chat.completions.create(
                model="m", messages=[], stream=True, extra_headers={"X-Mock-Cut-After": "3"}
            )
        )


def test_pipelined_requests_are_answered_in_order_and_a_bad_one_ends_it(gateway, mock):
    key = gateway.key()
    mock.forget()
    good = b"GET /proxy/miniai/v1/%d HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n"
    requests = b"".join(good % (n, key.encode()) for n in range(20))
    data, _ = raw(gateway, requests + b"GET /bad HTTP/1.1\r\n\r\n" + good % (99, key.encode()))
    assert data.count(b"HTTP/1.1 200") == 20 and data.count(b"HTTP/1.1 400") == 1
    assert [r["uri"] for r in mock.received()] == [f"/miniai/v1/{n}" for n in range(20)]


def test_large_bodies_stream_both_ways(gateway, mock):
    key = gateway.key()
    mock.forget()
    body = b"x" * (3 << 20)
    answer = gateway.chat(key, body, {"X-Mock-Content-Bytes": str(5 << 20), "Content-Type": "text/plain"})
    assert answer.status == 200 and len(answer.json["choices"][0]["message"]["content"]) == 5 << 20
    assert mock.received()[0]["body_bytes"] == len(body)
    record = gateway.logs(1)[0]
    assert record["bytes_in"] == len(body) and record["bytes_out"] > 5 << 20
    assert len(gateway.detail(record)["request_body"]) == 65536


def test_cleaning_and_keys_in_query_and_body(make_gateway, mock):
    upstream = f"""
  - slug: query
    base_url: http://127.0.0.1:{mock.port}/q
    strip_query: [debug]
    keys: [ {{ name: a, value: query-secret-1, location: query, param_name: key }} ]
  - slug: body
    base_url: http://127.0.0.1:{mock.port}/b
    strip_body_fields: [user]
    keys: [ {{ name: b, value: body-secret-1, location: body, param_name: api_key }} ]
"""
    gateway = make_gateway(upstream=upstream)
    key = gateway.key()
    mock.forget()
    http("GET", gateway.url("/proxy/query/x?a=1&debug=2&key=mine&b=%20"), headers={"X-API-Key": key})
    http("POST", gateway.url("/proxy/body/x"), b'{"user":"u", "model":"m"}', {"X-API-Key": key})
    first, second = mock.received()
    assert first["uri"] == "/q/x?a=1&b=%20&key=query-secret-1"
    assert json.loads(second["body"]) == {"api_key": "body-secret-1", "model": "m"}


def test_preflight_and_health_need_no_key(make_gateway):
    gateway = make_gateway("cors: { origins: ['https://app.example'] }")
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    answer = http("OPTIONS", gateway.url("/proxy/miniai/v1/x"), headers=headers)
    assert answer.status == 204 and answer.headers["access-control-allow-origin"] == "https://app.example"
    answer = http("OPTIONS", gateway.url("/proxy/miniai/v1/x"), headers={**headers, "Origin": "https://evil.example"})
    assert answer.headers["access-control-allow-origin"] is None
    assert http("GET", gateway.url("/health")).status == 200
    assert http("GET", gateway.url("/health/ready")).status == 200


def test_request_ids_and_hidden_headers(gateway, mock):
    key = gateway.key()
    mock.forget()
    answer = gateway.chat(key, headers={"X-Request-Id": "my-id-1"})
    assert answer.headers["x-request-id"] == "my-id-1" and answer.headers["server"] is None
    assert dict(mock.received()[0]["headers"])["x-request-id"] == "my-id-1"
    answer = gateway.chat(key, headers={"X-Request-Id": "bad id\x7f"[:6]})
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["x-fastgate-overhead-us"]) >= 0 and answer.headers["x-fastgate-attempts"] == "1"


def test_hundred_streams_at_once_are_all_whole(gateway):
    import concurrent.futures

    client = sdk(gateway, gateway.key())

    def one(_):
        events = client.chat.completions.create(model="m", messages=[], stream=True)
        return sum(1 for event in events if event.choices and event.choices[0].delta.content)

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert list(pool.map(one, range(100))) == [16] * 100


def test_a_malicious_upstream_is_502(make_gateway):
    import threading

    answers = [
        b"HTTP/1.1 999 X\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"SMTP hello\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\n\n",
    ]
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        for answer in answers:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    gateway = make_gateway(mock_port=server.getsockname()[1])
    key = gateway.key()
    for answer in answers:
        result = gateway.chat(key)
        assert result.status == 502 and result.json["error"]["code"] == "upstream_protocol", answer
        # So many failures would send the only key to rest.
        assert gateway.admin("POST", "/keys/1/reset").status == 200
    thread.join(5)
    server.close()


def test_a_refused_caller_that_waits_to_continue_is_closed(gateway, mock):
    """Whether its body follows cannot be known, so the bytes after it must not be taken for a request."""
    mock.forget()
    key = gateway.key()
    hidden = b"GET /proxy/miniai/hidden HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n" % key.encode()
    request = head("wrong", extra=b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(hidden))
    data, _ = raw(gateway, request + b"\r\n" + hidden + hidden)
    assert data.startswith(b"HTTP/1.1 401") and data.count(b"HTTP/1.1") == 1 and b"connection: close" in data
    assert mock.received() == []
    request = head(key, extra=b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n")
    data, _ = raw(gateway, request + b"\r\n{}")
    assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


def test_a_refused_body_is_dropped_and_the_connection_goes_on(gateway):
    key = gateway.key()
    refused = head("wrong", extra=b"Content-Length: 5\r\n") + b"\r\nGET /"
    accepted = head(key, extra=b"Connection: close\r\nContent-Length: 2\r\n") + b"\r\n{}"
    data, _ = raw(gateway, refused + accepted)
    assert data.startswith(b"HTTP/1.1 401") and data.count(b"HTTP/1.1 200") == 1


def test_endings_of_answers_without_a_length(make_gateway):
    import struct
    import threading

    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        for is_orderly in (True, False):
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Kept: 1\r\n\r\npart")
            time.sleep(0.1)
            if not is_orderly:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    gateway = make_gateway(mock_port=server.getsockname()[1])
    key = gateway.key()
    ask = head(key, extra=b"Connection: close\r\nContent-Length: 2\r\n") + b"\r\n{}"
    whole, _ = raw(gateway, ask)
    assert whole.endswith(b"4\r\npart\r\n0\r\n\r\n") and b"X-Kept" in whole and b"X-Hop" not in whole
    cut, _ = raw(gateway, ask)
    assert not cut.endswith(b"0\r\n\r\n")
    assert [record["error"] for record in gateway.logs(2)] == ["truncated", None]
    thread.join(5)
    server.close()


def test_callers_that_leave_while_a_backend_is_connected_to_leave_nothing(make_gateway):
    # Nobody accepts, and the queue of the listening socket is full: connecting takes until somebody does.
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    port = server.getsockname()[1]
    filling = [socket.socket() for _ in range(4)]
    for each in filling:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", port))
    gateway = make_gateway(mock_port=port)
    key = gateway.key()
    callers = []
    for _ in range(8):
        caller = socket.create_connection(("127.0.0.1", gateway.port))
        caller.sendall(head(key, extra=b"Content-Length: 2\r\n") + b"\r\n{}")
        callers.append(caller)

    def opened():
        return gateway.admin("GET", "/status").json["upstream_connections"]

    wait_until(lambda: opened() == 8, what="eight that connect")
    for caller in callers:
        caller.close()
    assert {record["error"] for record in gateway.logs(8)} == {"caller_gone"}
    server.listen(64)
    server.setblocking(False)
    accepted = []

    def accept():
        # The end is asked for first: a connection that came and went meanwhile is then still accepted.
        ended = opened() == 0
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted.append(server.accept()[0])
        return ended

    wait_until(accept, timeout=20, what="the connections' end")
    # The last are given up where they connected to somebody after all.
    assert len(accepted) > len(filling)
    for each in (*filling, *accepted, server):
        each.close()


def test_bodies_that_read_in_two_ways_cannot_choose_a_forbidden_model(make_gateway, mock):
    gateway = make_gateway()
    key = gateway.key("k", permissions={"models": ["cheap"]})
    mock.forget()
    for body in (b'{"model":"cheap","model":"dear"}', b'{"model":"cheap","\\u006dodel":"dear"}', b'\xef\xbb\xbf{"model":"cheap"}'):
        answer = gateway.chat(key, body, {"Content-Type": "application/json"})
        assert answer.status in (400, 403), body
    assert mock.received() == []
    assert gateway.chat(key, b'{"model":"cheap"}').status == 200


def test_a_slow_reader_leaves_no_trace_on_the_next_exchange(gateway):
    """Its answer pauses the upstream connection; whoever gets that connection next must be able to read."""
    key = gateway.key()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(
                head(key, extra=b"X-Mock-Content-Bytes: 400000\r\nContent-Length: 2\r\nConnection: close\r\n") + b"\r\n{}"
            )
            size = 0
            while part := connection.recv(8192):
                size += len(part)
            assert size > 400000
        for _ in range(4):
            assert gateway.chat(key).status == 200


def test_ends_of_answers_that_nobody_reads_are_given_up(make_gateway):
    """Also where so little is left that the channel still calls itself writable."""
    gateway = make_gateway("limits: { write_timeout: 500ms }")
    key = gateway.key()
    callers = []
    for size in range(50_000, 3_000_000, 40_000):
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", gateway.port))
        extra = b"X-Mock-Content-Bytes: %d\r\nContent-Length: 2\r\nConnection: close\r\n" % size
        caller.sendall(head(key, extra=extra) + b"\r\n{}")
        callers.append(caller)
    assert len(gateway.logs(len(callers))) == len(callers)
    wait_until(lambda: gateway.admin("GET", "/status").json["connections"] == 0, timeout=15, what="all to be given up")
    for caller in callers:
        caller.close()


def test_answers_that_nobody_reads_do_not_pile_up(gateway):
    def resident():
        return int(open(f"/proc/{gateway.process.pid}/statm").read().split()[1]) * 4096

    before = resident()
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    connection.setblocking(False)
    request = b"GET /proxy/x HTTP/1.1\r\nHost: a\r\n\r\n" * 1000
    sent, quiet = 0, 0
    while sent < 64 << 20 and quiet < 50:
        try:
            sent += connection.send(request)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.01)
    assert quiet == 50, "the gateway went on reading"
    assert resident() - before < 64 << 20
    connection.close()
    assert http("GET", gateway.url("/health")).status == 200
