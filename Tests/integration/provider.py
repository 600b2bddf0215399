"""A provider that answers by key, and remembers what it was asked."""

import collections
import http.server
import json
import threading
import time


class Provider:
    """`answers`: a function of the key and the request's number with it, giving status, headers, body and a delay.

    `probe`: a function of the key and the path, giving the status of a GET.
    """

    def __init__(self, answers, probe=lambda key, path: 404):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                key = self.headers.get("authorization", "").removeprefix("Bearer ")
                with provider.lock:
                    provider.counts[key] += 1
                    count = provider.counts[key]
                    provider.ids[self.headers.get("x-request-id")] += 1
                status, headers, answer, delay = answers(key, count, body)
                time.sleep(delay)
                if status is None:
                    self.close_connection = True
                    return
                answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "content-length" not in headers:
                    self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                # A length that was promised and not kept.
                self.close_connection = "content-length" in headers

            def do_GET(self):
                key = self.headers.get("authorization", "").removeprefix("Bearer ")
                status = provider.probe(key, self.path)
                with provider.lock:
                    provider.probes[key] += 1
                answer = (provider.probe_body or json.dumps({"you_sent": key, "status": status})).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self.lock = threading.Lock()
        self.probe = probe
        self.probe_body = None
        self.counts = collections.Counter()
        self.probes = collections.Counter()
        self.ids = collections.Counter()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


GOOD = (200, {"content-type": "application/json"}, {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}, 0)


def error(status, code="", headers=None, delay=0):
    body = {"error": {"message": code or "told to fail", "type": code, "code": code}}
    return status, {"content-type": "application/json", **(headers or {})}, body, delay
