"""Scripts and header rules in the console, in a real terminal, up to what the provider receives."""

import os
import re

from conftest import BOTH_SIZES

STAMP = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d")


def received(mock):
    return {name.lower(): value for name, value in mock.received()[-1]["headers"]}


def type_text(terminal, text):
    for letter in text:
        terminal.press(letter)


@BOTH_SIZES
def test_a_header_set_in_the_console_reaches_the_provider(gateway, mock, attach, size):
    key = gateway.key()
    mock.forget()
    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for("serving")
    terminal.press("6")
    terminal.wait_for("miniai")
    for name, kinds, script in [
        ("X-Timestamp", 1, "return new Date().toISOString();"),
        ("X-Python-Time", 2, "from datetime import datetime; result = datetime.now().isoformat()"),
    ]:
        terminal.press("h")
        terminal.wait_for("Headers that miniai is sent")
        terminal.press("n")
        terminal.wait_for("New header of miniai")
        type_text(terminal, name)
        terminal.press("Tab", *["Right"] * kinds, "Tab", "Tab")
        type_text(terminal, script)
        terminal.press("Ctrl-S")
        terminal.wait_for(f"is sent “{name}” from now on")
        terminal.press("Esc")
    seen = set()
    for _ in range(5):
        assert gateway.chat(key).status == 200
        headers = received(mock)
        assert STAMP.match(headers["x-timestamp"]) and STAMP.match(headers["x-python-time"])
        seen |= {headers["x-timestamp"], headers["x-python-time"]}
    assert len(seen) == 10


@BOTH_SIZES
def test_a_script_is_typed_pasted_mended_and_saved(gateway, mock, attach, size):
    """Type, paste 200 lines, undo, run, fix an error, save, and see it on the next request."""
    key = gateway.key()
    mock.forget()
    terminal = attach(columns=size[0], lines=size[1])
    terminal.wait_for("serving")
    terminal.press("8")
    terminal.wait_for("new script · JavaScript")
    terminal.press("n")
    terminal.wait_for("typing")
    type_text(terminal, "new Dat().toISOString();")
    terminal.wait_for("return new Dat().toISOString();")
    terminal.paste("".join(f"    // line {number}\n" for number in range(200)))
    terminal.wait_for("line 202 of 203")
    terminal.press("Ctrl-Z")
    terminal.wait_for("line 2 of 3")
    # As one step, and what was typed before is still there.
    assert "return new Dat().toISOString();" in terminal.text

    terminal.press("Ctrl-T")
    terminal.wait_for("line 2, column")
    assert "ReferenceError" in terminal.text
    assert any(line.startswith("✖   2 return") for line in terminal.lines)
    # To the name that was mistyped, and on behind it.
    terminal.press("Ctrl-F")
    type_text(terminal, "dat(")
    terminal.wait_for("1 of 1")
    terminal.press("Esc", "Right", "Right", "Right", "e")
    terminal.wait_for("return new Date().toISOString();")
    terminal.press("Ctrl-T")
    terminal.wait_for(lambda: STAMP.search(terminal.text), what="the value")

    terminal.press("Ctrl-S")
    terminal.wait_for("Save into a header rule")
    terminal.press("Tab")
    type_text(terminal, "X-Stamp")
    terminal.press("Ctrl-S")
    terminal.wait_for("is sent “X-Stamp” from now on")
    terminal.wait_for("X-Stamp of miniai")
    assert gateway.chat(key).status == 200
    assert STAMP.match(received(mock)["x-stamp"])

    # What is saved again is live at once, and can be taken back.
    terminal.press("Ctrl-End", "Backspace")
    type_text(terminal, " // mended")
    terminal.wait_for("not saved")
    terminal.press("Ctrl-S")
    terminal.wait_for("saved “X-Stamp”")
    (rule,) = gateway.admin("GET", "/headers").json["items"]
    assert rule["script"].endswith("toISOString(); // mended")
    terminal.press("Esc")
    terminal.wait_for(lambda: not any("Esc for commands" in line for line in terminal.lines), what="commands")
    terminal.press("u")
    terminal.wait_for("taken back: saved “X-Stamp”")
    terminal.wait_for(lambda: not any("mended" in line for line in terminal.lines), what="the script as it was")
    (rule,) = gateway.admin("GET", "/headers").json["items"]
    assert rule["script"].endswith("toISOString();\n")
    assert not any("not saved" in line for line in terminal.lines)


def test_a_script_that_does_not_hold_is_not_saved(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    terminal.press("8", "l")
    terminal.wait_for("Python")
    terminal.press("n")
    terminal.wait_for("typing")
    type_text(terminal, "(1")
    terminal.press("Ctrl-S")
    terminal.wait_for("Save into a header rule")
    terminal.press("Tab")
    type_text(terminal, "X-Broken")
    terminal.press("Ctrl-S")
    terminal.wait_for("not saved: line 2, column")
    terminal.wait_for(lambda: any(line.startswith("✖   2 result") for line in terminal.lines), what="the mark")
    assert gateway.admin("GET", "/headers").json["items"] == []


def test_ones_own_editor_gets_the_terminal_and_the_file(gateway, attach, tmp_path):
    """It has the terminal and its signals, and only the operator can read what is edited."""
    editor = tmp_path / "editor.sh"
    seen = tmp_path / "seen"
    editor.write_text(
        "#!/bin/sh\n"
        f'stat -c "%a %n" "$1" > {seen}\n'
        'echo "the editor asks"\n'
        "read answer\n"
        'printf "return 42; // %s\\n" "$answer" > "$1"\n'
    )
    editor.chmod(0o755)
    terminal = attach(environment={"EDITOR": str(editor), "TMPDIR": str(tmp_path)})
    terminal.wait_for("serving")
    terminal.press("8")
    terminal.wait_for("new script")
    # Ctrl-C is for the editor alone, and so is Ctrl-Z.
    terminal.press("Ctrl-X")
    terminal.wait_for("the editor asks")
    terminal.press("Ctrl-C")
    terminal.wait_for("nothing was changed")
    terminal.press("Ctrl-X")
    terminal.wait_for("the editor asks")
    terminal.press("Ctrl-Z")
    terminal.pump(0.3)
    type_text(terminal, "yes")
    terminal.press("Enter")
    terminal.wait_for("taken from your editor")
    terminal.wait_for("return 42; // yes")
    mode, name = seen.read_text().split()
    assert mode == "600" and name.endswith("script.js") and not os.path.exists(name)
    assert not [entry for entry in os.listdir(tmp_path) if entry.startswith("fastgate-")]
    terminal.press("Ctrl-Z")
    terminal.wait_for(lambda: "return 42" not in terminal.text, what="what was before")


def test_without_an_editor_it_says_so(gateway, attach):
    terminal = attach(environment={"EDITOR": "/nowhere/editor"})
    terminal.wait_for("serving")
    terminal.press("8")
    terminal.wait_for("new script")
    terminal.press("Ctrl-X")
    terminal.wait_for("there is no editor: set EDITOR")


def test_what_a_script_prints_cannot_reach_the_terminal(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    terminal.press("8", "n")
    terminal.wait_for("typing")
    type_text(terminal, "console.log('a\\x1b]0;owned\\x07b\\x9b31m') || 'v\\u202Ew';")
    terminal.press("Ctrl-T")
    terminal.wait_for("printed")
    raw = bytes(terminal.raw) if hasattr(terminal, "raw") else b""
    assert "owned" not in (terminal.screen.title or "") and b"\x1b]0;owned" not in raw
    assert "a␛]0;owned␇b\\x9b31m" in terminal.text and "v<U+202E>w" in terminal.text


def test_leaving_with_a_script_that_is_not_saved_asks_first(gateway, attach):
    terminal = attach()
    terminal.wait_for("serving")
    terminal.press("8", "i")
    terminal.wait_for("typing")
    type_text(terminal, "x")
    terminal.press("Esc")
    terminal.wait_for("i or Enter to type")
    terminal.press("q")
    terminal.wait_for("is not saved")
    terminal.press("d")
    assert terminal.wait_end() == 0


def test_what_an_editor_has_written_is_taken_whole_or_kept(gateway, attach, tmp_path):
    """The size that a script can have, and with the end of line that editors add one byte more."""
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nread size end\nhead -c "$size" /dev/zero | tr "\\0" x > "$1"\n[ -z "$end" ] || echo >> "$1"\n')
    editor.chmod(0o755)
    for size, end, is_taken in ((65_535, "", True), (65_536, "", True), (65_536, "end", True), (65_537, "", False), (65_537, "end", False), (300_000, "", False)):
        terminal = attach(environment={"EDITOR": str(editor), "TMPDIR": str(tmp_path)})
        terminal.wait_for("serving")
        # A script that ends with no line end, so that one that an editor adds is not the operator's.
        terminal.press("8", "x")
        terminal.wait_for("Examples")
        type_text(terminal, "a random uuid")
        terminal.press("Enter")
        terminal.wait_for("example uuid")
        terminal.press("Ctrl-X")
        terminal.pump(0.3)
        type_text(terminal, f"{size} {end}")
        terminal.press("Enter")
        if is_taken:
            terminal.wait_for("taken from your editor")
            assert "column 1 · " in terminal.text and "of 64 kB" in terminal.text
        else:
            terminal.wait_for("a script can have 65536 bytes; what the editor has written is kept in")
            kept = [entry for entry in tmp_path.iterdir() if entry.name.startswith("fastgate-")]
            (file,) = [file for entry in kept for file in entry.iterdir() if file.stat().st_size == size + bool(end)]
            file.unlink()
            file.parent.rmdir()
        assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith("fastgate-")]
        terminal.kill()
