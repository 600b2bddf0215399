"""What operators change can be taken back: by one request, for everything that was changed in one go."""

from conftest import REAL_KEY, http


def last(gateway):
    return gateway.admin("GET", "/operators/audit?limit=1").json["items"][0]


def undo(gateway, change=None):
    answer = gateway.admin("POST", f"/undo/{(change or last(gateway))['id']}")
    assert answer.status == 200, answer.body
    return answer.json


def second_upstream(gateway, mock):
    made = gateway.admin("POST", "/upstreams", {"slug": "second", "base_url": f"http://127.0.0.1:{mock.port}/two"})
    assert made.status == 201, made.body
    body = {"upstream_id": made.json["id"], "name": "k", "key_value": "sk-database-key-0002"}
    key = gateway.admin("POST", "/keys", body)
    assert key.status == 201, key.body
    return made.json, key.json


def ask(gateway, key):
    url = gateway.url("/proxy/second/v2/chat/completions")
    return http("POST", url, b'{"messages": []}', {"X-API-Key": key})


def test_a_change_of_a_client_key_is_taken_back_and_made_again(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "a", "owner": "o"}).json
    path = f"/client-keys/{made['id']}"
    gateway.admin("PATCH", path, {"owner": "p", "enabled": False, "limits": {"requests_per_minute": 5}})
    assert gateway.chat(made["key"]).status == 401
    changed = last(gateway)
    assert changed["undoable"] and changed["undone_by"] is None
    undone = undo(gateway, changed)
    assert (undone["action"], undone["undoes"], undone["object_id"]) == ("undo", changed["id"], made["id"])
    shown = gateway.admin("GET", path).json
    assert (shown["owner"], shown["enabled"], shown["limits"]["requests_per_minute"]) == ("o", True, None)
    # In force at once, under a version that nobody has read before.
    assert gateway.chat(made["key"]).status == 200 and shown["version"] == 3
    again = gateway.admin("POST", f"/undo/{changed['id']}")
    assert again.status == 409 and f"by change {undone['id']}" in again.json["error"]["message"]
    redone = undo(gateway, undone)
    assert redone["undoes"] == undone["id"] and gateway.admin("GET", path).json["owner"] == "p"
    assert gateway.chat(made["key"]).status == 401


def test_a_deleted_client_key_opens_again_and_a_made_one_goes(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "a"}).json
    assert gateway.chat(made["key"]).status == 200
    created = last(gateway)
    assert gateway.admin("DELETE", f"/client-keys/{made['id']}").status == 204
    assert gateway.chat(made["key"]).status == 401
    back = undo(gateway)
    assert gateway.chat(made["key"]).status == 200
    assert gateway.admin("GET", f"/client-keys/{made['id']}").json["version"] > made["version"]
    # It is as it was made, and goes with its making.
    assert back["undoes"] and undo(gateway, created)["action"] == "undo"
    assert gateway.chat(made["key"]).status == 401
    other = gateway.admin("POST", "/client-keys", {"name": "b"}).json
    assert gateway.chat(other["key"]).status == 200
    # That it was used is no change by an operator.
    undo(gateway)
    assert gateway.chat(other["key"]).status == 401 and gateway.admin("GET", f"/client-keys/{other['id']}").status == 404


def test_an_upstream_comes_back_with_its_keys_rules_and_headers(gateway, mock):
    upstream, key = second_upstream(gateway, mock)
    rule = {"name": "own", "upstream_id": upstream["id"], "position": 1, "when": {"status": ["418"]},
            "then": [{"action": "respond", "status": 200, "body": "tea"}]}
    rule = gateway.admin("POST", "/rules", rule)
    assert rule.status == 201, rule.body
    header = {"upstream_id": upstream["id"], "name": "X-Extra", "kind": "static", "value": "extra"}
    assert gateway.admin("POST", "/headers", header).status == 201
    caller = gateway.key()
    rules = gateway.admin("GET", "/rules").json["items"]
    assert ask(gateway, caller).status == 200
    assert gateway.admin("DELETE", f"/upstreams/{upstream['id']}").status == 204
    assert ask(gateway, caller).status == 404 and gateway.admin("GET", f"/keys/{key['id']}").status == 404
    undo(gateway)
    mock.forget()
    assert ask(gateway, caller).status == 200
    [request] = mock.received()
    sent = {name.lower(): value for name, value in request["headers"]}
    assert sent["authorization"] == "Bearer sk-database-key-0002" and sent["x-extra"] == "extra"
    assert [(r["id"], r["position"]) for r in gateway.admin("GET", "/rules").json["items"]] == [
        (r["id"], r["position"]) for r in rules
    ]
    gateway.stop()
    gateway.start()
    assert ask(gateway, caller).status == 200
    # Away and back once more, all of it.
    undo(gateway)
    assert ask(gateway, caller).status == 404 and gateway.admin("GET", f"/keys/{key['id']}").status == 404
    undo(gateway)
    assert ask(gateway, caller).status == 200 and len(gateway.admin("GET", "/rules").json["items"]) == len(rules)


def test_a_ban_is_lifted_where_it_counts(gateway, mock):
    upstream, key = second_upstream(gateway, mock)
    caller = gateway.key()
    assert gateway.admin("POST", f"/keys/{key['id']}/ban", {"reason": "leaked"}).status == 200
    assert ask(gateway, caller).status == 503
    undo(gateway)
    assert gateway.admin("GET", f"/keys/{key['id']}").json["state"] == "active"
    assert ask(gateway, caller).status == 200
    # A value that was replaced is there again, and was never shown.
    assert gateway.admin("PATCH", f"/keys/{key['id']}", {"key_value": "sk-another-key-0003"}).status == 200
    changed = last(gateway)
    assert "sk-" not in str(changed)
    undo(gateway, changed)
    mock.forget()
    assert ask(gateway, caller).status == 200
    assert "Bearer sk-database-key-0002" in str(mock.received())


def test_what_was_done_in_one_go_is_undone_in_one_go(gateway):
    ids = [gateway.admin("POST", "/client-keys", {"name": f"k{n}"}).json["id"] for n in range(5)]
    body = {"key_ids": ids, "status": "disabled"}
    assert gateway.admin("POST", "/batch/client-keys/batch-update-status", body).json["success_count"] == 5
    undo(gateway)
    assert all(key["enabled"] for key in gateway.admin("GET", "/client-keys").json["items"])
    lines = gateway.admin("GET", "/operators/audit?limit=10").json["items"]
    assert [line["action"] for line in lines] == ["undo"] * 5 + ["change"] * 5
    assert all(line["undone_by"] == lines[4]["id"] and not line["undoable"] for line in lines[5:])
    # A rotation is two changes.
    rotated = gateway.admin("POST", f"/client-keys/{ids[0]}/rotate", {"overlap_seconds": 0}).json
    assert gateway.chat(rotated["key"]).status == 200
    undo(gateway)
    assert gateway.chat(rotated["key"]).status == 401
    assert gateway.admin("GET", f"/client-keys/{ids[0]}").json["expires_at"] is None


def test_changes_are_taken_back_one_after_the_other(gateway, mock):
    """To the beginning, forwards again, and back once more."""
    made = gateway.admin("POST", "/client-keys", {"name": "chain", "owner": "0"}).json
    changes = [last(gateway)]
    for number in range(1, 5):
        gateway.admin("PATCH", f"/client-keys/{made['id']}", {"owner": str(number)})
        changes.append(last(gateway))

    def owner():
        answer = gateway.admin("GET", f"/client-keys/{made['id']}")
        return answer.json["owner"] if answer.status == 200 else None

    versions = set()
    for turn in range(2):
        undos = []
        for number, change in reversed(list(enumerate(changes))):
            undos.append(undo(gateway, change))
            assert owner() == (str(number - 1) if number else None)
        changes = []
        for number, change in enumerate(reversed(undos)):
            changes.append(undo(gateway, change))
            assert owner() == str(number)
            version = gateway.admin("GET", f"/client-keys/{made['id']}").json["version"]
            assert version not in versions
            versions.add(version)
    upstream, key = second_upstream(gateway, mock)
    for state in ["disable", "ban"]:
        assert gateway.admin("POST", f"/keys/{key['id']}/{state}").status == 200
    ban, disable = gateway.admin("GET", "/operators/audit?limit=2").json["items"]
    for change, state in [(ban, "disabled"), (disable, "active")]:
        undo(gateway, change)
        assert gateway.admin("GET", f"/keys/{key['id']}").json["state"] == state


def test_changes_say_what_has_changed(gateway, mock):
    upstream, key = second_upstream(gateway, mock)
    gateway.admin("PATCH", f"/keys/{key['id']}", {"weight": 7, "key_value": "sk-another-key-0003"})
    gateway.admin("PATCH", f"/upstreams/{upstream['id']}", {"strategy": "weighted"})
    table = gateway.command("changes").stdout
    assert "weight 1 → 7" in table and "key_value – → (another, not shown)" in table
    assert "strategy round_robin → weighted" in table and "sk-" not in table
    assert max(len(line) for line in table.splitlines()) < 220


def test_what_cannot_be_undone_says_why(gateway):
    made = gateway.admin("POST", "/client-keys", {"name": "a"}).json
    path = f"/client-keys/{made['id']}"
    gateway.admin("PATCH", path, {"owner": "p"})
    first = last(gateway)
    gateway.admin("PATCH", path, {"notes": "n"})
    second = last(gateway)
    refused = gateway.admin("POST", f"/undo/{first['id']}")
    assert refused.status == 409 and f"undo change {second['id']} first" in refused.json["error"]["message"]
    assert gateway.admin("GET", path).json["owner"] == "p"
    undo(gateway, second)
    # A change and its undo are nothing: the one before fits again, and the one before that.
    undo(gateway, first)
    assert gateway.admin("GET", path).json["owner"] == "" and gateway.admin("GET", path).json["notes"] == ""
    gateway.admin("POST", f"{path}/revoke")
    assert not last(gateway)["undoable"]
    refused = gateway.admin("POST", f"/undo/{last(gateway)['id']}")
    assert refused.status == 409 and "for good" in refused.json["error"]["message"]
    assert gateway.chat(made["key"]).status == 401
    assert gateway.admin("POST", "/undo/99999").status == 404
    assert gateway.admin("POST", f"/undo/{second['id']}", headers={"X-FastGate-Read-Only": "true"}).status == 403
    gateway.admin("POST", "/reload")
    refused = gateway.admin("POST", f"/undo/{last(gateway)['id']}")
    assert refused.status == 409 and "cannot be undone" in refused.json["error"]["message"]


def test_an_id_is_never_another_upstreams(gateway, mock):
    """What is undone of one that is gone must not reach the one that came after it."""
    first, _ = second_upstream(gateway, mock)
    gateway.admin("PATCH", f"/upstreams/{first['id']}", {"base_url": "http://127.0.0.1:9/evil"})
    changed = last(gateway)
    assert gateway.admin("DELETE", f"/upstreams/{first['id']}").status == 204
    gateway.stop()
    gateway.start()
    other, _ = second_upstream(gateway, mock)
    assert other["id"] > first["id"]
    assert gateway.admin("POST", f"/undo/{changed['id']}").status == 409
    assert gateway.admin("GET", f"/upstreams/{other['id']}").json["base_url"] == other["base_url"]


def test_an_upstream_that_is_in_use_does_not_go_with_its_creation(gateway, mock):
    upstream, key = second_upstream(gateway, mock)
    made = next(c for c in gateway.admin("GET", "/operators/audit").json["items"] if c["object"] == "upstream")
    refused = gateway.admin("POST", f"/undo/{made['id']}")
    assert refused.status == 409 and "got keys since" in refused.json["error"]["message"]
    assert gateway.admin("DELETE", f"/keys/{key['id']}").status == 204
    body = {"slug": "third", "base_url": f"http://127.0.0.1:{mock.port}", "fallbacks": ["second"]}
    assert gateway.admin("POST", "/upstreams", body).status == 201
    refused = gateway.admin("POST", f"/undo/{made['id']}")
    assert refused.status == 409 and "stands in for third" in refused.json["error"]["message"]
    undo(gateway)
    undo(gateway, made)
    assert gateway.admin("GET", f"/upstreams/{upstream['id']}").status == 404


def test_an_order_is_undone_only_while_it_stands(gateway):
    rules = [rule["id"] for rule in gateway.admin("GET", "/rules").json["items"]]
    gateway.admin("POST", "/rules/reorder", {"ids": [rules[1], rules[0], *rules[2:]]})
    first = last(gateway)
    gateway.admin("POST", "/rules/reorder", {"ids": rules[::-1]})
    refused = gateway.admin("POST", f"/undo/{first['id']}")
    assert refused.status == 409 and "has changed since" in refused.json["error"]["message"]
    assert [rule["id"] for rule in gateway.admin("GET", "/rules").json["items"]] == rules[::-1]
    undo(gateway)
    undo(gateway, first)
    assert [rule["id"] for rule in gateway.admin("GET", "/rules").json["items"]] == rules


def test_a_name_that_is_taken_stays_with_its_owner(gateway, mock):
    upstream, _ = second_upstream(gateway, mock)
    gateway.admin("DELETE", f"/upstreams/{upstream['id']}")
    gone = last(gateway)
    second_upstream(gateway, mock)
    refused = gateway.admin("POST", f"/undo/{gone['id']}")
    assert refused.status == 409 and "its name" in refused.json["error"]["message"]
    assert len([u for u in gateway.admin("GET", "/upstreams").json["items"] if u["slug"] == "second"]) == 1


def test_orders_channels_texts_and_intervals_too(gateway):
    rules = [rule["id"] for rule in gateway.admin("GET", "/rules").json["items"]]
    assert gateway.admin("POST", "/rules/reorder", {"ids": rules[::-1]}).status == 200
    undo(gateway)
    assert [rule["id"] for rule in gateway.admin("GET", "/rules").json["items"]] == rules
    gateway.admin("DELETE", f"/rules/{rules[1]}")
    gone = last(gateway)
    added = {"name": "late", "position": 99, "when": {"status": ["418"]}, "then": [{"action": "notify"}]}
    late = gateway.admin("POST", "/rules", added).json["id"]
    undo(gateway, gone)
    shown = gateway.admin("GET", "/rules").json["items"]
    assert [rule["id"] for rule in shown] == rules + [late]
    assert [rule["position"] for rule in shown] == list(range(1, len(shown) + 1))
    assert gateway.admin("POST", "/rules/reset-defaults").status == 200
    undo(gateway)
    assert [rule["id"] for rule in gateway.admin("GET", "/rules").json["items"]] == rules + [late]

    channel = {"name": "ops", "kind": "webhook", "webhook_url": "http://127.0.0.1:9/x", "events": ["key_banned"]}
    made = gateway.admin("POST", "/notifications/channels", channel)
    assert made.status == 201, made.body
    gateway.admin("DELETE", f"/notifications/channels/{made.json['id']}")
    undo(gateway)
    shown = gateway.admin("GET", f"/notifications/channels/{made.json['id']}").json
    assert shown["name"] == "ops" and shown["events"] == ["key_banned"]

    before = gateway.admin("GET", "/notifications/templates/key_banned").json
    gateway.admin("PUT", "/notifications/templates/key_banned", {"title": "other", "body": "text"})
    undo(gateway)
    assert gateway.admin("GET", "/notifications/templates/key_banned").json == before

    gateway.admin("PATCH", "/tasks/retention", {"interval": "17s"})
    gateway.admin("POST", "/tasks/retention/run")
    changed = next(c for c in gateway.admin("GET", "/operators/audit").json["items"] if c["object"] == "task")
    undo(gateway, changed)
    tasks = {task["name"]: task for task in gateway.admin("GET", "/tasks").json["items"]}
    assert tasks["retention"]["interval"] == tasks["retention"]["default_interval"]
    assert tasks["retention"]["runs"] >= 1


def test_by_command(gateway):
    gateway.command("keys", "create", "a")
    listed = gateway.command("changes").stdout
    assert "create" in listed and "client_key" in listed and " * " in listed
    done = gateway.command("undo", str(last(gateway)["id"]))
    assert "taken back" in done.stdout and "client_key" in done.stdout and gateway.admin("GET", "/client-keys").json["items"] == []
    assert "takes" in gateway.command("changes").stdout
    refused = gateway.command("undo", "9999", check=False)
    assert refused.returncode == 1 and "no change 9999" in refused.stderr
    assert "admin, by socket" in gateway.command("operators").stdout
    assert REAL_KEY not in listed


def test_too_much_at_once_cannot_be_undone_and_says_so(gateway):
    """4 MiB of rows are kept of one transaction; every key here has some 4,500 bytes."""
    ids = [gateway.admin("POST", "/client-keys", {"name": f"k{n}", "notes": "n" * 4000}).json["id"] for n in range(1100)]
    some, all_ = ids[:800], ids
    assert gateway.admin("DELETE", "/batch/client-keys/batch-delete", {"key_ids": some}).json["success_count"] == 800
    undo(gateway)
    assert gateway.admin("GET", f"/client-keys/{some[0]}").json["name"] == "k0"
    assert gateway.admin("DELETE", "/batch/client-keys/batch-delete", {"key_ids": all_}).json["success_count"] == 1100
    assert not last(gateway)["undoable"]
    refused = gateway.admin("POST", f"/undo/{last(gateway)['id']}")
    assert refused.status == 409 and "too much at once" in refused.json["error"]["message"]


def test_the_console_takes_its_own_change_back(gateway, mock, attach):
    """A key that the provider has refused stands again as the provider's, and not as an operator's doing."""
    upstream, key = second_upstream(gateway, mock)
    gateway.admin("POST", f"/keys/{key['id']}/ban", {"reason": "leaked"})
    terminal = attach()
    terminal.press("5")
    terminal.wait_for("leaked")
    terminal.press("x")
    terminal.wait_for("u undoes it")
    assert gateway.admin("GET", f"/keys/{key['id']}").json["state"] == "active"
    made = last(gateway)
    terminal.press("u")
    terminal.wait_for("taken back")
    assert last(gateway)["undoes"] == made["id"]
    again = gateway.admin("GET", f"/keys/{key['id']}").json
    assert (again["state"], again["reason"]) == ("banned", "leaked")
    # What is deleted comes back, too, and does what it did.
    gateway.admin("POST", f"/keys/{key['id']}/unban")
    caller = gateway.key()
    assert ask(gateway, caller).status == 200
    terminal.press("g", "D")
    terminal.wait_for("undo brings it back")
    terminal.press("y")
    terminal.wait_for("u undoes it")
    assert gateway.admin("GET", f"/keys/{key['id']}").status == 404
    terminal.press("u")
    terminal.wait_for("taken back")
    assert gateway.admin("GET", f"/keys/{key['id']}").status == 200 and ask(gateway, caller).status == 200


def test_the_console_takes_a_listed_change_back(gateway, attach):
    gateway.key("lab")
    gateway.command("keys", "disable", "lab")
    change = last(gateway)
    terminal = attach()
    terminal.press("0")
    terminal.wait_for("change      client key lab")
    terminal.press("g", "U")
    terminal.wait_for(f"Take change {change['id']} back")
    terminal.press("y")
    terminal.wait_for("took back what was done to")
    assert last(gateway)["undoes"] == change["id"]
    assert gateway.admin("GET", "/client-keys").json["items"][0]["enabled"]
    # Of what is over it says so.
    terminal.press("r", "j", "U")
    terminal.wait_for(f"change {last(gateway)['id']} has taken it back")
