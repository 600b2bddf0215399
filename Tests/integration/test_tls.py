"""The HTTPS listener, and upstreams behind HTTPS."""

import http.server
import signal
import ssl
import subprocess
import threading
import urllib.request

import pytest
from conftest import http as ask
from conftest import wait_until


@pytest.fixture
def secure_upstream(certificate):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def test_an_upstream_must_prove_who_it_is(make_gateway, certificate, secure_upstream):
    upstream = f"""
  - slug: trusted
    base_url: https://localhost:{secure_upstream}
    ca_file: {certificate[0]}
  - slug: stranger
    base_url: https://localhost:{secure_upstream}
"""
    gateway = make_gateway(upstream=upstream)
    headers = {"X-API-Key": gateway.key()}
    for _ in range(3):
        assert ask("POST", gateway.url("/proxy/trusted/x"), b"{}", headers).status == 200
    answer = ask("POST", gateway.url("/proxy/stranger/x"), b"{}", headers)
    assert answer.status == 502 and "secure connection" in answer.json["error"]["message"]
    # In words, without places in anybody's source.
    assert gateway.detail(gateway.logs(4)[0])["attempts_detail"][0]["error"] == "tls: certificate verify failed"


def test_callers_over_https(make_gateway, certificate):
    gateway = make_gateway(start=False)
    text = gateway.config.read_text()
    files = f"tls: {{ certificate: {certificate[0]}, private_key: {certificate[1]} }}"
    gateway.config.write_text(text.replace("port: 0 }", f"port: 0, {files} }}", 1))
    gateway.start()
    context = ssl.create_default_context(cafile=certificate[0])
    request = urllib.request.Request(
        f"https://127.0.0.1:{gateway.port}/proxy/miniai/v2/chat/completions",
        data=b'{"model":"m","stream":true}',
        headers={"X-API-Key": gateway.key()},
    )
    with urllib.request.urlopen(request, context=context, timeout=10) as response:
        assert response.status == 200 and response.read().count(b"data: ") == 19
    assert gateway.logs(1)[0]["stream_chunks"] == 18


def make_certificate(folder, name):
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -addext subjectAltName=IP:127.0.0.1"
    files = ["-subj", f"/CN={name}", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)


def served_certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_reload_reads_the_certificate_anew(make_gateway, tmp_path):
    make_certificate(tmp_path, "first")
    gateway = make_gateway(start=False)
    files = f"tls: {{ certificate: {tmp_path}/cert.pem, private_key: {tmp_path}/key.pem }}"
    gateway.config.write_text(gateway.config.read_text().replace("port: 0 }", f"port: 0, {files} }}", 1))
    gateway.start()
    first = (tmp_path / "cert.pem").read_text()
    assert served_certificate(gateway.port).strip() == first.strip()
    make_certificate(tmp_path, "second")
    second = (tmp_path / "cert.pem").read_text()
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: served_certificate(gateway.port).strip() == second.strip(), what="the new certificate")
    (tmp_path / "cert.pem").write_text("no certificate\n")
    answer = gateway.admin("POST", "/reload")
    assert answer.status == 422 and "cert.pem" in answer.json["error"]["message"]
    assert served_certificate(gateway.port).strip() == second.strip()


def test_a_file_of_authorities_is_checked_before_it_is_taken_and_renewed_by_a_reload(
    make_gateway, certificate, secure_upstream, tmp_path
):
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(certificate[0].read_bytes())
    upstream = f"""
  - slug: trusted
    base_url: https://localhost:{secure_upstream}
    ca_file: {authorities}
"""
    gateway = make_gateway(upstream=upstream)
    headers = {"X-API-Key": gateway.key()}
    url = gateway.url("/proxy/trusted/x")
    assert ask("POST", url, b"{}", headers).status == 200
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate\n")
    fields = {"slug": "broken", "base_url": "https://localhost:1", "ca_file": str(broken)}
    answer = gateway.admin("POST", "/upstreams", fields)
    assert answer.status == 422 and answer.json["error"]["param"] == "ca_file"
    # One that breaks later costs its own upstream only, and never becomes a connection without trust.
    fields["ca_file"] = str(tmp_path / "later.pem")
    (tmp_path / "later.pem").write_bytes(certificate[0].read_bytes())
    assert gateway.admin("POST", "/upstreams", fields).status == 201
    (tmp_path / "later.pem").write_text("no certificate\n")
    make_certificate(tmp_path, "stranger")
    authorities.write_bytes((tmp_path / "cert.pem").read_bytes())
    assert gateway.admin("POST", "/reload").status == 200
    answer = ask("POST", gateway.url("/proxy/broken/x"), b"{}", headers)
    assert answer.status == 502 and "secure connection" in answer.json["error"]["message"]
    assert ask("POST", url, b"{}", headers).status == 502, "an authority that was removed is still trusted"
