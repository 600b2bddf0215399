"""The API against its own description: every operation, with what it should take and what it should not."""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# Answers of these never end.
ENDLESS = ["/api/admin/live", "/api/admin/logs/stream"]


def test_no_answer_is_an_error_of_ours_or_undocumented(gateway, tmp_path):
    gateway.chat(gateway.key())
    gateway.logs(1)
    result = subprocess.run(
        [
            str(SCHEMATHESIS), "--config-file", str(HERE / "schemathesis.toml"), "run", f"http://127.0.0.1:{gateway.admin_port}/api/admin/openapi.json",
            "-H", f"Authorization: Bearer {gateway.token}", "--checks", "all", "--max-examples", "8", "--seed", "7", "--suppress-health-check", "all",
            *[part for path in ENDLESS for part in ("--exclude-path", path)],
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=400,
    )
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    tested = int(re.search(r"Tested: (\d+)", result.stdout).group(1))
    generated = int(re.search(r"(\d+) generated", result.stdout).group(1))
    assert tested >= 90 and generated > 2000
    # It is still well.
    assert gateway.admin("GET", "/status").json["state"] == "ok"
    assert not [line for line in gateway.lines() if line.get("message") == "an operation failed"]
