"""Many keys at once: files in and out, on the real binary."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import time

import pytest
from conftest import BINARY, REAL_KEY, http, wait_until

HEADER = "upstream_id,name,key_value,location,param_name,value_prefix,enable_quota,quota_total"


def form(content, name="file", boundary="----fastgate-test"):
    body = content if isinstance(content, bytes) else content.encode()
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="keys.csv"\r\nContent-Type: text/csv\r\n\r\n'
    return head.encode() + body + f"\r\n--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def send(gateway, content, query="", kind="csv", headers=None):
    body, own = form(content) if headers is None else (content if isinstance(content, bytes) else content.encode(), headers)
    return gateway.admin("POST", f"/batch/keys/import-{kind}{query}", body, own)


def pool(gateway, upstream_id=None):
    items, cursor = [], None
    while True:
        page = gateway.admin("GET", "/keys?limit=1000" + (f"&cursor={cursor}" if cursor else "")).json
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return [one for one in items if one["source"] == "database" and upstream_id in (None, one["upstream_id"])]


def test_a_file_with_bad_rows_gives_exactly_the_seeds_result(gateway):
    rows = [HEADER, "1,Key 1,sk-aaa-0001,header,Authorization,Bearer ,true,1000"]
    rows += ["999,Key 2,sk-bbb-0002,,,,,", "1,Key 3,sk-ccc-0003,,,,,", "1,Key 4,,,,,,"]
    rows += [f"1,Key {index},sk-{index:09},header,Authorization,Bearer ,false," for index in range(5, 11)]
    answer = send(gateway, "\n".join(rows))
    assert answer.status == 200 and answer.json == {
        "success_count": 8,
        "failed_count": 2,
        "errors": [{"row": 3, "error": "there is no upstream 999"}, {"row": 5, "error": "key_value must not be empty"}],
    }, answer.body
    keys = {key["name"]: key for key in pool(gateway)}
    assert set(keys) == {"Key 1", "Key 3", *(f"Key {index}" for index in range(5, 11))}
    first = keys["Key 1"]
    assert (first["location"], first["param_name"], first["value_prefix"]) == ("header", "Authorization", "Bearer ")
    assert first["enable_quota"] is True and first["quota_total"] == 1000 and keys["Key 3"]["value_prefix"] == "Bearer "
    change = gateway.admin("GET", "/operators/audit").json["items"][0]
    assert (change["action"], change["object"]) == ("import", "upstream_key") and "sk-" not in json.dumps(change)
    # They are used at once.
    gateway.admin("POST", f"/keys/{next(k['id'] for k in gateway.admin('GET', '/keys').json['items'] if k['name'] == 'real')}/disable")
    assert gateway.chat(gateway.key()).status == 200


HOSTILE = [
    ("\ufeff" + HEADER + "\r\n1,a,sk-bom-0001,,,,,\r\n", 1, []),
    (HEADER + '\n1,"a\nb",sk-x,,,,,\n1,c,sk-y-1,,,,,', 1, [(2, "name must")]),
    (HEADER + '\n1,"quoted, ""twice""",sk-quoted,,,,,\n', 1, []),
    (HEADER + '\n1,a,"multi\nline",,,,,\n\n\n1,b,sk-after,,,,,\n', 1, [(2, "key_value holds a control character")]),
    (HEADER + "\r1,a,sk-cr-1,,,,,\r1,b,sk-cr-2,,,,,", 2, []),
    (HEADER + '\n1,"open,sk-1,,,,,\n1,b,sk-2,,,,,', 0, [(2, "a quote is not closed")]),
    (HEADER + '\n1,"a"b,sk-1,,,,,\n1,b,sk-2-ok,,,,,', 1, [(2, "something stands behind a closing quote")]),
    (HEADER + "\n1,a,sk-1,,,,,,extra\n", 0, [(2, "has 9 fields, and there are 8 columns")]),
    (HEADER + "\n1,short,sk-short-row\n", 1, []),
    (HEADER + "\n1,a,sk-1,cookie,,,,\n", 0, [(2, "location must be one of")]),
    (HEADER + "\n1,a,sk-1,,,,maybe,\n", 0, [(2, "enable_quota must be true or false")]),
    (HEADER + "\n1,a,sk-1,,,,true,\n", 0, [(2, "quota_total is required with enable_quota")]),
    (HEADER + "\n1,a,sk-1,,,,true,-1\n", 0, [(2, "quota_total must be")]),
    (HEADER + "\none,a,sk-1,,,,,\n", 0, [(2, "upstream_id must be a whole number")]),
    (HEADER + "\n,a,sk-1,,,,,\n", 0, [(2, "upstream_id must not be empty")]),
    (HEADER + "\n1,,sk-1,,,,,\n", 0, [(2, "name must not be empty")]),
    (HEADER + "\n1,a,sk…0001,,,,,\n", 0, [(2, "key_value is masked")]),
    (HEADER + "\n1,a,sk-same-1,,,,,\n1,a,sk-other,,,,,\n1,b,sk-same-1,,,,,", 1, [(3, "row 2 has the same name"), (4, "row 2 has the same key_value")]),
    (HEADER + "\n1,real,sk-named,,,,,\n", 0, [(2, "the upstream has a key of this name")]),
    (HEADER + "\n1,a,sk-1,header,Host,,,\n", 0, [(2, "reserved")]),
    (HEADER + "\n1,a,sk-q,query,key,,,\n", 1, []),
    (HEADER.upper() + "\n1,shout,sk-shout,,,,,\n", 1, []),
    ("name,key_value,upstream\nby-slug,sk-slug,miniai\nlost,sk-lost,nowhere\n", 1, [(3, "there is no upstream of this slug")]),
]


@pytest.mark.parametrize("content, good, faults", HOSTILE, ids=range(len(HOSTILE)))
def test_files_as_people_write_them(shared_gateway, content, good, faults):
    answer = send(shared_gateway, content)
    assert answer.status == 200, answer.body
    result = answer.json
    assert result["success_count"] == good and result["failed_count"] == len(faults), result
    for fault, (row, words) in zip(result["errors"], faults, strict=True):
        assert fault["row"] == row and words in fault["error"], fault
    ids = [key["id"] for key in pool(shared_gateway)]
    if ids:
        assert shared_gateway.admin("DELETE", "/batch/keys/batch-delete", {"key_ids": ids}).json["success_count"] == len(ids)


def test_bytes_that_are_no_text_and_rows_too_long(shared_gateway):
    head = HEADER.encode() + b"\n"
    assert "UTF-8" in send(shared_gateway, head + b"1,\xff\xfe,sk-1,,,,,\n").json["errors"][0]["error"]
    assert "NUL" in send(shared_gateway, head + b"1,a\0b,sk-1,,,,,\n").json["errors"][0]["error"]
    for size, is_taken in ((16_384, True), (16_385, False)):
        result = send(shared_gateway, head + b"1,long,%s,,,,,\n" % (b"x" * size)).json
        assert result["success_count"] == int(is_taken), result
    huge = send(shared_gateway, head + b"1,huge,%s,,,,,\n1,next,sk-next,,,,,\n" % (b"x" * (2 << 20))).json
    assert huge["success_count"] == 1 and "longer" in huge["errors"][0]["error"]
    shared_gateway.admin("DELETE", "/batch/keys/batch-delete", {"key_ids": [key["id"] for key in pool(shared_gateway)]})


@pytest.mark.parametrize(
    "content, parameter, words",
    [
        ("", "file", "empty"), ("name,key_value\na,b", "columns", "upstream_id"), ("upstream_id,name\n1,a", "columns", "key_value"),
        (HEADER + ",coffee\n", "columns", "coffee"), (HEADER + ",name\n", "columns", "twice"), ('"' + HEADER, "columns", "quote"),
    ],
)
def test_files_that_are_none(shared_gateway, content, parameter, words):
    answer = send(shared_gateway, content)
    assert answer.status == 422 and answer.json["error"]["param"] == parameter and words in answer.json["error"]["message"]


def test_forms_that_are_none(shared_gateway):
    body, headers = form(HEADER + "\n1,a,b", name="other")
    assert "no file" in shared_gateway.admin("POST", "/batch/keys/import-csv", body, headers).json["error"]["message"]
    cut, headers = form(HEADER + "\n1,a,sk-b")
    assert "ends too early" in shared_gateway.admin("POST", "/batch/keys/import-csv", cut[:-10], headers).json["error"]["message"]
    assert shared_gateway.admin("POST", "/batch/keys/import-csv", b"x", {"Content-Type": "multipart/form-data"}).status == 400
    empty, headers = form("")
    assert shared_gateway.admin("POST", "/batch/keys/import-csv", empty, headers).json["error"]["param"] == "file"
    assert not pool(shared_gateway)


def test_a_dry_run_and_all_or_nothing_change_nothing(gateway):
    content = HEADER + "\n1,a,sk-a-1,,,,,\n999,b,sk-b-1,,,,,\n1,c,sk-c-1,,,,,"
    dry = send(gateway, content, "?dry_run=true").json
    assert (dry["success_count"], dry["failed_count"]) == (2, 1) and not pool(gateway)
    whole = send(gateway, content, "?mode=all_or_nothing").json
    assert (whole["success_count"], whole["failed_count"]) == (0, 1) and not pool(gateway)
    good = content.replace("999,b", "1,b")
    assert send(gateway, good, "?mode=all_or_nothing").json["success_count"] == 3 and len(pool(gateway)) == 3
    assert send(gateway, good).json["failed_count"] == 3 and len(pool(gateway)) == 3
    for query in ("?mode=some", "?dry_run=1"):
        assert send(gateway, content, query).status == 422
    assert gateway.admin("POST", "/batch/keys/import-csv", *form(good)).status == 200
    viewer = {"X-FastGate-Read-Only": "true"}
    body, headers = form(good)
    assert gateway.admin("POST", "/batch/keys/import-csv", body, {**headers, **viewer}).status == 403


def test_json_files(gateway):
    keys = [{"name": "Key 1", "key_value": "sk-xxx", "enable_quota": True, "quota_total": 1000, "limits": {"requests_per_minute": 5}}]
    as_json = {"Content-Type": "application/json"}
    # In whichever order the members stand.
    assert send(gateway, json.dumps({"upstream_id": 1, "keys": keys}), kind="json", headers=as_json).json["success_count"] == 1
    keys[0]["name"], keys[0]["key_value"] = "Key 2", "sk-yyy {\"}]"
    assert send(gateway, json.dumps({"keys": keys, "upstream_id": 1}), kind="json", headers=as_json).json["success_count"] == 1
    found = {key["name"]: key for key in pool(gateway)}
    assert found["Key 1"]["limits"]["requests_per_minute"] == 5 and found["Key 2"]["quota_total"] == 1000
    rows = [{"upstream": "miniai", "name": "c", "key_value": "sk-c"}, {"name": "d", "key_value": "sk-d"}, {"upstream_id": 1, "name": "e", "key_value": "f", "coffee": 1}]
    result = send(gateway, json.dumps(rows), kind="json", headers=as_json).json
    assert result["success_count"] == 1 and [(one["row"], one["error"]) for one in result["errors"]] == [
        (3, "unknown field “coffee”"), (2, "upstream_id must not be empty"),
    ]
    doubled = send(gateway, json.dumps({"keys": keys, "upstream_id": 1}), "?dry_run=true", kind="json", headers=as_json).json
    assert doubled["failed_count"] == 1 and "key of this name" in doubled["errors"][0]["error"]
    for text, words in (
        ("{", "too early"), ('{"keys": 1}', "no list"), ("[1]", "no object"), ("nonsense", "does not hold"), ('{"keys": [], "coffee": 1}', "unknown field"),
        ('{"upstream_id": 999, "keys": []}', "no upstream 999"), ("[" * 200, "no object"),
    ):
        answer = send(gateway, text, kind="json", headers=as_json)
        assert answer.status == 422 and words in answer.json["error"]["message"], (text, answer.body)


def test_what_is_exported_is_imported_again(make_gateway):
    first = make_gateway()
    rows = [HEADER + ",weight,priority,requests_per_minute,concurrency,quota_period,state,reason"]
    names = ["=1+1", "+a", "-b", "@c", "'=d", "''e", "plain", 'qu"ote', "com,ma", "ünï", "tab in"]
    for index, name in enumerate(names):
        quoted = '"' + name.replace('"', '""') + '"'
        location = "query,key," if index % 2 else "header,Authorization,'"
        rows.append(f'1,{quoted},"=sk-{index},{index}",{location},true,{index + 5},{index + 1},{index},60,4,day,disabled,why not')
    assert send(first, "\n".join(rows)).json == {"success_count": len(names), "failed_count": 0, "errors": []}
    masked = first.admin("GET", "/batch/keys/export-csv?upstream_id=1")
    assert masked.status == 200 and "text/csv" in masked.headers["content-type"] and b"=sk-" not in masked.body
    table = list(csv.reader(io.StringIO(masked.body.decode())))
    # Nothing that a spreadsheet would run.
    assert all(not cell or cell[0] not in "=+-@\t\r" for row in table for cell in row)
    whole = first.admin("GET", "/batch/keys/export-csv?values=true").body.decode()
    assert first.admin("GET", "/operators/audit").json["items"][0]["action"] == "reveal"
    lines = [json.loads(line) for line in first.admin("GET", "/batch/keys/export-jsonl?values=true").body.decode().splitlines()]
    assert {line["key_value"] for line in lines} >= {"=sk-0,0", REAL_KEY}
    assert first.admin("GET", "/batch/keys/export-csv?values=true", headers={"X-FastGate-Read-Only": "true"}).status == 403
    assert first.admin("GET", "/batch/keys/export-csv?upstream_id=999").status == 404
    before = pool(first)
    second = make_gateway(folder="second")
    result = send(second, whole).json
    assert result["success_count"] == len(names) and [one["error"] for one in result["errors"]] == [
        "the upstream has a key of this name, “real”"
    ]
    changing = ("id", "version", "last_used_at")
    strip = lambda keys: [{name: value for name, value in key.items() if name not in changing} for key in keys]  # noqa: E731
    assert strip(pool(second)) == strip(before)
    assert second.admin("GET", "/batch/keys/export-csv?values=true").body.decode().splitlines()[1:] == whole.splitlines()[1:]


def test_many_keys_are_changed_at_once(gateway):
    send(gateway, HEADER + "\n" + "\n".join(f"1,key-{index},sk-{index:06},,,,," for index in range(300)))
    ids = [key["id"] for key in pool(gateway)]
    assert len(ids) == 300
    result = gateway.admin("POST", "/batch/keys/batch-update-status", {"key_ids": [*ids, 99999], "status": "disabled", "reason": "rotated"}).json
    assert result == {"success_count": 300, "failed_count": 1, "errors": [{"row": 301, "error": "there is no upstream key 99999"}]}
    assert {(key["state"], key["reason"]) for key in pool(gateway)} == {("disabled", "rotated")}
    assert gateway.admin("POST", "/batch/keys/batch-update-status", {"key_ids": ids, "status": "active"}).json["success_count"] == 300
    assert {key["state"] for key in pool(gateway)} == {"active"}
    for body, parameter in (
        ({"key_ids": ids, "status": "cooling"}, "status"), ({"key_ids": ids, "status": "coffee"}, "status"), ({"key_ids": ids}, "status"),
        ({"key_ids": [], "status": "disabled"}, "key_ids"), ({"status": "disabled"}, "key_ids"), ({"key_ids": ["a"], "status": "disabled"}, "key_ids"),
    ):
        refused = gateway.admin("POST", "/batch/keys/batch-update-status", body)
        assert refused.status == 422 and refused.json["error"]["param"] == parameter, refused.body
    real = next(key["id"] for key in gateway.admin("GET", "/keys").json["items"] if key["source"] == "file")
    deleted = gateway.admin("DELETE", "/batch/keys/batch-delete", {"key_ids": [*ids, real]}).json
    assert deleted["success_count"] == 300 and "configuration file" in deleted["errors"][0]["error"] and not pool(gateway)


def test_many_client_keys_are_changed_at_once(gateway):
    made = [gateway.admin("POST", "/client-keys", {"name": f"=team-{index}", "owner": "o"}).json for index in range(20)]
    ids = [one["id"] for one in made]
    assert gateway.admin("POST", "/batch/client-keys/batch-update-status", {"key_ids": ids, "status": "disabled"}).json["success_count"] == 20
    assert gateway.chat(made[0]["key"]).status == 401
    assert gateway.admin("POST", "/batch/client-keys/batch-update-status", {"key_ids": ids, "status": "enabled"}).json["success_count"] == 20
    assert gateway.chat(made[0]["key"]).status == 200
    gateway.admin("POST", f"/client-keys/{ids[0]}/revoke")
    refused = gateway.admin("POST", "/batch/client-keys/batch-update-status", {"key_ids": ids[:2], "status": "enabled"}).json
    assert refused["success_count"] == 1 and "revoked" in refused["errors"][0]["error"]
    exported = gateway.admin("GET", "/batch/client-keys/export-csv").body.decode()
    assert exported.count("'=team-") == 20 and not any(one["key"] in exported for one in made)
    assert len(gateway.admin("GET", "/batch/client-keys/export-jsonl").body.splitlines()) == 20
    assert gateway.admin("DELETE", "/batch/client-keys/batch-delete", {"key_ids": ids}).json["success_count"] == 20
    assert gateway.chat(made[1]["key"]).status == 401 and not gateway.admin("GET", "/client-keys").json["items"]


def resident(gateway):
    for line in open(f"/proc/{gateway.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024


def many(count):
    return HEADER + "\n" + "\n".join(f"1,key-{index},sk-{index:016},header,Authorization,Bearer ,false," for index in range(count)) + "\n"


def test_a_hundred_thousand_rows_with_progress_and_flat_memory(gateway, tmp_path):
    send(gateway, many(1000), "?dry_run=true")
    before, peak = resident(gateway), 0
    file = tmp_path / "keys.csv"
    file.write_text(many(100_000))
    body, headers = form(file.read_bytes())
    start = time.monotonic()
    answer = gateway.admin("POST", "/batch/keys/import-csv?async=true&dry_run=true", body, headers)
    assert answer.status == 202, answer.body
    job_id = answer.json["job_id"]
    done = wait_until(lambda: (lambda job: job if job["state"] == "done" else None)(gateway.admin("GET", f"/batch/jobs/{job_id}").json), timeout=60)
    assert done["rows"] == 100_000 and done["bytes"] == file.stat().st_size and done["result"]["success_count"] == 100_000
    peak = resident(gateway)
    assert peak - before < 64 << 20, f"{(peak - before) >> 20} MiB"
    shown = gateway.command("import", str(file))
    assert "100000 imported, 0 left out" in shown.stdout and time.monotonic() - start < 60
    job = gateway.admin("GET", "/batch/jobs").json["items"][0]
    assert job["written"] == 100_000 and job["state"] == "done" and job["kind"] == "upstream_keys"
    page = gateway.admin("GET", "/keys?limit=1000").json
    assert len(page["items"]) == 1000 and page["next_cursor"]
    assert gateway.chat(gateway.key()).status == 200


def test_killed_in_the_middle_leaves_all_or_nothing(make_gateway, tmp_path):
    gateway = make_gateway()
    body, headers = form(many(30_000))
    seen = set()
    for turn in range(6):
        process = subprocess.Popen(
            ["curl", "-s", "-o", "/dev/null", "-F", f"file=@{tmp_path / 'keys.csv'}", "-H", f"Authorization: Bearer {gateway.token}",
             f"http://127.0.0.1:{gateway.admin_port}/api/admin/batch/keys/import-csv"],
        ) if (tmp_path / "keys.csv").write_text(many(30_000)) else None
        jobs = lambda: gateway.admin("GET", "/batch/jobs").json["items"]  # noqa: E731
        wait_until(lambda: any(job["state"] == ("reading" if turn % 2 else "writing") or job["state"] == "done" for job in jobs()), interval=0.001, what="an import")
        time.sleep(0.02 * turn)
        gateway.kill()
        process.wait()
        database = sqlite3.connect(gateway.folder / "data" / "config.db")
        count = database.execute("SELECT count(*) FROM upstream_keys WHERE source = 'database'").fetchone()[0]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        assert count in (0, 30_000), count
        seen.add(count)
        # No row in the clear, nor anything of it, is left on the disk.
        for path in (gateway.folder / "data").rglob("*"):
            if path.is_file():
                assert b"sk-0000000000000001" not in path.read_bytes(), path
        gateway.start()
        if count:
            ids = [key["id"] for key in pool(gateway)]
            assert gateway.admin("DELETE", "/batch/keys/batch-delete", {"key_ids": ids}).json["success_count"] == 30_000


def test_the_command_line(gateway, tmp_path):
    template = gateway.command("import", "--template").stdout
    assert template.splitlines()[0] == HEADER
    file = tmp_path / "keys.csv"
    file.write_text(HEADER + "\n1,a,sk-a-000001,,,,,\n999,b,sk-b,,,,,\n")
    dry = gateway.command("import", str(file), "--dry-run", check=False)
    assert dry.returncode == 1 and "1 would be imported, 1 left out" in dry.stdout and "row 3: there is no upstream 999" in dry.stderr
    whole = gateway.command("import", str(file), "--all-or-nothing", check=False)
    assert whole.returncode == 1 and "nothing is imported: 1 of 2 rows do not hold" in whole.stdout
    assert json.loads(gateway.command("import", str(file), "--json", check=False).stdout)["success_count"] == 1
    assert gateway.command("import", str(tmp_path / "nowhere.csv"), check=False).returncode == 1
    assert "sk-a-000001" not in gateway.command("export", "pool").stdout
    shown = subprocess.run(
        [BINARY, "export", "pool", "--values", "--upstream", "miniai", "--socket", gateway.socket], input="reveal\n", capture_output=True, text=True,
    )
    assert "sk-a-000001" in shown.stdout and "audit will say so" in shown.stderr
    kept = subprocess.run([BINARY, "export", "--values", "--socket", gateway.socket], input="no\n", capture_output=True, text=True)
    assert kept.returncode != 0 and not kept.stdout
    assert gateway.command("export", "keys", "--format", "jsonl").stdout == ""


@pytest.mark.parametrize("count, status", [(0, 422), (1, 200), (99_999, 200), (100_000, 200), (100_001, 422)])
def test_one_request_names_no_more_keys_than_it_may(shared_gateway, count, status):
    ids = list(range(1_000_000, 1_000_000 + count))
    answer = shared_gateway.admin("POST", "/batch/keys/batch-update-status", {"key_ids": ids, "status": "disabled"})
    assert answer.status == status, answer.body[:300]
    if status == 200:
        assert answer.json["failed_count"] == count and len(answer.json["errors"]) == min(count, 1000)
    else:
        assert "1 to 100000 ids" in answer.json["error"]["message"]


CLIENT_HEADER = "name,owner,expires_at,upstreams,paths,models,requests_per_minute,quota_total,quota_unit,quota_period,notes"


def send_clients(gateway, content, query="", kind="csv"):
    body, headers = form(content)
    return gateway.admin("POST", f"/batch/client-keys/import-{kind}{query}", body, headers)


def test_client_keys_come_from_a_file_and_are_shown_once(gateway):
    gateway.key("taken")
    rows = [CLIENT_HEADER, 'team-a,alice,2031-01-31,miniai,"/v1/**, /v2/*",gpt-4*,60,1000,tokens,month,first']
    rows += ["team-b,,,,,,,,,,", "team-a,,,,,,,,,,", "taken,,,,,,,,,,", "late,,2001-01-01,,,,,,,,", "x,,,,v1,,,,,,", "y,,,,,,,,tokens,,"]
    # A row that ends early would allow what it does not say; an upstream that is not there is a slip of the pen.
    rows += ["short,o", "lost,,,miniai;nowhere,,,,,,,", "feb,,2031-02-30,,,,,,,,", ",,,,,,,,,,"]
    dry = send_clients(gateway, "\r\n".join(rows), "?dry_run=true").json
    assert (dry["success_count"], dry["failed_count"], dry["keys"]) == (2, 8, [])
    assert len(gateway.admin("GET", "/client-keys").json["items"]) == 1
    refused = send_clients(gateway, "\n".join(rows), "?mode=all_or_nothing").json
    assert (refused["success_count"], refused["keys"]) == (0, []) and len(gateway.admin("GET", "/client-keys").json["items"]) == 1
    answer = send_clients(gateway, "\n".join(rows))
    assert answer.status == 200 and answer.json["errors"] == [
        {"row": 4, "error": "row 2 has the same name, “team-a”"},
        {"row": 5, "error": "there is a client key of this name, “taken”"},
        {"row": 6, "error": "expires_at is in the past"},
        {"row": 7, "error": "permissions.paths v1 does not begin with /"},
        {"row": 8, "error": "quota_total is required with quota_unit and quota_period"},
        {"row": 9, "error": "ends too early: 2 fields, and there are 11 columns"},
        {"row": 10, "error": "upstreams: there is no upstream nowhere"},
        {"row": 11, "error": "expires_at must be a day or a time, like 90d, 2027-01-31 or 2027-01-31T12:00:00Z"},
    ], answer.body
    made = {one["name"]: one for one in answer.json["keys"]}
    assert set(made) == {"team-a", "team-b"} and made["team-a"]["row"] == 2
    first = gateway.admin("GET", f"/client-keys/{made['team-a']['id']}").json
    assert first["permissions"] == {"upstreams": ["miniai"], "paths": ["/v1/**", "/v2/*"], "models": ["gpt-4*"], "cidrs": []}
    assert first["limits"]["requests_per_minute"] == 60 and first["owner"] == "alice" and first["expires_at"] == "2031-01-31T00:00:00Z"
    assert (first["quota"]["total"], first["quota"]["unit"], first["quota"]["period"]) == (1000, "tokens", "month")
    # They are used at once.
    assert gateway.chat(made["team-b"]["key"]).status == 200 and gateway.chat(made["team-a"]["key"]).status == 403
    change = gateway.admin("GET", "/operators/audit").json["items"][0]
    assert (change["action"], change["object"]) == ("import", "client_key") and made["team-b"]["key"] not in json.dumps(change)
    job = gateway.admin("GET", "/batch/jobs").json["items"][0]
    assert job["kind"] == "client_keys" and made["team-b"]["key"] not in json.dumps(job)


def test_client_keys_of_another_gateway_go_on_to_work(gateway, make_gateway):
    callers = {name: gateway.key(name, limits={"requests_per_minute": 7}, permissions={"paths": ["/v2/**"]}) for name in ("a", "=b", "gone")}
    ids = {one["name"]: one["id"] for one in gateway.admin("GET", "/client-keys").json["items"]}
    gateway.admin("POST", f"/client-keys/{ids['gone']}/revoke")
    # Both keys of a rotation have one name, and both work; they go on counting together.
    after = gateway.admin("POST", f"/client-keys/{ids['a']}/rotate", {"overlap_seconds": 3600}).json
    plain = gateway.admin("GET", "/batch/client-keys/export-csv").body
    exported = gateway.admin("GET", "/batch/client-keys/export-csv?digests=true").body
    assert not any(key.encode() in exported for key in callers.values())
    assert gateway.admin("GET", "/operators/audit").json["items"][0]["action"] == "reveal"
    other = make_gateway(folder="other")
    # Without digests nobody could make these keys again, and new ones in their place would be a surprise.
    left_out = send_clients(other, plain).json
    assert left_out["success_count"] == 0 and left_out["failed_count"] == 4 and "digest is missing" in left_out["errors"][0]["error"]
    answer = send_clients(other, exported).json
    assert (answer["success_count"], answer["failed_count"]) == (4, 0), answer
    assert other.chat(after["key"]).status == 200
    assert all(one["key"] is None for one in answer["keys"])
    assert other.chat(callers["a"]).status == other.chat(callers["=b"]).status == 200
    assert other.chat(callers["gone"]).status == 401
    moved = {one["name"]: one for one in other.admin("GET", "/client-keys").json["items"] if one["counts_as"] is None}
    successor = next(one for one in other.admin("GET", "/client-keys").json["items"] if one["prefix"] == after["prefix"])
    assert successor["counts_as"] == moved["a"]["id"] and successor["name"] == "a"
    assert moved["a"]["limits"]["requests_per_minute"] == 7 and moved["gone"]["revoked_at"] is not None
    again = send_clients(other, exported).json
    assert (again["success_count"], again["failed_count"]) == (0, 4)
    # The API's own list is a file, too: names are taken, fields that only a gateway writes are passed over.
    listed = [one for one in gateway.admin("GET", "/client-keys").json["items"] if one["counts_as"] is None]
    for one in listed:
        one["name"] += "-new"
        del one["prefix"], one["last4"]
    made = send_clients(other, json.dumps({"keys": listed}), kind="json").json
    assert made["success_count"] == 3, made
    kept = {one["name"]: one for one in other.admin("GET", "/client-keys").json["items"]}
    assert kept["a-new"]["permissions"]["paths"] == ["/v2/**"] and kept["gone-new"]["revoked_at"] is not None


@pytest.mark.parametrize(
    "row, message",
    [
        ("n,fg_abcdefgh,wxyz," + "0" * 63, "digest must have 64"),
        ("n,fg_abcdefgh,wxyz," + "g" * 64, "digest must have 64"),
        ("n,fg_ABCDEFGH,wxyz," + "0" * 64, "prefix and last4"),
        ("n,fg_abcdefg,wxyz," + "0" * 64, "prefix and last4"),
        ("n,fg_abcdefgh,wx z," + "0" * 64, "prefix and last4"),
        ("n,,," + "0" * 64, "prefix and last4"),
        ("n,fg_abcdefgh,,", "digest is missing"),
        ("n\x07,,,", "control character"),
        ("=cmd(),,,", None),
        ("n" * 201 + ",,,", "1 to 200 bytes"),
    ],
)
def test_a_row_of_a_client_key_that_does_not_hold(gateway, row, message):
    answer = send_clients(gateway, f"name,prefix,last4,digest\n{row}\n").json
    if message is None:
        assert answer["success_count"] == 1
    else:
        assert answer["failed_count"] == 1 and message in answer["errors"][0]["error"], answer


def test_many_client_keys_come_from_one_file(gateway):
    answer = send_clients(gateway, "name,owner\n" + "".join(f"team-{index},o\n" for index in range(20_000))).json
    assert (answer["success_count"], len(answer["keys"])) == (20_000, 20_000)
    assert len({one["key"] for one in answer["keys"]}) == 20_000
    assert gateway.chat(answer["keys"][-1]["key"]).status == 200
    assert send_clients(gateway, "name\n" + "".join(f"more-{index}\n" for index in range(100_001))).status == 422


def test_client_keys_from_a_file_by_command(gateway, tmp_path):
    template = gateway.command("keys", "import", "--template").stdout
    assert template.splitlines()[0].startswith("name,owner,expires_at")
    file = tmp_path / "team.csv"
    file.write_text(template + "second,,,,,,,,,,,\n,owner,,,,,,,,,,\n")
    assert "2 would be made, 1 left out" in gateway.command("keys", "import", str(file), "--dry-run", check=False).stderr
    out = tmp_path / "keys.csv"
    done = gateway.command("keys", "import", str(file), "--output", str(out), check=False)
    assert done.returncode == 1 and "row 4: name must have 1 to 200 bytes" in done.stderr and f"written to {out}" in done.stderr
    assert oct(out.stat().st_mode & 0o777) == "0o600" and "fg_" not in done.stdout + done.stderr
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["name"] for row in rows] == ["team-a", "second"] and gateway.chat(rows[1]["key"]).status == 200
    # A file that is there is not written over, and then nothing is made.
    count = len(gateway.admin("GET", "/client-keys").json["items"])
    file.write_text("name\nthird\n")
    assert gateway.command("keys", "import", str(file), "--output", str(out), check=False).returncode != 0
    assert len(gateway.admin("GET", "/client-keys").json["items"]) == count
    printed = gateway.command("keys", "import", str(file)).stdout.splitlines()
    assert printed[0] == "id,name,key" and gateway.chat(printed[1].split(",")[2]).status == 200
    # Nothing is made where nothing could be written, and a loss is said with what is to be done.
    assert "Is a directory" in gateway.command("keys", "import", str(tmp_path), check=False).stderr
    file.write_text("name\nfourth\n")
    with open("/dev/full", "w") as full:
        lost = subprocess.run([BINARY, "keys", "import", str(file), "--socket", gateway.socket], stdout=full, stderr=subprocess.PIPE, text=True)
    assert lost.returncode == 1 and "1 client keys are made" in lost.stderr and "rotate or delete" in lost.stderr
    empty = tmp_path / "none.csv"
    assert gateway.command("keys", "import", str(file), "--output", str(empty), check=False).returncode == 1 and not empty.exists()
    assert gateway.command("export", "keys", "--values", check=False).returncode == 2
    moved = gateway.command("export", "keys", "--digests").stdout
    assert moved.splitlines()[0].startswith("name,") and "digest" in moved.splitlines()[0]


@pytest.mark.parametrize(
    "content, message",
    [
        ("name;owner\na;b\n", "apart by commas, not by ;"),
        ("name\towner\na\tb\n", "not by tabs"),
        ("name,owner\n".encode("utf-16"), "UTF-8"),
        (",".join(f"c{index}" for index in range(40)), "--data-binary"),
    ],
)
def test_a_file_of_another_kind_is_told_so(gateway, content, message):
    answer = send_clients(gateway, content)
    assert answer.status == 422 and message in answer.json["error"]["message"], answer.body


@pytest.mark.parametrize(
    "row, message",
    [
        ({"name": "a", "permissions": []}, "permissions must be an object"),
        ({"name": "a", "permissions": {"models": [""]}}, "models must be a text, a list of texts"),
        ({"name": "a", "permissions": {"upstreams": ["miniai"]}, "upstreams": ["lab"]}, "upstreams is there twice"),
        ({"name": ["a"]}, "name must be a text, a whole number"),
        ({"name": "a", "limits": {"requests_per_minute": 60.5}}, "a whole number"),
        ({"name": "a", "limits": {"coffee": 1}}, "unknown field “coffee”"),
        ({"name": "a", "key": "fg_x"}, "unknown field “key”"),
        ({"name": "a", "permissions": {"models": []}, "models": ["gpt-4"]}, "models is there twice"),
        ({"name": "a", "limits": {"concurrency": None}, "concurrency": 5}, "concurrency is there twice"),
        ({"name": "a", "counts_as_prefix": "fg_abcdefgh"}, "only for keys with a digest"),
        ({"name": "a", "quota": None, "expires_at": None}, None),
    ],
)
def test_an_object_of_a_client_key_that_does_not_hold(gateway, row, message):
    answer = send_clients(gateway, json.dumps([row]), kind="json").json
    assert (answer["success_count"] == 1) if message is None else message in answer["errors"][0]["error"], answer


def test_what_allows_less_never_comes_to_allow_all(gateway, make_gateway):
    for cell in ('","', '" "', '" ; "', '"\n"'):
        answer = send_clients(gateway, f"name,models\nx,{cell}\n").json
        assert answer["failed_count"] == 1 and answer["errors"][0]["error"] == "models names nothing", answer
    lists = {"models": ["a b", "c,d", "e;f", "g"], "paths": ["/a b"]}
    made = send_clients(gateway, json.dumps([{"name": "lists", "permissions": lists}]), kind="json").json["keys"][0]
    kept = gateway.admin("GET", f"/client-keys/{made['id']}").json["permissions"]
    assert (kept["models"], kept["paths"]) == (lists["models"], lists["paths"])
    other = make_gateway(folder="other")
    send_clients(other, gateway.admin("GET", "/batch/client-keys/export-csv?digests=true").body)
    assert other.admin("GET", "/client-keys").json["items"][0]["permissions"] == kept


def test_an_answer_that_was_lost_comes_again(gateway):
    body, headers = form("name\nlost\n")
    headers["Idempotency-Key"] = "import-1"
    first = gateway.admin("POST", "/batch/client-keys/import-csv", body, headers)
    again = gateway.admin("POST", "/batch/client-keys/import-csv", body, headers)
    assert first.status == again.status == 200 and first.json == again.json
    assert gateway.chat(again.json["keys"][0]["key"]).status == 200
    assert gateway.admin("POST", "/batch/client-keys/import-csv?dry_run=true", body, headers).status == 409


def test_digests_are_moved_by_admins_only(make_gateway):
    gateway = make_gateway(start=False)
    tokens = "tokens: [ { name: lee, role: operator, token: operator-token-of-the-test } ]"
    gateway.config.write_text(gateway.config.read_text().replace("admin: { port: 0 }", f"admin: {{ port: 0, {tokens} }}"))
    gateway.start()
    lee = {"Authorization": "Bearer operator-token-of-the-test"}
    body, headers = form("name,prefix,last4,digest\nx,fg_abcdefgh,wxyz," + "0" * 64 + "\n")
    refused = gateway.admin("POST", "/batch/client-keys/import-csv", body, {**headers, **lee}).json
    assert refused["errors"] == [{"row": 2, "error": "only an admin moves keys by their digests"}]
    assert gateway.admin("GET", "/batch/client-keys/export-csv?digests=true", headers=lee).status == 403
    assert gateway.admin("POST", "/batch/client-keys/import-csv", body, headers).json["success_count"] == 1
    after = json.loads(gateway.admin("GET", "/operators/audit").json["items"][0]["after"])
    assert (after["moved"], after["ids"], after["keys"]) == ("1", "1-1", "1")


def test_an_import_is_told_in_the_changes_and_says_why_it_stays(gateway):
    assert send_clients(gateway, "name\nteam-a\nteam-b\n").json["success_count"] == 2
    change = gateway.admin("GET", "/operators/audit").json["items"][0]
    assert (change["action"], change["object"], change["undoable"]) == ("import", "client_key", False)
    assert "keys 2" in gateway.command("changes").stdout
    refused = gateway.admin("POST", f"/undo/{change['id']}")
    assert refused.status == 409 and "delete what it has brought" in refused.json["error"]["message"]


def test_a_misspelt_parameter_imports_nothing(gateway):
    for path in ("/batch/keys/import-csv?dryrun=true", "/batch/client-keys/import-csv?dry-run=true", "/batch/client-keys/import-csv?async=true"):
        body, headers = form("name,key_value,upstream\na,sk-a,miniai\n")
        answer = gateway.admin("POST", path, body, headers)
        assert answer.status == 422 and answer.json["error"]["param"] in path, answer.body
    assert gateway.admin("GET", "/batch/keys/export-csv?upstream=miniai").status == 422
    assert not pool(gateway) and not gateway.admin("GET", "/client-keys").json["items"]
