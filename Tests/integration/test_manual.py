"""The manual page names every command and option, and troff finds nothing wrong with it."""

import json
import re
import shutil
import subprocess

import pytest
from conftest import BINARY

PAGE = subprocess.run([BINARY, "docs", "man"], capture_output=True, text=True, check=True).stdout
DUMP = json.loads(subprocess.run([BINARY, "--experimental-dump-help"], capture_output=True, text=True, check=True).stdout)


def commands(command, path=()):
    for one in command.get("subcommands", []):
        if one["commandName"] != "help" and one["shouldDisplay"]:
            yield (*path, one["commandName"]), one
            yield from commands(one, (*path, one["commandName"]))


def test_every_command_and_option_is_in_it():
    plain = PAGE.replace("\\-", "-")
    found = list(commands(DUMP["command"]))
    assert len(found) > 60
    for path, command in found:
        assert re.search(rf"^\.SS {re.escape(' '.join(path))}( |$)", plain, re.M), path
        for argument in command.get("arguments", []):
            for name in argument.get("names", []):
                if argument["shouldDisplay"] and name["kind"] == "long":
                    assert f"--{name['name']}" in plain, (path, name)
    assert ".SH ENVIRONMENT" in plain and "FASTGATE_MASTER_KEY" in plain


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_troff_takes_it():
    shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-K", "utf8"], input=PAGE, capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stderr == "" and "rotate-master-key" in shown.stdout
