"""The processes that are compared: each knows its address, its CPU time and how to stop."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for_port(port, timeout=20):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


class Side:
    """A proxy under test, or what it is compared with."""

    headers = {}

    def __init__(self, name, port, process=None):
        self.name, self.port, self.process = name, port, process
        self.url = f"http://127.0.0.1:{port}{self.path}"

    path = "/v2/chat/completions"

    def pids(self):
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def resident_bytes(self):
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE for pid in self.pids())

    def settle(self):
        """Returns once nothing that belongs to earlier requests is still to be done."""

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class MockBackend(Side):
    def __init__(self, binary):
        command = [str(binary), "mock-upstream", "--port", "0", "--record", "0", "--content-bytes", "350", "--tokens", "64"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        super().__init__("mock", int(process.stdout.readline().rsplit(":", 1)[1]), process)


class StreamBackend(Side):
    """Streams of the right pace from a provider that costs little, so that the cores are the proxy's."""

    def __init__(self, program, events, gap_ms):
        process = subprocess.Popen([str(program), str(events), str(gap_ms)], stdout=subprocess.PIPE, text=True)
        super().__init__("provider", int(process.stdout.readline().rsplit(":", 1)[1]), process)


class Direct(Side):
    """No proxy: what the others add is the difference to this."""

    def __init__(self, port):
        super().__init__("direct", port)

    def stop(self):
        pass


class Nginx(Side):
    def __init__(self, folder, backend, name="nginx"):
        port = free_port()
        folder = folder / name.replace(" ", "-")
        folder.mkdir()
        config = folder / "nginx.conf"
        config.write_text(
            f"""
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 1024; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location / {{
            proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; tcp_nodelay on;
        }}
    }}
}}
"""
        )
        process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
        wait_for_port(port)
        super().__init__(name, port, process)


class Envoy(Side):
    def __init__(self, binary, folder, backend):
        port = free_port()
        config = folder / "envoy.json"
        router = {"name": "envoy.filters.http.router",
                  "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in", "http_filters": [router], "generate_request_id": False,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}]}]},
        }
        address = lambda number: {"socket_address": {"address": "127.0.0.1", "port_value": number}}
        thresholds = [{"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}]
        config.write_text(json.dumps({"static_resources": {
            "listeners": [{"address": address(port), "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [{"name": "backend", "type": "STATIC", "circuit_breakers": {"thresholds": thresholds},
                          "load_assignment": {"cluster_name": "backend", "endpoints": [
                              {"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}]}}],
        }}))
        command = [str(binary), "-c", str(config), "--concurrency", "2", "--log-level", "error", "--disable-hot-restart"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port)
        super().__init__("envoy", port, process)


class FastGate(Side):
    path = "/proxy/miniai/v2/chat/completions"

    def __init__(self, name, binary, folder, backend, audit):
        home = folder / name.replace(" ", "-")
        home.mkdir()
        keys = "".join(f"\n      - {{ name: k{n}, value: provider-key-{n:04} }}" for n in range(8))
        # Windows that are counted and never full.
        limits = {f"requests_per_{window}": 1_000_000_000 for window in ("minute", "hour", "day")}
        (home / "fastgate.yaml").write_text(
            f"""
server: {{ host: 127.0.0.1, port: 0 }}
admin: {{ port: 0 }}
audit: {{ mode: {audit} }}
upstreams:
  - slug: miniai
    base_url: http://127.0.0.1:{backend}
    strip_headers: [host, x-api-key, authorization, x-forwarded-for]
    limits: {json.dumps(limits)}
    keys:{keys}
"""
        )
        self.log = home / "log"
        process = subprocess.Popen(
            [str(binary), "serve", "--config", str(home / "fastgate.yaml")], stderr=self.log.open("w")
        )
        ready = self._ready(process)
        self.admin = f"http://127.0.0.1:{ready['admin_port']}/api/admin"
        self.token = (home / "data/admin.token").read_text().strip()
        key = self.ask("/client-keys", {"name": "bench", "owner": "bench", "limits": limits})["key"]
        self.headers = {"X-API-Key": key}
        super().__init__(name, int(ready["port"]), process)

    def _ready(self, process):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            for line in self.log.read_text().splitlines():
                fields = json.loads(line)
                if fields["message"] == "ready":
                    return fields
            time.sleep(0.02)
        raise RuntimeError(self.log.read_text())

    def ask(self, path, body=None):
        request = urllib.request.Request(
            self.admin + path,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return json.load(urllib.request.urlopen(request, timeout=20))

    def settle(self):
        while (audit := self.ask("/status")["audit"])["pending"] > 0:
            time.sleep(0.05)
        assert audit["dropped"] == 0, audit
