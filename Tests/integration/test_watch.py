"""An answer is watched while it is generated, by those who may, and the caller notices nothing."""

import http.client
import json
import subprocess
import threading
import urllib.request

from conftest import BINARY, REAL_KEY, Answer, wait_until


class Caller:
    """Asks for a stream of so many tokens, one every so many milliseconds."""

    def __init__(self, gateway, key, tokens=40, gap=25, **headers):
        headers = {"X-Mock-Tokens": str(tokens), "X-Mock-Gap-Ms": str(gap), **headers}
        body = {"model": "m", "stream": True, "messages": []}
        self.answer = None
        self.thread = threading.Thread(target=self.work, args=(gateway, key, body, headers))
        self.thread.start()

    def work(self, gateway, key, body, headers):
        try:
            self.answer = gateway.chat(key, body, headers)
        except http.client.IncompleteRead as error:
            # One that is cut off ends without its last chunk.
            self.answer = Answer(200, {}, error.partial)

    def end(self):
        self.thread.join()
        return self.answer


def running(gateway, **fields):
    def one():
        items = gateway.admin("GET", "/exchanges").json["items"]
        return next((item for item in items if all(item[name] == value for name, value in fields.items())), None)

    return wait_until(one, what="an exchange in flight")


def pieces(gateway, exchange, timeout=10):
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.admin_port}/api/admin/exchanges/{exchange}/stream",
        headers={"Authorization": f"Bearer {gateway.token}"},
    )
    with urllib.request.urlopen(request, timeout=timeout) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def test_an_answer_is_seen_as_it_is_generated(gateway):
    caller = Caller(gateway, gateway.key())
    exchange = running(gateway)
    seen = list(pieces(gateway, exchange["id"]))
    answer = caller.end()
    assert answer.status == 200
    text = "".join(piece["text"] for piece in seen)
    # All of it, in pieces, while it came.
    assert text == answer.body.decode() and text.endswith("data: [DONE]\n\n")
    assert len([piece for piece in seen if piece["text"]]) >= 5
    assert [piece["ended"] for piece in seen] == [False] * (len(seen) - 1) + [True]
    last = seen[-1]
    assert last["error"] is None and last["exchange"]["status"] == 200 and last["left_out"] == 0
    ages = [piece["exchange"]["age_ms"] for piece in seen]
    assert ages == sorted(ages)
    assert gateway.admin("GET", f"/exchanges/{exchange['id']}/stream").status == 404


def test_by_command_as_words(gateway):
    caller = Caller(gateway, gateway.key())
    exchange = running(gateway)
    shown = gateway.command("exchanges", "watch", str(exchange["id"]))
    answer = caller.end()
    said = ""
    for line in answer.body.decode().splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                said += choice["delta"].get("content") or ""
    assert said and shown.stdout == said and "ended: 200" in shown.stderr
    gone = gateway.command("exchanges", "watch", "1", check=False)
    assert gone.returncode == 1 and "in the log" in gone.stderr


def test_one_that_is_cut_says_so_and_who_leaves_holds_nobody_up(gateway):
    caller = Caller(gateway, gateway.key(), tokens=400)
    exchange = running(gateway)
    watching = pieces(gateway, exchange["id"])
    assert next(watching)["exchange"]["id"] == exchange["id"]
    watching.close()
    command = subprocess.Popen(
        [BINARY, "exchanges", "watch", str(exchange["id"]), "--socket", gateway.socket],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert command.stdout.read(5)
    assert gateway.admin("DELETE", f"/exchanges/{exchange['id']}").status == 204
    _, told = command.communicate(timeout=10)
    assert "operator_cut" in told
    assert b"operator_cut" in caller.end().body
    assert gateway.logs(1)[0]["error"] == "operator_cut"


def test_what_comes_is_shown_and_what_was_before_as_far_as_it_is_kept(make_gateway):
    gateway = make_gateway(extra="audit: { max_body_bytes: 1000 }\n")
    caller = Caller(gateway, gateway.key(), tokens=80)
    exchange = running(gateway)
    wait_until(lambda: running(gateway)["bytes_out"] > 3000, what="more than is kept")
    seen = list(pieces(gateway, exchange["id"]))
    body = caller.end().body
    text = "".join(piece["text"] for piece in seen).encode()
    assert text[:1000] == body[:1000] and seen[-1]["left_out"] == len(body) - len(text) > 0
    # After the gap it goes on with a whole line, to the end.
    rest = text[1000:]
    assert len(rest) > 3000 and body.endswith(rest) and body[: -len(rest)].endswith(b"\n")
    # Of what nobody keeps nothing is shown.
    silent = make_gateway(extra="audit: { bodies: false }\n", folder="silent")
    caller = Caller(silent, silent.key())
    seen = list(pieces(silent, running(silent)["id"]))
    assert caller.end().status == 200
    assert "".join(piece["text"] for piece in seen) == "" and seen[-1]["exchange"]["stream_chunks"] > 30


def test_a_hundred_watchers_of_one_answer(gateway):
    caller = Caller(gateway, gateway.key(), tokens=60, gap=30)
    exchange = running(gateway)
    texts, threads = [], []
    for _ in range(100):
        thread = threading.Thread(
            target=lambda: texts.append("".join(piece["text"] for piece in pieces(gateway, exchange["id"], 30)))
        )
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    body = caller.end().body.decode()
    assert texts == [body] * 100 and REAL_KEY not in body


def test_a_long_answer_is_seen_whole(make_gateway):
    """More than what is looked at again each time."""
    gateway = make_gateway(extra="audit: { max_body_bytes: 4194304 }\n")
    caller = Caller(gateway, gateway.key(), tokens=2000, gap=2)
    seen = list(pieces(gateway, running(gateway)["id"], 30))
    body = caller.end().body.decode()
    assert len(body) > 200_000 and "".join(piece["text"] for piece in seen) == body
