"""The real binary, on free ports, with the fake provider behind it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from http.client import HTTPResponse
from pathlib import Path

import pytest
from terminal import Terminal

BINARY = os.environ["FASTGATE_BINARY"]
REAL_KEY = "sk-real-provider-key-0001"


def wait_until(condition, timeout=10.0, interval=0.02, what="the condition"):
    """Polls until the condition gives something true, and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {timeout} s")
        time.sleep(interval)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)


def http(method, url, body=None, headers=None, timeout=10):
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


class Mock:
    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "mock-upstream", "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def received(self):
        return http("GET", f"http://127.0.0.1:{self.port}/_mock/requests").json

    def forget(self):
        http("DELETE", f"http://127.0.0.1:{self.port}/_mock/requests")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Gateway:
    def __init__(self, folder: Path, mock_port: int, extra: str = "", upstream: str = "", environment=None, binary=BINARY):
        self.folder, self.binary = folder, binary
        self.config = folder / "fastgate.yaml"
        self.environment = {**os.environ, "PROVIDER_KEY": REAL_KEY, **(environment or {})}
        self.log_file = folder / "gateway.log"
        self.config.write_text(
            f"""
server: {{ host: 127.0.0.1, port: 0 }}
admin: {{ port: 0 }}
{extra}
upstreams:
  - slug: miniai
    base_url: http://127.0.0.1:{mock_port}/miniai
    strip_headers: [host, x-api-key, authorization, x-forwarded-for, x-internal]
    keys: [ {{ name: real, value: "${{PROVIDER_KEY}}" }} ]
{upstream}
"""
        )
        self.process = None

    def start(self):
        log = self.log_file.open("w")
        self.process = subprocess.Popen(
            [self.binary, "serve", "--config", str(self.config)], stderr=log, env=self.environment, start_new_session=True
        )
        ready = wait_until(self._ready, timeout=20, what="the gateway's start")
        self.port = int(ready["port"])
        self.admin_port = int(ready["admin_port"])
        self.socket = ready["socket"]
        self.token = (self.folder / "data" / "admin.token").read_text().strip()
        return self

    def _ready(self):
        assert self.process.poll() is None, self.log()
        return next((line for line in self.lines() if line.get("message") == "ready"), None)

    def log(self):
        return self.log_file.read_text()

    def lines(self):
        result = []
        for line in self.log().splitlines():
            try:
                result.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return result

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def admin(self, method, path, body=None, headers=None):
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return http(method, f"http://127.0.0.1:{self.admin_port}/api/admin{path}", body, headers)

    def command(self, *arguments, check=True):
        result = subprocess.run(
            [BINARY, *arguments, "--socket", self.socket], capture_output=True, text=True, timeout=30
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def key(self, name="key1", **fields):
        answer = self.admin("POST", "/client-keys", {"name": name, **fields})
        assert answer.status == 201, answer.body
        return answer.json["key"]

    def chat(self, key, body=None, headers=None, path="/v2/chat/completions"):
        body = {"model": "mock-1", "messages": []} if body is None else body
        return http("POST", self.url(f"/proxy/miniai{path}"), body, {"X-API-Key": key, **(headers or {})})

    def logs(self, count, query=""):
        """The newest records, once there are as many."""

        def enough():
            items = self.admin("GET", f"/logs?limit=1000{query}").json["items"]
            return items if len(items) >= count else None

        return wait_until(enough, what=f"{count} log records")

    def detail(self, record):
        return self.admin("GET", f"/logs/{record['id']}").json

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=15):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def mock():
    mock = Mock("--gap-ms", "5")
    yield mock
    mock.stop()


@pytest.fixture
def make_gateway(tmp_path, mock):
    made = []

    def make(extra="", upstream="", mock_port=None, folder="g", start=True, environment=None):
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        gateway = Gateway(path, mock_port or mock.port, extra, upstream, environment)
        made.append(gateway)
        return gateway.start() if start else gateway

    yield make
    for gateway in made:
        gateway.stop()


@pytest.fixture
def gateway(make_gateway, mock):
    mock.forget()
    return make_gateway()


# -- Consoles

BOTH_SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


@pytest.fixture
def terminals():
    made = []

    def make(*arguments, **options):
        terminal = Terminal([BINARY, *arguments], **options)
        made.append(terminal)
        return terminal

    yield make
    for terminal in made:
        terminal.kill()


@pytest.fixture
def attach(terminals, gateway):
    def make(*arguments, **options):
        return terminals("console", "--socket", gateway.socket, *arguments, **options)

    return make


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory, mock):
    """One for tests that only ask, and leave it as it was."""
    gateway = Gateway(tmp_path_factory.mktemp("shared"), mock.port).start()
    yield gateway
    gateway.stop()


def make_somebody(gateway, tmp_path, role):
    """Starts a gateway to which the user nobody has a role, and no other."""
    folder = tmp_path / "socket"
    folder.mkdir(mode=0o755)
    known = f"admin: {{ port: 0, socket: {folder}/fastgate.sock, socket_group: nogroup, operators: [ {{ user: nobody, role: {role} }} ] }}"
    gateway.config.write_text(gateway.config.read_text().replace("admin: { port: 0 }", known))
    gateway.start()


@contextlib.contextmanager
def somebody(gateway, monkeypatch):
    """Asks as that user: the socket knows its peer by the system's word."""
    monkeypatch.chdir(Path(gateway.socket).parent)
    connection = socket.socket(socket.AF_UNIX)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        connection.connect(Path(gateway.socket).name)
    finally:
        os.seteuid(0)
        os.setegid(0)

    def ask(method, path, body=""):
        connection.sendall(f"{method} /api/admin{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = HTTPResponse(connection, method=method)
        answer.begin()
        return answer.status, answer.read().decode()

    with connection:
        yield ask


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that only its own file vouches for."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(
        [*command.split(), "subjectAltName=IP:127.0.0.1,DNS:localhost", *files], check=True, capture_output=True
    )
    return tmp_path / "cert.pem", tmp_path / "key.pem"
