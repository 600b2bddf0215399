"""Backends with names: several addresses, addresses no backend may have, and names that are not there.

The names stand in a hosts file that only the gateway under test sees, in a mount namespace of its own.
"""

import os
import shutil
import subprocess

import pytest
from conftest import BINARY, Gateway, http

HOSTS = """
127.0.0.1 localhost
::1 two.test
127.0.0.1 two.test
169.254.169.254 metadata.test
100.100.100.200 mixed.test
127.0.0.1 mixed.test
"""


def can_isolate():
    command = ["unshare", "--mount", "true"]
    return os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def named(tmp_path, mock):
    if not can_isolate():
        pytest.skip("needs root for a mount namespace")
    (tmp_path / "hosts").write_text(HOSTS)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    script = tmp_path / "fastgate"
    script.write_text(
        f"""#!/bin/sh
exec unshare --mount sh -c 'mount --bind {tmp_path}/hosts /etc/hosts && mount --bind {tmp_path}/resolv.conf \
/etc/resolv.conf && exec {BINARY} "$@"' sh "$@"
"""
    )
    script.chmod(0o755)
    folder = tmp_path / "g"
    folder.mkdir()
    names = ["two.test", "metadata.test", "mixed.test", "missing.test"]
    upstreams = "".join(f"  - {{ slug: {n.split('.')[0]}, base_url: 'http://{n}:{mock.port}' }}\n" for n in names)
    gateway = Gateway(folder, mock.port, upstream=upstreams, binary=str(script))
    mock.forget()
    yield gateway.start()
    gateway.stop()


def ask(gateway, key, slug):
    return http("POST", gateway.url(f"/proxy/{slug}/v2/chat/completions"), {"model": "m"}, {"X-API-Key": key})


def test_an_address_that_refuses_is_followed_by_the_next(named):
    key = named.key()
    for _ in range(3):
        assert ask(named, key, "two").status == 200


def test_a_name_that_leads_to_a_metadata_address_is_not_connected(named, mock):
    key = named.key()
    answer = ask(named, key, "metadata")
    assert answer.status == 502
    record = named.logs(1)[0]
    assert "metadata" in named.detail(record)["attempts_detail"][0]["error"]
    # Beside an allowed address the forbidden one is left out.
    assert ask(named, key, "mixed").status == 200


def test_a_name_that_is_not_there_is_an_answer_of_its_own(named):
    answer = ask(named, named.key(), "missing")
    assert answer.status == 502 and answer.json["error"]["code"] == "upstream_error"
