"""Those who are told of things: a mail server, a webhook and a robot that checks its signature."""

import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class FreePort(Controller):
    """On whatever port the system gives."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Mailbox:
    """A mail server; `failures`: answers to the first messages, such as `451 later`; `refused`: who is not here."""

    def __init__(self, failures=(), refused=(), **options):
        self.failures = list(failures)
        self.messages, self.logins, self.tries = [], [], 0
        mailbox = self

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                if address in refused:
                    return "550 no such user"
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server, session, envelope):
                mailbox.tries += 1
                if mailbox.failures:
                    return mailbox.failures.pop(0)
                message = email.message_from_bytes(envelope.content, policy=email.policy.default)
                mailbox.messages.append((envelope.mail_from, envelope.rcpt_tos, message, envelope.content))
                return "250 OK"

        def authenticate(server, session, envelope, mechanism, data):
            if isinstance(data, LoginPassword):
                mailbox.logins.append((data.login.decode(), data.password.decode()))
            return AuthResult(success=mailbox.logins[-1][1] == "letmein")

        self.controller = FreePort(Handler(), hostname="127.0.0.1", port=0, authenticator=authenticate, **options)
        self.controller.start()
        self.port = self.controller.port

    def stop(self):
        self.controller.stop()


class Hook:
    """An HTTP server that keeps what it is posted; `answers`: a function of the number of the request."""

    def __init__(self, answers=lambda count: (200, {}, b"ok")):
        hook = self
        self.requests = []
        self.connections = 0
        self.answers = answers

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with hook.lock:
                    hook.requests.append((self.path, dict(self.headers), body, time.time()))
                    count = len(hook.requests)
                status, headers, answer = hook.answers(count)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                hook.connections += 1
                return super().get_request()

        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def is_signed(request, secret):
    """As docs/notifications.md says: `t=…,v1=hex(hmac_sha256(secret, t.body))`."""
    _, headers, body, _ = request
    parts = dict(part.split("=", 1) for part in headers["X-FastGate-Signature"].split(","))
    wanted = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts["v1"]) and abs(time.time() - int(parts["t"])) < 60


class Robot(Hook):
    """Stands in for DingTalk's: 200 to everything, and `errcode` says whether it was taken."""

    def __init__(self, secret, failures=0):
        self.secret, self.failures = secret, failures
        self.taken = []
        super().__init__(self.answer)
        self.hook_url = f"{self.url}/robot/send?access_token=robot-token-0001"

    def answer(self, count):
        path, _, body, moment = self.requests[count - 1]
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        stamp = query.get("timestamp", "0")
        digest = hmac.new(self.secret.encode(), f"{stamp}\n{self.secret}".encode(), hashlib.sha256).digest()
        is_good = query.get("sign") == base64.b64encode(digest).decode() and abs(time.time() * 1000 - int(stamp)) < 3_600_000
        if not is_good or query.get("access_token") != "robot-token-0001":
            return 200, {}, json.dumps({"errcode": 310000, "errmsg": "sign not match"}).encode()
        if self.failures > 0:
            self.failures -= 1
            return 200, {}, json.dumps({"errcode": -1, "errmsg": "system busy"}).encode()
        message = json.loads(body)
        assert message["msgtype"] == "markdown" and message["markdown"]["title"]
        self.taken.append((moment, message["markdown"]))
        return 200, {}, json.dumps({"errcode": 0, "errmsg": "ok"}).encode()
