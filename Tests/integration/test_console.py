"""The console, attached and in process, in a real terminal."""

import base64
import fcntl
import http.client as http_client
import json
import os
import re
import signal
import termios
import threading
import time

import pytest
from conftest import BINARY, BOTH_SIZES, http, wait_until
from terminal import Terminal, children, cpu_seconds

KEY = re.compile(r"fg_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def serving(make_gateway, terminals):
    """A gateway that was started on a terminal, with its console."""

    def make(**options):
        gateway = make_gateway(start=False)
        gateway.config.write_text(gateway.config.read_text().replace("admin: { port: 0 }", "admin: { port: 0, socket: data/fastgate.sock }"))
        terminal = terminals(
            "serve", "--config", gateway.config, cwd=str(gateway.folder),
            environment={"PROVIDER_KEY": "sk-real"}, **options,
        )
        terminal.wait_for("serving", timeout=20)
        log = gateway.folder / "data" / "fastgate.log"
        gateway.socket = str(gateway.folder / "data" / "fastgate.sock")
        # The console looks at the gateway from inside, and may be there before the operators' socket is.
        wait_until(lambda: gateway.command("status", check=False).returncode == 0, what="the operators' socket")
        status = json.loads(gateway.command("status", "--json").stdout)
        gateway.port = int(status["address"].rsplit(":", 1)[1])
        gateway.process = None
        return gateway, terminal, log

    return make


def new_key(terminal, name):
    """Creates a key as an operator does, and reads it from the screen."""
    terminal.press("4")
    terminal.wait_for("CLIENT")
    terminal.press("n")
    terminal.wait_for("New client key")
    for letter in name:
        terminal.press(letter)
    terminal.press("Ctrl-S")
    terminal.wait_for(lambda: KEY.search(terminal.text), what="the key")
    return KEY.search(terminal.text).group()


# -- Steering


@BOTH_SIZES
def test_what_runs_is_seen_read_and_cut_off(gateway, attach, size):
    key = gateway.key("talker")
    ended = []
    body = {"model": "mock-1", "messages": [], "stream": True}

    def call():
        try:
            ended.append(gateway.chat(key, body, {"X-Mock-Tokens": "100000"}).body)
        except http_client.HTTPException as error:
            ended.append(getattr(error, "partial", b""))

    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for("serving")
    terminal.press("2")
    terminal.wait_for("nothing is in flight")
    caller = threading.Thread(target=call)
    caller.start()
    terminal.wait_for("talker")
    terminal.wait_for("answering")
    terminal.press("Enter")
    # The words of the model, not the events.
    terminal.wait_for(lambda: "The gate is open" in terminal.text and "choices" not in terminal.text, what="its words")
    terminal.press("t")
    terminal.wait_for('"choices"')
    terminal.press("X")
    terminal.wait_for("Cut off the request of talker")
    terminal.press("y")
    terminal.wait_for("cut off the request of “talker”")
    caller.join(10)
    assert b"operator_cut" in ended[0]
    terminal.wait_for("operator_cut")
    assert gateway.logs(1)[0]["error"] == "operator_cut"
    terminal.press("Esc")
    terminal.wait_for("nothing is in flight")
    (change,) = [one for one in gateway.admin("GET", "/operators/audit").json["items"] if one["action"] == "cut"]
    assert change["object"] == "exchange"


@BOTH_SIZES
def test_a_key_made_in_the_console_works_at_once(gateway, attach, size):
    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for("serving")
    key = new_key(terminal, "lab")
    assert gateway.chat(key).status == 200
    terminal.press("y")
    terminal.wait_for("copied")
    assert base64.b64encode(key.encode()) in terminal.raw
    terminal.press("Esc")
    terminal.wait_for(lambda: key not in terminal.text, what="the key's going")
    # It is disabled and enabled again by undo.
    terminal.press("d")
    terminal.wait_for("u undoes it")
    assert gateway.chat(key).status == 401
    terminal.press("u")
    terminal.wait_for("taken back: disabled “lab”")
    assert gateway.chat(key).status == 200
    terminal.press("q")
    assert terminal.wait_end() == 0
    assert terminal.is_restored()


@BOTH_SIZES
def test_logs_follow_pause_filter_and_open(gateway, attach, size):
    key = gateway.key("caller")
    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for("serving")
    terminal.press("3")
    terminal.wait_for("no request yet")
    assert gateway.chat(key).status == 200
    started = time.monotonic()
    terminal.wait_for("200   " if size[0] > 100 else "200")
    assert time.monotonic() - started < 1.5
    terminal.press("p")
    terminal.wait_for("paused")
    for _ in range(3):
        gateway.chat(key, headers={"X-Mock-Status": "500"})
    terminal.wait_for("+3 new")
    terminal.press("G")
    terminal.wait_for("following")
    terminal.press("/")
    for letter in "status>=400 and path:chat":
        terminal.press(letter)
    terminal.press("Enter")
    terminal.wait_for(lambda: "● 200" not in terminal.text and "✖ 500" in terminal.text, what="the filter")
    terminal.press("Enter")
    terminal.wait_for("Request id")
    terminal.press("Enter", "G")
    terminal.wait_for("Response body")
    terminal.press("g", "y")
    terminal.wait_for("copied")
    assert b"\x1b]52;c;" in terminal.raw
    # Esc goes back a level at a time, and never out.
    terminal.press("Esc", "Esc", "Esc", "Esc", "Esc")
    terminal.wait_for("● 200")


@BOTH_SIZES
def test_the_dashboard_reads_a_value_and_its_time(gateway, attach, size):
    key = gateway.key("caller")
    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for("Requests / s")
    for _ in range(5):
        gateway.chat(key)
    terminal.wait_for(lambda: re.search(r"[1-9]\S* now", terminal.text), what="a rate")
    terminal.press("Left", "Left")
    terminal.wait_for(lambda: re.search(r"at \d\d:\d\d:\d\d", terminal.text), what="the cursor's time")
    terminal.press("]")
    terminal.wait_for("1h")
    terminal.press("<")
    terminal.wait_for("until")
    terminal.press("Esc")
    terminal.wait_for("now")
    terminal.press(":")
    terminal.wait_for("Command")
    for letter in "system":
        terminal.press(letter)
    terminal.press("Enter")
    terminal.wait_for("Who changed what")
    terminal.press("?")
    terminal.wait_for("Keys in System")
    terminal.press("Esc")


def test_the_filter_is_followed_by_the_charts(gateway, attach):
    """A filter that has no series of its own is counted from the audit."""
    key = gateway.key("caller")
    gateway.chat(key)
    gateway.chat(key, headers={"X-Mock-Status": "500"})
    gateway.logs(2)
    query = "/dashboard?filter=status%3E%3D500%20and%20path:chat"
    wait_until(lambda: gateway.admin("GET", query).json["requests"] == 1, what="the filtered count")
    wait_until(lambda: gateway.admin("GET", "/dashboard").json["requests"] == 2, what="the whole count")

    def total(path, field):
        # The second at hand is shown once it is over.
        return sum(point[field] for point in gateway.admin("GET", path).json["points"])

    charts = "/dashboard/charts?filter=status%3E%3D500"
    wait_until(lambda: total(charts, "requests") == 1 and total(charts, "errors") == 1, what="the filtered chart")
    series = "/dashboard/series?metric=requests&filter=status:200"
    wait_until(lambda: total(series, "value") == 1, what="the filtered series")


# -- Several at once


def test_several_consoles_and_one_that_only_reads(gateway, attach):
    first, second = attach(), attach()
    third = attach("--read-only")
    for terminal in (first, second, third):
        terminal.wait_for("3 operators")
    third.wait_for("READ-ONLY")
    new_key(first, "shared")
    second.press("4")
    second.wait_for("shared")
    third.press("4")
    third.wait_for("shared")
    third.press("n")
    third.wait_for("this console is read-only")
    for command in "dXDRe":
        third.press(command)
        third.settle(0.05)
    assert gateway.admin("GET", "/client-keys").json["items"][0]["enabled"]
    third.press("q")
    assert third.wait_end() == 0
    first.press("Esc", "Esc", "0")
    first.wait_for(lambda: "2 operators" in first.text, what="the leaving")


def test_settings_stay_with_their_operator(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    terminal.press("F")
    terminal.press("\x1bOR")
    terminal.wait_for("high-contrast")
    for letter in "light":
        terminal.press(letter)
    terminal.press("Enter")
    wait_until(lambda: gateway.admin("GET", "/operators/me/settings").status == 200)
    wait_until(lambda: "light" in gateway.command("status", "--json").stdout or _saved(gateway), what="the settings")


def _saved(gateway):
    import sqlite3

    with sqlite3.connect(gateway.folder / "data" / "config.db") as database:
        return any("light" in row[0] for row in database.execute("SELECT settings FROM operator_settings"))


# -- Terminals that go, stall and change


def test_a_connection_that_drops_ends_the_console(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    watched = [terminal.pid, *children(terminal.pid)]
    assert len(watched) == 2
    terminal.close()
    started = time.monotonic()
    terminal.wait_end(2)
    assert time.monotonic() - started < 1
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in watched), timeout=1, what="both to end")
    assert gateway.admin("GET", "/status").status == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_sane_after_any_death(gateway, attach, number):
    terminal = attach()
    terminal.wait_for("serving")
    os.kill(children(terminal.pid)[0], number)
    terminal.wait_end()
    terminal.settle()
    assert terminal.is_restored()


def test_the_parent_and_the_console_end_together(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    child = children(terminal.pid)[0]
    os.kill(terminal.pid, signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), timeout=2, what="the console's end")
    terminal.settle()
    assert terminal.is_restored()


def test_the_parent_keeps_only_the_code_that_it_runs(gateway, attach):
    def code(pid):
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssFile"))

    terminal = attach()
    terminal.wait_for("serving")
    assert code(terminal.pid) < code(children(terminal.pid)[0]) / 3
    # What it still runs is read again: it gives the terminal back.
    os.kill(children(terminal.pid)[0], signal.SIGKILL)
    terminal.wait_end()
    terminal.settle()
    assert terminal.is_restored()


def test_it_stops_for_the_shell_and_comes_back(gateway, terminals):
    shell = Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], environment={"PS1": "ready> "})
    try:
        shell.wait_for("ready>")
        os.write(shell.master, f"{BINARY} console --socket {gateway.socket}\r".encode())
        shell.wait_for("serving")
        shell.press("Ctrl-Z")
        shell.wait_for("Stopped")
        os.write(shell.master, b"echo $((40 + 2))\r")
        shell.wait_for("42")
        shell.screen.reset()
        os.write(shell.master, b"fg\r")
        shell.wait_for("serving")
        shell.screen.reset()
        shell.press("q")
        shell.wait_for("ready>")
    finally:
        shell.kill()


def test_a_terminal_that_nobody_reads_holds_nobody_up(gateway, attach):
    key = gateway.key("caller")
    terminal = attach()
    terminal.wait_for("serving")
    terminal.press("3")
    deadline = time.monotonic() + 6
    count = 0
    while time.monotonic() < deadline:
        assert gateway.chat(key).status == 200
        count += 1
    assert count > 100
    assert gateway.chat(key, path="/the-last-one").status in (200, 404)
    # What was missed is caught up with at once.
    terminal.wait_for(lambda: "the-last-one" in terminal.text and "following" in terminal.text)
    assert gateway.admin("GET", "/status").json["audit"]["dropped"] == 0
    terminal.press("q")
    assert terminal.wait_end() == 0


def test_a_terminal_that_answers_no_more_is_sent_nothing_more(gateway, attach):
    key = gateway.key("caller")
    terminal = attach()
    terminal.wait_for("serving")
    terminal.press("3")
    terminal.wait_for("following")
    assert b"\x1b[5n" in terminal.raw

    def serve(seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert gateway.chat(key).status == 200
            terminal.pump(0.005)

    # As one behind a connection that has stalled: what is sent is taken, and nobody sees it.
    answer, terminal.screen.answer = terminal.screen.answer, None
    serve(6.5)
    before = terminal.bytes
    serve(3)
    assert terminal.bytes - before <= 8
    assert gateway.chat(key, path="/the-last-one").status in (200, 404)
    terminal.screen.answer = answer
    answer(b"\x1b[0n")
    terminal.wait_for(lambda: "the-last-one" in terminal.text and "following" in terminal.text)
    terminal.press("q")
    assert terminal.wait_end() == 0
    # No answer is left for the shell to take for something typed.
    assert fcntl.ioctl(terminal.slave, termios.FIONREAD, b"\0" * 4) == b"\0" * 4


def test_a_file_of_keys_is_imported(gateway, attach, tmp_path):
    file = tmp_path / "keys.csv"
    file.write_text("upstream,name,key_value\nminiai,first,sk-one-000001\nminiai,,sk-two-000002\n")
    terminal = attach()
    terminal.press("5")
    terminal.wait_for("sk-…0001")
    for answer, end in [("Esc", None), ("y", "1 key imported, 1 left out")]:
        terminal.press("i")
        terminal.wait_for("Import upstream keys")
        for letter in str(file):
            terminal.press(letter)
        terminal.press("Ctrl-S")
        terminal.wait_for("Import 1 key")
        assert "name must not be empty" in terminal.text
        terminal.press(answer)
        if end:
            terminal.wait_for(end)
        # What was said of the rows lies below the question.
        terminal.wait_for(lambda: "Import 1 key" not in terminal.text)
        terminal.press("Esc")
        terminal.wait_for(lambda: "Import upstream keys" not in terminal.text and "that do not hold" not in terminal.text)
    names = [key["name"] for key in gateway.admin("GET", "/keys").json["items"]]
    assert "first" in names and len(names) == 2


def test_a_storm_of_sizes(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    sizes = [(20, 3), (300, 100), (1, 1), (80, 24), (19, 2), (120, 40), (39, 8), (60, 20), (200, 60)]
    for _ in range(20):
        for columns, lines in sizes:
            terminal.resize(columns, lines)
            terminal.pump(0)
    terminal.resize(100, 30)
    terminal.screen.reset()
    terminal.press("Ctrl-L")
    terminal.wait_for(lambda: "serving" in terminal.lines[0] and "filter" in terminal.lines[29], what="a whole screen")


# -- In process


def test_serving_on_a_terminal_opens_the_console(serving):
    gateway, terminal, log = serving()
    assert gateway.command("status").returncode == 0
    # The log is in a file, and SIGHUP is a reload, never an end.
    os.kill(terminal.pid, signal.SIGHUP)
    wait_until(lambda: "reloaded" in log.read_text(), what="the reload")
    key = new_key(terminal, "lab")
    assert gateway.chat(key).status == 200
    terminal.press("Esc", "Esc", "Ctrl-Z")
    terminal.wait_for("would keep callers waiting")
    terminal.press("Ctrl-C")
    terminal.wait_for("Stop the gateway")
    terminal.press("Enter")
    terminal.press("q")
    terminal.wait_for("Stop the gateway")
    terminal.press("c")
    terminal.wait_for("serves on")
    assert gateway.chat(key).status == 200
    assert terminal.is_restored()
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait_end(10) == 0


def test_the_gateway_is_stopped_from_its_console(serving):
    gateway, terminal, _ = serving()
    terminal.press("q")
    terminal.wait_for("Stop the gateway")
    terminal.press("S")
    assert terminal.wait_end(10) == 0
    assert terminal.is_restored()


def test_a_lost_terminal_keeps_serving(serving):
    gateway, terminal, _ = serving()
    key = new_key(terminal, "lab")
    terminal.close()
    assert gateway.chat(key).status == 200
    before = cpu_seconds(terminal.pid)
    started = time.monotonic()
    for _ in range(20):
        assert gateway.chat(key).status == 200
    wait_until(lambda: time.monotonic() - started > 2, what="two seconds")
    assert (cpu_seconds(terminal.pid) - before) / (time.monotonic() - started) < 0.3
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.wait_end(10)


def test_a_stop_with_the_console_open_restores_the_terminal(serving):
    _, terminal, _ = serving()
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait_end(10) == 0
    assert terminal.is_restored()


# -- Terminals of every kind


@pytest.mark.parametrize("term", ["xterm-256color", "screen-256color", "linux", "vt100", "xterm-ghostty", "xterm-kitty", "dumb", None])
@pytest.mark.parametrize("locale", [{"LANG": "C"}, {"LANG": "C.UTF-8"}, {"LANG": "en_US.UTF-8"}, {"LANG": "C.UTF-8", "NO_COLOR": "1"}])
def test_every_terminal_is_drawn_on_or_told(gateway, attach, term, locale):
    terminal = attach(environment={"TERM": term, "LANG": None, **locale}, columns=80, lines=24)
    if term in ("dumb", None):
        terminal.wait_for(lambda: "a line a second" in terminal.text and "success" in terminal.text, what="plain lines")
        assert "\x1b" not in terminal.raw.decode()
        terminal.press("Ctrl-C")
        return
    terminal.wait_for("serving")
    terminal.wait_for("Requests / s")
    if locale["LANG"] == "C" or term in ("linux", "vt100"):
        assert all(byte < 0x80 for byte in terminal.raw)
    if "NO_COLOR" in locale or term == "vt100":
        assert not re.search(rb"\x1b\[(38;5;|[34][0-7]m)", terminal.raw)
    for pane in "3401":
        terminal.press(pane)
    terminal.wait_for("Needs a look")
    terminal.press("q")
    assert terminal.wait_end() == 0


@pytest.mark.parametrize("size", [(20, 3), (30, 5), (40, 8), (60, 20), (79, 23), (200, 60), (300, 100)])
def test_every_size_is_usable(gateway, attach, size):
    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for(lambda: "serving" in terminal.text or "/s" in terminal.text, what="figures")
    terminal.press("4", "n")
    terminal.settle(0.1)
    terminal.press("Esc", "q")
    assert terminal.wait_end() == 0
    assert terminal.is_restored()


# -- Hostile text


def test_nothing_that_others_wrote_reaches_the_terminal_as_control(gateway, attach):
    key = gateway.key("caller")
    hostile = "".join(chr(value) for value in [*range(1, 32), *range(0x7F, 0xA0)])
    hostile += "\x1b]52;c;SGFja2Vk\x07\x1b]0;title\x07\x1b[2J\u202e\u200b\u2028日本👩\u200d💻e\u0301"
    body = {"model": hostile, "messages": [{"role": "user", "content": hostile}]}
    assert gateway.chat(key, json.dumps(body, ensure_ascii=False).encode()).status == 200
    gateway.logs(1)
    terminal = attach()
    terminal.wait_for("serving")
    terminal.settle()
    allowed = re.compile(
        rb"\x1b(\[[?>]?[0-9;]*[A-Za-z]|[()][0AB]|[=>78M]|\]52;c;[A-Za-z0-9+/=]*\x07)|[\r\n\x08]"
    )
    for keys in (["3"], ["Enter"], ["Enter"], ["G"], ["g", "PgDn", "y"], ["Esc", "Esc", "1"]):
        terminal.press(*keys)
        terminal.settle()
        rest = allowed.sub(b"", bytes(terminal.raw))
        strange = [byte for byte in rest if byte < 0x20 or byte == 0x7F]
        assert not strange, [rest[max(0, place - 20) : place + 60] for place, byte in enumerate(rest) if byte < 0x20][:5]
        text = rest.decode()
        assert not [character for character in text if 0x80 <= ord(character) < 0xA0 or character in "\u202e\u200b\u2028"]
        assert b"SGFja2Vk\x07" not in terminal.raw and b"\x1b]0;" not in terminal.raw
        # No line is pushed out of its place: the frame's right end stays.
        assert re.search(r"\d\d:\d\d:\d\d$", terminal.lines[0].rstrip()), terminal.lines[0]


def test_colours_go_as_far_as_asked(gateway, attach):
    terminal = attach(environment={"TERM": "xterm-256color"})
    terminal.wait_for("serving")
    assert b"\x1b[38;5;111m" in terminal.raw


def test_an_edited_theme_shows_at_once(gateway, attach, tmp_path):
    folder = tmp_path / "themes"
    folder.mkdir()
    theme = folder / "mine.yaml"
    theme.write_text("name: mine\ninherits: dark\npalette: { accent: 201 }\n")
    terminal = attach("--theme", "mine", environment={"FASTGATE_THEMES": str(folder)})
    terminal.wait_for("serving")
    assert b"\x1b[38;5;201m" in terminal.raw
    theme.write_text("name: mine\ninherits: dark\npalette: { accent: 46 }\n")
    terminal.wait_for(lambda: b"\x1b[38;5;46m" in terminal.raw, what="the new colour")
    theme.write_text("name: mine\ninherits: dark\npalette: { accent: nonsense }\n")
    terminal.wait_for("mine.yaml:3: nonsense is no colour")


def test_without_a_gateway_it_says_so(terminals, tmp_path):
    terminal = terminals("console", "--socket", str(tmp_path / "none.sock"))
    assert terminal.wait_end() == 1
    assert "no gateway answers at" in terminal.text.replace("\n", "")


def test_a_gateway_that_comes_back_is_found_again(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    gateway.stop()
    terminal.wait_for("gateway gone")
    gateway.start()
    terminal.wait_for("serving", timeout=15)
    assert http("GET", gateway.url("/health")).status == 200
