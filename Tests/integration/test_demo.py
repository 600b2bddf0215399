"""What a stranger runs first: the fake provider's keys and the demo in which they die and come back."""

import json
import os
import re
import signal
import subprocess

import pytest
from conftest import BINARY, Mock, http, wait_until


@pytest.fixture
def provider():
    made = []

    def make(*arguments):
        mock = Mock(*arguments)
        made.append(mock)

        def ask(key):
            return http("POST", f"http://127.0.0.1:{mock.port}/v1/chat/completions", {}, {"Authorization": f"Bearer {key}"})

        return ask

    yield make
    for mock in made:
        mock.stop()


def test_keys_of_the_fake_provider_fail_as_told(provider):
    limit = ["--throttle-key", "busy", "--throttle-requests", "2", "--throttle-seconds", "3600"]
    ask = provider("--reject-key", "gone", "--exhaust-key", "empty", *limit)
    assert ask("good").status == 200
    assert [(ask("gone").status, ask("gone").json["error"]["code"])] == [(401, "invalid_api_key")]
    assert [(ask("empty").status, ask("empty").json["error"]["code"])] == [(429, "insufficient_quota")]
    answers = [ask("busy") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[2].json["error"]["code"] == "rate_limit_exceeded"
    assert 3590 <= int(answers[2].headers["retry-after"]) <= 3600
    assert ask("good").status == 200


def test_a_throttled_key_returns_when_it_was_told_to(provider):
    ask = provider("--throttle-key", "busy", "--throttle-requests", "1", "--throttle-seconds", "1")
    assert ask("busy").status == 200
    answer = ask("busy")
    assert answer.status == 200 or answer.headers["retry-after"] == "1"
    wait_until(lambda: ask("busy").status == 200, what="the window's end")


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--throttle-requests", "0", "must be 1 or more"),
        ("--throttle-seconds", "0", "between 1 and 86400"),
        ("--throttle-seconds", "86401", "between 1 and 86400"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(option, value, why):
    refused = subprocess.run([BINARY, "mock-upstream", option, value], capture_output=True, text=True, timeout=20)
    assert refused.returncode != 0 and why in refused.stderr


def test_the_longest_window_is_taken(provider):
    ask = provider("--throttle-key", "busy", "--throttle-requests", "1", "--throttle-seconds", "86400")
    assert [ask("busy").status for _ in range(2)] == [200, 429]


def test_in_the_demo_keys_die_and_heal_and_no_caller_notices(tmp_path):
    demo = subprocess.Popen(
        [BINARY, "demo", "--no-console", "--port", "0", "--admin-port", "0", "--traffic", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        folder = re.search(r"data in (\S+) until", demo.stdout.readline())[1]

        wait_until(lambda: os.path.exists(f"{folder}/fastgate.sock"), timeout=20, what="the operators' socket")

        def command(*arguments):
            asked = [BINARY, *arguments, "--socket", f"{folder}/fastgate.sock", "--json"]
            done = subprocess.run(asked, capture_output=True, text=True, timeout=20)
            assert done.returncode == 0, done.stderr
            return done.stdout

        def states():
            return {key["name"]: key["state"] for key in json.loads(command("pool", "list"))["items"]}

        def are(**wanted):
            return wait_until(lambda: wanted.items() <= states().items(), timeout=40, interval=0.2, what=str(wanted))

        are(steady="active", spare="active", empty="exhausted", revoked="disabled")
        are(busy="cooling")
        are(busy="active")
        assert "/v2/chat/completions" in command("logs", "--filter", "status=200", "-n", "10")
        assert json.loads(command("logs", "--filter", "status=401 or status=429 or status=503", "-n", "10"))["items"] == []
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.stdout.close()
        assert demo.wait(20) == 0
    assert not os.path.exists(folder)
