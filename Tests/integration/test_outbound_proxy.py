"""Upstreams behind a proxy of their own (`proxy_url`): plain ones by absolute addresses, secure ones through a tunnel."""

import base64
import http.server
import select
import socket
import ssl
import threading

import pytest
from conftest import REAL_KEY
from conftest import http as ask

CREDENTIALS = "Basic " + base64.b64encode(b"gate:s3cret-of-the-proxy").decode()


class Proxy(http.server.BaseHTTPRequestHandler):
    """Forwards absolute addresses and tunnels, and remembers what it was asked."""

    protocol_version = "HTTP/1.1"

    def refuse(self):
        status = self.server.answers
        if self.headers.get("proxy-authorization") != self.server.wanted:
            status = 407
        if status == 200:
            return False
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
        return True

    def do_CONNECT(self):
        self.server.seen.append(("CONNECT", self.path))
        if self.refuse():
            return
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as backend:
            self.connection.sendall(b"HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n")
            pair = {self.connection: backend, backend: self.connection}
            while True:
                for readable in select.select(list(pair), [], [])[0]:
                    data = readable.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pair[readable].sendall(data)

    def forward(self):
        self.server.seen.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.refuse():
            return
        own = {"proxy-authorization", "connection", "host", "content-length"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
        answer = ask(self.command, self.path, body or None, headers)
        self.send_response(answer.status)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_GET = forward

    def log_message(self, *arguments):
        pass


@pytest.fixture
def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    (server.seen, server.wanted, server.answers) = ([], CREDENTIALS, 200)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def secure_backend(certificate):
    class Backend(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            server.keys.append(self.headers.get("authorization"))
            server.proxies.append(self.headers.get("proxy-authorization"))
            body = b'data: {"choices":[]}\n\n' * 3
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET = answer

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    (server.keys, server.proxies) = ([], [])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def upstream(slug, base, proxy, more=""):
    user = "gate:${PROXY_PASSWORD}@" if proxy.wanted else ""
    address = f"http://{user}127.0.0.1:{proxy.server_address[1]}"
    key = '{ name: k, value: "${PROVIDER_KEY}" }'
    return f"  - {{ slug: {slug}, base_url: '{base}', proxy_url: '{address}', keys: [{key}]{more} }}\n"


ENVIRONMENT = {"PROXY_PASSWORD": "s3cret-of-the-proxy"}


def test_a_plain_upstream_is_asked_by_its_whole_address(make_gateway, mock, proxy):
    proxy.wanted = None
    base = f"http://127.0.0.1:{mock.port}/over"
    gateway = make_gateway(upstream=upstream("over", base, proxy), environment=ENVIRONMENT)
    key = gateway.key()
    mock.forget()
    for path, wanted in [("/v2/chat/completions?a=1", "/v2/chat/completions?a=1"), ("/", "/")]:
        answer = ask("POST", gateway.url(f"/proxy/over{path}"), {"model": "m", "messages": []}, {"X-API-Key": key})
        assert answer.status in (200, 404) and proxy.seen[-1] == ("POST", base + wanted)
    # The provider's key goes on, and the proxy's does not.
    received = mock.received()[0]
    headers = {name.lower(): value for name, value in received["headers"]}
    assert headers["authorization"] == f"Bearer {REAL_KEY}" and "proxy-authorization" not in headers
    # Another upstream that has no proxy is asked directly.
    count = len(proxy.seen)
    assert gateway.chat(key).status == 200 and len(proxy.seen) == count
    # What the proxy wants of us is nobody else's business.
    proxy.answers = 407
    answer = ask("POST", gateway.url("/proxy/over/x"), {"model": "m"}, {"X-API-Key": key})
    assert answer.status == 502 and answer.json["error"]["code"] == "upstream_error"
    assert "the proxy answered 407" in str(gateway.detail(gateway.logs(4)[0])["attempts_detail"])


def test_a_password_goes_to_the_proxy_only(make_gateway, mock, proxy):
    """In a tunnel of its own, also to a plain backend: a request that names it could be repeated in an answer."""
    gateway = make_gateway(upstream=upstream("over", f"http://127.0.0.1:{mock.port}/over", proxy), environment=ENVIRONMENT)
    mock.forget()
    headers = {"X-API-Key": gateway.key()}
    for _ in range(3):
        answer = ask("POST", gateway.url("/proxy/over/v2/chat/completions"), {"model": "m", "messages": []}, headers)
        assert answer.status == 200
    assert set(proxy.seen) == {("CONNECT", f"127.0.0.1:{mock.port}")} and len(proxy.seen) <= 3
    assert all(name.lower() != "proxy-authorization" for one in mock.received() for name, _ in one["headers"])
    assert [one["uri"] for one in mock.received()] == ["/over/v2/chat/completions"] * 3
    number = next(one["id"] for one in gateway.admin("GET", "/upstreams").json["items"] if one["slug"] == "over")
    gateway.admin("POST", f"/upstreams/{number}/test")
    assert set(proxy.seen) == {("CONNECT", f"127.0.0.1:{mock.port}")}


def test_a_secure_upstream_is_asked_through_a_tunnel(make_gateway, certificate, proxy, secure_backend):
    base = f"https://localhost:{secure_backend.server_address[1]}/api"
    more = f", ca_file: {certificate[0]}, probe: {{ path: /free, interval: 1d }}"
    gateway = make_gateway(upstream=upstream("over", base, proxy, more), environment=ENVIRONMENT)
    headers = {"X-API-Key": gateway.key()}
    tunnel = ("CONNECT", f"localhost:{secure_backend.server_address[1]}")
    for _ in range(3):
        answer = ask("POST", gateway.url("/proxy/over/x"), b'{"stream":true}', headers)
        assert answer.status == 200 and answer.body.count(b"data: ") == 3
    # One tunnel for each loop at most, and nothing but the name goes to the proxy in the clear.
    assert set(proxy.seen) == {tunnel} and len(proxy.seen) <= 3
    assert set(secure_backend.keys) == {f"Bearer {REAL_KEY}"} and set(secure_backend.proxies) == {None}
    # Questions that cost nothing go the same way.
    number = next(one["id"] for one in gateway.admin("GET", "/upstreams").json["items"] if one["slug"] == "over")
    proxy.seen.clear()
    assert gateway.admin("POST", f"/upstreams/{number}/test").json["success"]
    assert proxy.seen == [tunnel]


@pytest.mark.parametrize("status", [407, 403, 502])
def test_a_proxy_that_refuses_is_told_of(make_gateway, certificate, proxy, secure_backend, status):
    base = f"https://localhost:{secure_backend.server_address[1]}/api"
    text = upstream("over", base, proxy, f", ca_file: {certificate[0]}")
    (proxy.answers, proxy.wanted) = (200, "another") if status == 407 else (status, CREDENTIALS)
    gateway = make_gateway(upstream=text, environment=ENVIRONMENT)
    answer = ask("POST", gateway.url("/proxy/over/x"), b"{}", {"X-API-Key": gateway.key()})
    assert answer.status == 502 and answer.json["error"]["code"] == "upstream_error"
    assert "proxy" not in answer.json["error"]["message"]
    detail = gateway.detail(gateway.logs(1)[0])
    assert f"the proxy answered {status}" in detail["attempts_detail"][0]["error"]
    assert secure_backend.keys == []


def test_a_proxy_that_says_nothing_takes_no_longer_than_connecting_may(make_gateway, secure_backend):
    silent = socket.create_server(("127.0.0.1", 0))
    base = f"https://localhost:{secure_backend.server_address[1]}"
    text = (
        f"  - {{ slug: over, base_url: '{base}', proxy_url: 'http://127.0.0.1:{silent.getsockname()[1]}', "
        "timeouts: { connect: 300ms }, retry: { max_attempts: 1 } }\n"
    )
    gateway = make_gateway(upstream=text)
    answer = ask("POST", gateway.url("/proxy/over/x"), b"{}", {"X-API-Key": gateway.key()})
    assert answer.status == 504 and "Connecting" in answer.json["error"]["message"]
    silent.close()


def test_operators_set_it_and_no_password(make_gateway, mock, proxy):
    gateway = make_gateway(upstream=upstream("over", "http://127.0.0.1:9/x", proxy), environment=ENVIRONMENT)
    shown = gateway.admin("GET", "/upstreams").json["items"]
    port = proxy.server_address[1]
    assert [one["proxy_url"] for one in shown] == [None, f"http://gate:…@127.0.0.1:{port}"]
    assert "s3cret" not in gateway.admin("GET", "/upstreams").body.decode()
    proxy.wanted = None
    body = {"slug": "own", "base_url": f"http://127.0.0.1:{mock.port}/own", "proxy_url": f"http://127.0.0.1:{port}"}
    made = gateway.admin("POST", "/upstreams", body)
    assert made.status == 201 and made.json["proxy_url"] == body["proxy_url"]
    key = gateway.key()
    path = "/proxy/own/v2/chat/completions"
    assert ask("POST", gateway.url(path), {"model": "m"}, {"X-API-Key": key}).status == 200 and len(proxy.seen) == 1
    place = f"/upstreams/{made.json['id']}"
    for bad in ["https://p:1", "p:1", "http://", "http://a:b@p:1", "http://p:0", "http://p/x", "http://169.254.169.254"]:
        refused = gateway.admin("PATCH", place, {"proxy_url": bad})
        assert (refused.status, refused.json["error"]["param"]) == (422, "proxy_url"), bad
    assert gateway.admin("PATCH", place, {"proxy_url": None}).json["proxy_url"] is None
    assert ask("POST", gateway.url(path), {"model": "m"}, {"X-API-Key": key}).status == 200 and len(proxy.seen) == 1
    gateway.command("upstreams", "edit", "own", "--proxy-url", f"http://127.0.0.1:{port}")
    assert f"http://127.0.0.1:{port}" in gateway.command("upstreams", "show", "own").stdout


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_proxys_head_has_an_end(make_gateway, more):
    """8 KiB at most, and TLS begins behind it."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    gateway = make_gateway(
        upstream=f"  - {{ slug: over, base_url: 'https://localhost:1', proxy_url: 'http://127.0.0.1:{port}', retry: {{ max_attempts: 1 }} }}\n"
    )
    key = gateway.key()
    answers = []
    caller = threading.Thread(target=lambda: answers.append(ask("POST", gateway.url("/proxy/over/x"), b"{}", {"X-API-Key": key})))
    caller.start()
    connection, _ = server.accept()
    with connection:
        connection.settimeout(5)
        assert connection.recv(4096).startswith(b"CONNECT localhost:1 ")
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ".ljust(8192 + more, b"a"))
        if more <= 0:
            connection.sendall(b"\r\n\r\n")
            # A TLS handshake.
            assert connection.recv(1) == b"\x16"
        else:
            assert connection.recv(1) == b""
    caller.join()
    server.close()
    assert answers[0].status == 502
