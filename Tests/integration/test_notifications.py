"""Notifications: the event of the seeds on every kind of channel, storms, dead channels, and where they may never go."""

import collections
import json
import os
import shutil
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest
from conftest import make_somebody, somebody, wait_until
from receivers import Hook, Mailbox, Robot, is_signed

LOOPBACK = "notifications: { allow_addresses: [127.0.0.0/8] }\n"


@pytest.fixture
def receivers():
    made = []

    def add(receiver):
        made.append(receiver)
        return receiver

    yield add
    for receiver in made:
        receiver.stop()


def channel(gateway, **fields):
    answer = gateway.admin("POST", "/notifications/channels", fields)
    assert answer.status == 201, answer.body
    return answer.json


def mail(mailbox, **fields):
    return {
        "name": "mail", "kind": "email", "smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_security": "none",
        "from_email": "gate@example.com", "to_emails": ["ops@example.com", "duty@example.com"], **fields,
    }


def seeds_key(gateway, name="Key 1"):
    """The key of the seeds' example: `Key 1` of the upstream OpenAI."""
    upstream = gateway.admin("POST", "/upstreams", {"slug": "openai", "name": "OpenAI", "base_url": "http://127.0.0.1:1/v1"})
    upstream_id = upstream.json["id"] if upstream.status == 201 else next(
        one["id"] for one in gateway.admin("GET", "/upstreams").json["items"] if one["slug"] == "openai"
    )
    answer = gateway.admin("POST", "/keys", {"upstream_id": upstream_id, "name": name, "key_value": f"sk-{name}-0123456789"})
    assert answer.status == 201, answer.body
    return answer.json["id"]


def disable(gateway, key, reason="配额用尽"):
    assert gateway.admin("POST", f"/keys/{key}/disable", {"reason": reason}).status == 200


def history(gateway, query=""):
    return gateway.admin("GET", f"/notifications/history?limit=1000{query}").json["items"]


def settled(gateway, count, status="sent", query=""):
    """The history once so many have ended so."""

    def ended():
        items = [item for item in history(gateway, query) if item["status"] == status]
        return items if len(items) >= count else None

    return wait_until(ended, timeout=30, what=f"{count} {status} notifications")


# -- The seeds' event


def test_the_seeds_event_reaches_every_kind_of_channel_once_though_each_failed_twice(make_gateway, receivers):
    mailbox = receivers(Mailbox(["451 come again", "451 come again"]))
    hook = receivers(Hook(lambda count: (503, {}, b"not yet") if count <= 2 else (200, {}, b"")))
    robot = receivers(Robot("SEC-robot", failures=2))
    gateway = make_gateway(extra=LOOPBACK)
    # An upstream without a key that can be used is news of its own.
    only = {"events": ["key_disabled"]}
    channel(gateway, **mail(mailbox), **only)
    channel(
        gateway, name="hook", kind="webhook", webhook_url=f"{hook.url}/in", secret="hook-secret", headers={"X-Team": "ops"}, **only
    )
    channel(gateway, name="robot", kind="dingtalk", webhook_url=robot.hook_url, secret="SEC-robot", **only)
    key = seeds_key(gateway)
    disable(gateway, key)
    items = settled(gateway, 3)
    assert {item["channel"] for item in items} == {"mail", "hook", "robot"}
    for item in items:
        assert [one["succeeded"] for one in item["tries"]] == [False, False, True], item
        assert item["event"] == "key_disabled" and item["subject"] == "OpenAI/Key 1" and item["sent_at"]
    details = {item["channel"]: item["tries"][0]["detail"] for item in items}
    assert "451" in details["mail"] and "503" in details["hook"] and "system busy" in details["robot"]

    # Once each, in the seeds' form.
    (sender, recipients, message, raw) = mailbox.messages[0]
    assert len(mailbox.messages) == 1 and sender == "gate@example.com"
    assert recipients == ["ops@example.com", "duty@example.com"]
    assert message["Subject"] == "FastGate: key disabled OpenAI/Key 1" and message["Auto-Submitted"]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    text = message.get_content().replace("\r\n", "\n")
    for line in ("### FastGate alert", "**Event**: key disabled", f"- ID: {key}", "- Name: Key 1", "- Upstream: OpenAI",
                 "**Reason**: 配额用尽", "---"):
        assert line in text.splitlines(), text
    request = hook.requests[-1]
    assert len(hook.requests) == 3 and request[0] == "/in" and request[1]["X-Team"] == "ops" and is_signed(request, "hook-secret")
    body = json.loads(request[2])
    assert (body["event"], body["severity"]) == ("key_disabled", "warning") and body["time"].endswith("Z")
    assert body["data"]["key_id"] == key and body["data"]["key_name"] == "Key 1"
    assert body["data"]["upstream_name"] == "OpenAI" and body["data"]["reason"] == "配额用尽"
    assert len(robot.taken) == 1 and "**Reason**: 配额用尽" in robot.taken[0][1]["text"]
    # No secret in what is shown.
    shown = gateway.admin("GET", "/notifications/channels").body + gateway.admin("GET", "/operators/audit").body
    for secret in (b"hook-secret", b"SEC-robot", b"robot-token-0001"):
        assert secret not in shown and secret.decode() not in gateway.log()
    (data,) = [path for path in (gateway.folder / "data").glob("config.db")]
    everything = b"".join(path.read_bytes() for path in (gateway.folder / "data").glob("*.db*"))
    assert b"hook-secret" not in everything and b"robot-token-0001" not in everything and data.exists()


def test_the_texts_that_ship_can_be_in_chinese(make_gateway, receivers):
    robot = receivers(Robot("SEC"))
    gateway = make_gateway(extra="notifications: { allow_addresses: [127.0.0.1], language: zh }\ntime_zone: Asia/Shanghai\n")
    channel(gateway, name="robot", kind="dingtalk", webhook_url=robot.hook_url, secret="SEC")
    key = seeds_key(gateway)
    disable(gateway, key)
    settled(gateway, 1)
    lines = robot.taken[0][1]["text"].splitlines()
    for line in ("**事件类型**: 密钥禁用", "**密钥信息**:", f"- ID: {key}", "- 名称: Key 1", "- 上游: OpenAI", "**原因**: 配额用尽"):
        assert line in lines, lines
    shown = next(line for line in lines if line.startswith("**时间**: "))
    there = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 8 * 3600))
    assert shown.removeprefix("**时间**: ")[:13] == there[:13]


def test_what_happens_to_keys_is_told(make_gateway, receivers):
    hook = receivers(Hook())
    gateway = make_gateway(extra=LOOPBACK)
    channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, dedupe="0s")
    key = seeds_key(gateway)
    gateway.admin("POST", f"/keys/{key}/ban", {"reason": "leaked"})
    settled(gateway, 1, query="&event=key_banned")
    settled(gateway, 1, query="&event=pool_exhausted")
    gateway.admin("POST", f"/keys/{key}/unban")
    settled(gateway, 1, query="&event=key_recovered")
    caller = gateway.key("limited", limits={"requests_per_minute": 1})
    assert [gateway.chat(caller).status for _ in range(3)] == [200, 429, 429]
    settled(gateway, 1, query="&event=rate_limit_exceeded")
    spender = gateway.key("spender", quota={"unit": "requests", "total": 1, "period": "day"})
    assert [gateway.chat(spender).status for _ in range(2)] == [200, 429]
    settled(gateway, 1, query="&event=quota_exceeded")
    bodies = {json.loads(request[2])["event"]: json.loads(request[2]) for request in hook.requests}
    assert set(bodies) == {"key_banned", "pool_exhausted", "key_recovered", "rate_limit_exceeded", "quota_exceeded"}
    assert bodies["key_banned"]["severity"] == "critical" and bodies["key_recovered"]["severity"] == "info"
    limited = bodies["rate_limit_exceeded"]["data"]
    assert (limited["scope"], limited["window"], limited["key_name"], limited["limit"]) == ("client_key", "minute", "limited", 1)
    assert bodies["quota_exceeded"]["data"]["key_name"] == "spender"


def test_channels_get_what_they_were_set_to(make_gateway, receivers):
    hook, critical, picky = receivers(Hook()), receivers(Hook()), receivers(Hook())
    gateway = make_gateway(extra=LOOPBACK)
    channel(gateway, name="all", kind="webhook", webhook_url=hook.url)
    channel(gateway, name="critical", kind="webhook", webhook_url=critical.url, min_severity="critical")
    channel(gateway, name="picky", kind="webhook", webhook_url=picky.url, events=["key_recovered"])
    key = seeds_key(gateway)
    disable(gateway, key)
    gateway.admin("POST", f"/keys/{key}/ban")
    wait_until(lambda: history(gateway, "&event=pool_exhausted"), what="an empty pool")
    gateway.admin("POST", f"/keys/{key}/reset")
    wait_until(lambda: len(picky.requests) >= 1 and len(hook.requests) >= 4, timeout=20, what="all that is to be told")
    told = collections.Counter(json.loads(request[2])["event"] for request in hook.requests)
    assert told["key_disabled"] == told["key_banned"] == told["key_recovered"] == 1
    assert {json.loads(request[2])["event"] for request in critical.requests} == {"key_banned", "pool_exhausted"}
    assert [json.loads(request[2])["event"] for request in picky.requests] == ["key_recovered"]
    # What goes back and forth is told again at the end of the while, unless it is over by then.
    disable(gateway, key)
    settled_as(gateway, "pending")
    gateway.admin("POST", f"/keys/{key}/reset")
    assert settled_as(gateway, "dropped")["reason"] == "over before it was told again"
    disable(gateway, key)
    held = settled_as(gateway, "pending")
    assert held["sent_at"] is None and held["due_at"] > held["time"]
    assert sum(json.loads(request[2])["event"] == "key_disabled" for request in hook.requests) == 1


def settled_as(gateway, status):
    """The newest row of a key that was disabled, once it has this status."""
    return wait_until(
        lambda: next(
            (one for one in history(gateway, "&event=key_disabled")[:3] if one["channel"] == "all" and one["status"] == status), None
        ),
        what=f"a {status} row",
    )


def test_nothing_is_lost_without_a_channel(gateway):
    disable(gateway, seeds_key(gateway))
    item = settled(gateway, 1, "unrouted")[-1]
    assert item["channel"] is None and item["event"] in ("key_disabled", "pool_exhausted")


# -- Storms and outages


def test_a_storm_is_told_in_a_few_messages_and_kept_whole(make_gateway, receivers):
    robot = receivers(Robot("SEC"))
    gateway = make_gateway(extra=LOOPBACK)
    channel(gateway, name="robot", kind="dingtalk", webhook_url=robot.hook_url, secret="SEC", events=["key_disabled"])
    first = seeds_key(gateway, "storm-0")
    keys = [first] + [seeds_key(gateway, f"storm-{index}") for index in range(1, 1000)]
    start = time.monotonic()
    for key in keys:
        disable(gateway, key, "storm")
    spent = time.monotonic() - start
    assert spent < 60, f"{spent} s"
    items = settled(gateway, 1000, query="&event=key_disabled")
    assert len(items) == 1000 and len({item["subject"] for item in items}) == 1000
    assert len(robot.taken) <= 15, len(robot.taken)
    times = [moment for moment, _ in robot.taken]
    for moment in times:
        assert len([other for other in times if moment <= other < moment + 60]) <= 15
    # Each event is in one message, and the messages say how many they tell of.
    assert sum(1 / item["digest"] for item in items) == pytest.approx(len(robot.taken))
    assert any("events" in text["title"] for _, text in robot.taken)


def test_a_dead_channel_holds_nobody_up_and_goes_on_when_it_is_back(make_gateway, receivers):
    hook = receivers(Hook(lambda count: (500, {}, b"dead")))
    gateway = make_gateway(extra=LOOPBACK)
    made = channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, events=["key_disabled"])
    caller = gateway.key()
    keys = [seeds_key(gateway, f"key-{index}") for index in range(30)]
    for key in keys:
        disable(gateway, key, "dead")
        assert gateway.chat(caller).status == 200
    failing = wait_until(
        lambda: (lambda one: one if one["state"] == "failing" and one["pending"] >= 30 else None)(
            gateway.admin("GET", f"/notifications/channels/{made['id']}").json
        ),
        what="a failing channel",
    )
    assert "500" in failing["last_error"] and failing["next_try_at"]
    # A restart keeps the queue.
    gateway.kill()
    gateway.start()
    hook.answers = lambda count: (200, {}, b"")
    items = settled(gateway, 30, query="&event=key_disabled")
    assert len(items) == 30
    told = []
    for request in hook.requests:
        body = json.loads(request[2])
        told.append({event["data"]["key_name"] for event in body["data"].get("events", [])} or {body["data"]["key_name"]})
    assert set().union(*told) == {f"key-{index}" for index in range(30)}


def test_what_is_refused_ends_as_a_dead_letter_that_can_be_sent_again(make_gateway, receivers):
    hook = receivers(Hook(lambda count: (410, {}, b"gone for good")))
    gateway = make_gateway(extra=LOOPBACK)
    channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, events=["key_disabled"])
    disable(gateway, seeds_key(gateway))
    (dead,) = settled(gateway, 1, "dead")
    assert len(dead["tries"]) == 3 and "410" in dead["reason"] and "gone for good" in dead["reason"]
    assert gateway.admin("POST", "/notifications/history/999999/resend").status == 404
    hook.answers = lambda count: (200, {}, b"")
    assert gateway.command("notifications", "resend", str(dead["id"])).returncode == 0
    (sent,) = settled(gateway, 1, query="&event=key_disabled")
    assert sent["id"] == dead["id"] and gateway.admin("POST", f"/notifications/history/{dead['id']}/resend").status == 409


def test_quiet_hours_hold_back_all_but_what_is_critical(make_gateway, receivers):
    hook = receivers(Hook())
    gateway = make_gateway(extra=LOOPBACK)
    now = time.gmtime()
    quiet = {"from": f"{now.tm_hour:02}:00", "to": f"{(now.tm_hour + 2) % 24:02}:00"}
    made = channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, quiet_hours=quiet)
    key = seeds_key(gateway)
    disable(gateway, key)
    gateway.admin("POST", f"/keys/{key}/ban")
    settled(gateway, 1, query="&event=key_banned")
    waiting = [item for item in history(gateway, "&event=key_disabled") if item["status"] == "pending"]
    assert len(waiting) == 1 and not waiting[0]["tries"]
    assert gateway.admin("GET", f"/notifications/channels/{made['id']}").json["state"] == "waiting"
    assert gateway.admin("PATCH", f"/notifications/channels/{made['id']}", {"quiet_hours": None}).status == 200
    settled(gateway, 1, query="&event=key_disabled")


def test_a_robot_that_has_too_many_is_left_alone(make_gateway, receivers):
    throttled = json.dumps({"errcode": 130101, "errmsg": "send too fast"}).encode()
    hook = receivers(Hook(lambda count: (200, {}, throttled)))
    gateway = make_gateway(extra=LOOPBACK)
    made = channel(gateway, name="robot", kind="dingtalk", webhook_url=f"{hook.url}/robot", events=["key_disabled"])
    disable(gateway, seeds_key(gateway))
    failing = wait_until(
        lambda: (lambda one: one if one["state"] == "failing" else None)(
            gateway.admin("GET", f"/notifications/channels/{made['id']}").json
        ),
        what="a robot that is left alone",
    )
    wait = time.mktime(time.strptime(failing["next_try_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())
    assert "send too fast" in failing["last_error"] and 580 < wait <= 600
    # A test asks at once all the same.
    tested = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert tested["status"] == "dead" and "130101" in tested["reason"]


def test_tests_tell_what_came_of_them(make_gateway, receivers):
    mailbox = receivers(Mailbox(auth_required=True, auth_require_tls=False))
    gateway = make_gateway(extra=LOOPBACK)
    made = channel(gateway, **mail(mailbox, smtp_user="gate", smtp_password="wrong"))
    refused = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert refused["status"] == "dead" and not mailbox.messages
    assert gateway.admin("PATCH", f"/notifications/channels/{made['id']}", {"smtp_password": "letmein"}).status == 200
    assert gateway.command("notifications", "test", "mail").stdout.startswith("sent: ")
    assert mailbox.logins[-1] == ("gate", "letmein") and len(mailbox.messages) == 1
    assert "test" in mailbox.messages[0][2]["Subject"]
    assert b"letmein" not in gateway.admin("GET", "/notifications/channels").body


# -- Forms and faults


BASE = {"name": "x", "kind": "webhook", "webhook_url": "https://example.com/hook"}
MAIL = {
    "name": "x", "kind": "email", "smtp_host": "mail.example.com", "from_email": "a@example.com", "to_emails": ["b@example.com"],
}


@pytest.mark.parametrize(
    "fields, parameter",
    [
        ({**BASE, "name": ""}, "name"), ({**BASE, "name": "n" * 101}, "name"), ({**BASE, "name": "a\nb"}, "name"),
        ({**BASE, "kind": "fax"}, "kind"), ({**BASE, "webhook_url": "ftp://example.com"}, "webhook_url"),
        ({**BASE, "webhook_url": "https://user:pw@example.com/"}, "webhook_url"), ({**BASE, "webhook_url": "https:///x"}, "webhook_url"),
        ({**BASE, "webhook_url": "https://example.com/a b"}, "webhook_url"), ({**BASE, "webhook_url": "https://example.com/\r\nX: y"}, "webhook_url"),
        ({**BASE, "webhook_url": "https://example.com/" + "a" * 2029}, "webhook_url"), ({"name": "x", "kind": "webhook"}, "webhook_url"),
        ({**BASE, "events": ["coffee"]}, "events"), ({**BASE, "events": ["test"]}, "events"), ({**BASE, "min_severity": "loud"}, "min_severity"),
        ({**BASE, "dedupe": "soon"}, "dedupe"), ({**BASE, "dedupe": "86401s"}, "dedupe"), ({**BASE, "max_per_minute": 0}, "max_per_minute"),
        ({**BASE, "max_per_minute": 601}, "max_per_minute"), ({**BASE, "quiet_hours": {"from": "25:00", "to": "07:00"}}, "quiet_hours"),
        ({**BASE, "quiet_hours": {"from": "07:00", "to": "07:00"}}, "quiet_hours"), ({**BASE, "headers": {"Host": "x"}}, "headers"),
        ({**BASE, "headers": {"X-A": "a\r\nX-B: b"}}, "headers"), ({**BASE, "headers": {"X A": "a"}}, "headers"),
        ({**BASE, "secret": "a\nb"}, "secret"), ({**BASE, "smtp_host": "x"}, "smtp_host"),
        ({**BASE, "kind": "dingtalk", "max_per_minute": 19}, "max_per_minute"), ({**BASE, "kind": "dingtalk", "headers": {"X": "y"}}, "headers"),
        ({**MAIL, "to_emails": []}, "to_emails"), ({**MAIL, "to_emails": ["b@example.com\r\nDATA"]}, "to_emails"),
        ({**MAIL, "to_emails": ["a@b@c"]}, "to_emails"), ({**MAIL, "to_emails": ["<b@example.com>"]}, "to_emails"),
        ({**MAIL, "to_emails": ["b@" + "e" * 253]}, "to_emails"), ({**MAIL, "from_email": "a@example.com\nRCPT TO:<x@y>"}, "from_email"),
        ({**MAIL, "from_email": "nobody"}, "from_email"), ({**MAIL, "smtp_host": "mail.example.com/evil"}, "smtp_host"),
        ({**MAIL, "smtp_host": "a@b"}, "smtp_host"), ({**MAIL, "smtp_port": 0}, "smtp_port"), ({**MAIL, "smtp_port": 65536}, "smtp_port"),
        ({**MAIL, "webhook_url": "https://example.com"}, "webhook_url"), ({**MAIL, "coffee": True}, "coffee"),
    ],
)
def test_channels_that_do_not_hold_are_refused_with_their_field(shared_gateway, fields, parameter):
    answer = shared_gateway.admin("POST", "/notifications/channels", fields)
    assert answer.status == 422 and answer.json["error"]["param"] == parameter, answer.body


def test_what_is_at_its_bounds_is_taken(shared_gateway):
    taken = [
        {**BASE, "name": "n" * 100}, {**BASE, "name": "url", "webhook_url": "https://example.com/" + "a" * 2028},
        {**BASE, "name": "dedupe", "dedupe": "1d"}, {**BASE, "name": "often", "max_per_minute": 600},
        {**BASE, "name": "robot", "kind": "dingtalk", "max_per_minute": 18}, {**MAIL, "name": "mail", "smtp_port": 65535},
        {**MAIL, "name": "many", "to_emails": [f"p{index}@example.com" for index in range(50)]},
    ]
    for fields in taken:
        made = channel(shared_gateway, **{**fields, "enabled": False})
        assert shared_gateway.admin("DELETE", f"/notifications/channels/{made['id']}").status == 204
    too_many = {**MAIL, "to_emails": [f"p{index}@example.com" for index in range(51)]}
    assert shared_gateway.admin("POST", "/notifications/channels", too_many).status == 422
    doubled = channel(shared_gateway, **BASE)
    assert shared_gateway.admin("POST", "/notifications/channels", BASE).status == 409
    stale = shared_gateway.admin("PATCH", f"/notifications/channels/{doubled['id']}", {"name": "y"}, {"If-Match": '"9"'})
    assert stale.status == 412
    assert shared_gateway.admin("DELETE", f"/notifications/channels/{doubled['id']}").status == 204


def test_templates_are_checked_shown_and_used(make_gateway, receivers):
    hook = receivers(Robot("SEC"))
    gateway = make_gateway(extra=LOOPBACK)
    made = channel(gateway, name="robot", kind="dingtalk", webhook_url=hook.hook_url, secret="SEC", events=["key_disabled"])
    shipped = gateway.admin("GET", "/notifications/templates/key_disabled").json
    assert shipped["is_default"] and "key_name" in shipped["fields"] and "- Name: Key 1" in shipped["preview"]
    assert gateway.admin("GET", "/notifications/templates/coffee").status == 404
    for body, words in (("{{coffee}}", "line 1, column 1"), ("a\nb {{key_name", "line 2, column 3"), ("", "empty"), ("x" * 8193, "8192")):
        refused = gateway.admin("PUT", "/notifications/templates/key_disabled", {"body": body})
        assert refused.status == 422 and refused.json["error"]["param"] == "body" and words in refused.json["error"]["message"]
    assert gateway.admin("PUT", "/notifications/templates/key_disabled", {"body": "x" * 8192, "preview_only": True}).status == 200
    preview = gateway.admin("PUT", "/notifications/templates/key_disabled", {"body": "out: {{ key_name }}", "preview_only": True}).json
    assert preview["preview"] == "out: Key 1"
    assert gateway.admin("GET", "/notifications/templates/key_disabled").json["is_default"]
    place = f"/notifications/templates/key_disabled?channel={made['id']}"
    assert gateway.admin("PUT", place, {"title": "{{key_name}} is out", "body": "why: {{reason}}"}).status == 200
    assert gateway.admin("GET", "/notifications/templates/key_disabled").json["is_default"]
    disable(gateway, seeds_key(gateway), "{{severity}} *it* # broke")
    settled(gateway, 1)
    # What came from outside is filled in once and never read as a template.
    assert hook.taken[0][1] == {"title": "Key 1 is out", "text": "why: {{severity}} *it* # broke"}
    assert gateway.admin("PUT", place, {"body": None}).json["is_default"]


def test_channels_of_the_file_are_the_files(make_gateway, receivers):
    hook = receivers(Hook())
    secret = "file-secret-0001"
    extra = f"""
notifications:
  allow_addresses: [127.0.0.1]
  channels:
    ops: {{ kind: webhook, webhook_url: "{hook.url}/file", secret: "${{HOOK_SECRET}}", events: [key_disabled], headers: {{ X-Team: "${{HOOK_SECRET}}" }} }}
"""
    gateway = make_gateway(extra=extra, environment={"HOOK_SECRET": secret})
    (ops,) = gateway.admin("GET", "/notifications/channels").json["items"]
    assert (ops["source"], ops["events"], ops["webhook_url"]) == ("file", ["key_disabled"], f"{hook.url}/…")
    assert gateway.admin("PATCH", f"/notifications/channels/{ops['id']}", {"name": "x"}).status == 409
    assert gateway.admin("DELETE", f"/notifications/channels/{ops['id']}").status == 409
    disable(gateway, seeds_key(gateway))
    settled(gateway, 1)
    assert is_signed(hook.requests[0], secret) and hook.requests[0][1]["X-Team"] == secret
    # The switch is the operators', and outlives a restart with the id.
    assert gateway.admin("PATCH", f"/notifications/channels/{ops['id']}", {"enabled": False}).status == 200
    gateway.stop()
    gateway.start()
    (after,) = gateway.admin("GET", "/notifications/channels").json["items"]
    assert after["id"] == ops["id"] and after["enabled"] is False
    gateway.config.write_text(gateway.config.read_text().replace("kind: webhook", "kind: fax"))
    assert "notifications.channels.ops.kind" in gateway.command("reload", check=False).stderr


def test_what_may_change_channels(make_gateway):
    gateway = make_gateway()
    made = channel(gateway, **BASE)
    viewer = {"X-FastGate-Read-Only": "true"}
    assert gateway.admin("GET", "/notifications/history", headers=viewer).status == 200
    for method, path, body in (
        ("POST", "/notifications/channels", BASE), ("DELETE", f"/notifications/channels/{made['id']}", None),
        ("POST", f"/notifications/channels/{made['id']}/test", None), ("PUT", "/notifications/templates/test", {"body": "x"}),
    ):
        assert gateway.admin(method, path, body, viewer).status == 403
    listed = gateway.command("notifications").stdout
    assert "https://example.com/…" in listed and "com/hook" not in listed
    assert gateway.command("notifications", "disable", "x").returncode == 0
    edited = json.loads(gateway.command("notifications", "edit", "x", "--quiet", "22:00-07:00", "--json").stdout)
    assert edited["quiet_hours"] == {"from": "22:00", "to": "07:00"} and edited["enabled"] is False
    assert json.loads(gateway.command("notifications", "edit", "x", "--quiet", "none", "--json").stdout)["quiet_hours"] is None
    assert gateway.command("notifications", "delete", "x").returncode == 0
    assert "no channels" in gateway.command("notifications").stdout


# -- Where messages may never go

INTERNAL = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "0177.0.0.01",
    "017700000001", "0x7f.1", "0", "0.0.0.0", "0.0.0.1", "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "10.0.0.1", "10.255.255.255",
    "0x0a000001", "167772161", "012.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255", "0xc0a80001",
    "169.254.169.254", "169.254.0.1", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "100.64.0.1", "100.127.255.255", "100.100.100.200",
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[2002:7f00:1::]", "[2001::1]", "[2001:db8::1]", "[fc00::1]", "[fd00:ec2::254]",
    "[fe80::1]", "[fec0::1]", "[ff02::1]", "[100::1]",
]


def test_no_message_ever_goes_to_an_internal_address(make_gateway, receivers):
    """Decided on the address of the connection, so that every way of writing it is the same."""
    assert len(INTERNAL) >= 60
    hook = receivers(Hook())
    gateway = make_gateway()
    for kind in ("webhook", "dingtalk"):
        for host in INTERNAL if kind == "webhook" else INTERNAL[:3]:
            made = channel(gateway, name="t", kind=kind, webhook_url=f"http://{host}:{hook.port}/")
            start = time.monotonic()
            tested = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
            assert tested["status"] == "dead", (host, tested)
            # Numbers and names that this machine knows are refused by their address; others never become one.
            detail = tested["tries"][0]["detail"]
            assert "internal address" in detail or "resolve" in detail.lower() or "URL" in detail, (host, detail)
            assert time.monotonic() - start < 5, host
            assert gateway.admin("DELETE", f"/notifications/channels/{made['id']}").status == 204
    assert hook.connections == 0 and not hook.requests
    for url in ("http://example.com@127.0.0.1/", "http://127.0.0.1\\@example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://"):
        assert gateway.admin("POST", "/notifications/channels", {**BASE, "webhook_url": url}).status == 422, url


def test_a_redirect_leads_nowhere(make_gateway, receivers):
    inside = receivers(Hook())
    for status in (301, 302, 303, 307, 308):
        hook = receivers(Hook(lambda count, status=status: (status, {"location": f"http://localhost:{inside.port}/"}, b"")))
        gateway = make_gateway(extra=f"notifications: {{ allow_addresses: [127.0.0.1] }}\n", folder=f"g{status}")
        made = channel(gateway, name="t", kind="webhook", webhook_url=hook.url)
        tested = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
        assert tested["status"] == "dead" and "not followed" in tested["reason"] and len(hook.requests) == 1
        gateway.stop()
    assert inside.connections == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a view of /etc/hosts of its own")
def test_a_name_that_changes_its_address_is_judged_anew(make_gateway, receivers, tmp_path):
    hook = receivers(Hook())
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.1 rebind.example\n")
    gateway = make_gateway(start=False)
    wrapper = tmp_path / "fastgate"
    wrapper.write_text(f'#!/bin/sh\nmount --bind {hosts} /etc/hosts && exec {gateway.binary} "$@"\n')
    wrapper.chmod(0o755)
    inside = tmp_path / "inside"
    inside.write_text(f'#!/bin/sh\nexec unshare --mount --propagation private {wrapper} "$@"\n')
    inside.chmod(0o755)
    probe = subprocess.run([str(inside), "--version"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    gateway.binary = str(inside)
    gateway.start()
    made = channel(gateway, name="t", kind="webhook", webhook_url=f"http://rebind.example:{hook.port}/")
    first = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert "192.0.2.1 is an internal address" in first["reason"]
    hosts.write_text("127.0.0.1 rebind.example\n")
    second = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert "127.0.0.1 is an internal address" in second["reason"], second
    assert hook.connections == 0


# -- What must not happen


def test_one_bad_address_keeps_nobody_else_from_being_told(make_gateway, receivers):
    mailbox = receivers(Mailbox(refused={"gone@example.com"}))
    gateway = make_gateway(extra=LOOPBACK)
    channel(gateway, **{**mail(mailbox), "to_emails": ["gone@example.com", "ops@example.com"]}, events=["key_disabled"])
    disable(gateway, seeds_key(gateway))
    settled(gateway, 1)
    assert [recipients for _, recipients, *_ in mailbox.messages] == [["ops@example.com"]]


def test_a_test_is_sent_once_whatever_else_moves(make_gateway, receivers):
    go = threading.Event()
    hook = receivers(Hook(lambda count: (go.wait(10), (200, {}, b""))[1]))
    gateway = make_gateway(extra=LOOPBACK)
    made = channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, events=["key_disabled"])
    sent = []
    path = f"/notifications/channels/{made['id']}"
    tester = threading.Thread(target=lambda: sent.append(gateway.admin("POST", f"{path}/test", {}).json))
    tester.start()
    wait_until(lambda: hook.requests)
    # Each has the notifier look at what waits.
    for severity in ("warning", "info", "warning"):
        assert gateway.admin("PATCH", path, {"min_severity": severity}).status == 200
    disable(gateway, seeds_key(gateway))
    wait_until(lambda: len(hook.requests) == 2, what="the event, while the test waits")
    go.set()
    tester.join(15)
    assert sent[0]["status"] == "sent" and len(sent[0]["tries"]) == sent[0]["tries_count"] == 1
    settled(gateway, 2)
    assert sorted(json.loads(request[2])["event"] for request in hook.requests) == ["key_disabled", "test"]


def test_what_was_given_up_does_not_swallow_what_comes_after(make_gateway, receivers):
    hook = receivers(Hook())
    gateway = make_gateway()
    made = channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, events=["key_disabled"])
    key = seeds_key(gateway)
    disable(gateway, key)
    settled(gateway, 1, status="dead")
    problem = next(one for one in gateway.admin("GET", "/dashboard").json["problems"] if one["kind"] == "channel")
    assert problem["name"] == "hook" and "allow_addresses" in problem["detail"]
    assert "hook: failing" in gateway.command("status").stdout
    gateway.config.write_text(gateway.config.read_text() + LOOPBACK)
    assert gateway.admin("POST", "/reload", {}).status == 200
    assert gateway.admin("POST", f"/keys/{key}/enable", {}).status == 200
    disable(gateway, key)
    settled(gateway, 1)
    assert len(hook.requests) == 1 and made["id"]
    wait_until(lambda: "channel" not in [one["kind"] for one in gateway.admin("GET", "/dashboard").json["problems"]])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_secrets_are_not_sent_elsewhere_by_who_may_not_read_them(make_gateway, monkeypatch, tmp_path):
    gateway = make_gateway(start=False)
    make_somebody(gateway, tmp_path, "operator")
    made = channel(
        gateway, name="hook", kind="webhook", webhook_url="https://hooks.example.com/in", secret="s3cret", headers={"X": "y"}
    )
    path = f"/notifications/channels/{made['id']}"
    url = "https://elsewhere.example.com"
    with somebody(gateway, monkeypatch) as ask:

        def change(**fields):
            status, text = ask("PATCH", path, json.dumps(fields))
            return status, json.loads(text).get("error", {}).get("param")

        assert change(webhook_url=url) == (422, "secret")
        assert change(webhook_url=url, secret="mine") == (422, "headers")
        assert change(min_severity="warning") == (200, None)
        assert change(webhook_url=url, secret="mine", headers=None) == (200, None)
    assert gateway.admin("PATCH", path, {"webhook_url": "https://hooks.example.com/b"}).status == 200


def test_what_was_told_is_not_told_again_where_it_cannot_be_written_down(make_gateway, receivers):
    hook = receivers(Hook())
    gateway = make_gateway(extra=LOOPBACK)
    channel(gateway, name="hook", kind="webhook", webhook_url=hook.url, events=["key_disabled"], max_per_minute=100)
    with sqlite3.connect(gateway.folder / "data" / "notifications.db") as history:
        history.execute("CREATE TRIGGER full BEFORE INSERT ON tries BEGIN SELECT raise(ABORT, 'the disk is full'); END")
    disable(gateway, seeds_key(gateway))
    wait_until(lambda: hook.requests)
    wait_until(lambda: "the history cannot be written" in gateway.admin("GET", "/notifications/channels").body.decode())
    # Tried after one second, two, and four: what has to be tried is the writing.
    wait_until(lambda: gateway.log().count("outcome cannot be written down") >= 3)
    assert len(hook.requests) == 1
    with sqlite3.connect(gateway.folder / "data" / "notifications.db") as history:
        history.execute("DROP TRIGGER full")
    (item,) = settled(gateway, 1)
    assert len(hook.requests) == 1 and item["tries_count"] == 1


# -- Mail by TLS


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_goes_by_tls_to_a_server_that_proves_who_it_is(make_gateway, receivers, certificate, security):
    context = server_context(certificate)
    options = {"ssl_context": context} if security == "tls" else {"tls_context": context, "require_starttls": True}
    mailbox = receivers(Mailbox(auth_required=True, auth_require_tls=security == "starttls", **options))
    trusting = f"notifications: {{ allow_addresses: [127.0.0.0/8], ca_file: {certificate[0]} }}\n"
    gateway = make_gateway(extra=trusting)
    made = channel(
        gateway,
        **mail(mailbox, smtp_security=security, smtp_host="localhost", smtp_user="gate", smtp_password="letmein"),
    )
    told = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert told["status"] == "sent", told
    assert mailbox.logins == [("gate", "letmein")] and len(mailbox.messages) == 1
    # One whose certificate nobody vouches for gets neither the message nor the password.
    stranger = make_gateway(extra=LOOPBACK, folder="stranger")
    made = channel(
        stranger,
        **mail(mailbox, smtp_security=security, smtp_host="localhost", smtp_user="gate", smtp_password="letmein"),
    )
    told = stranger.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert told["status"] != "sent" and "certificate" in str(told).lower(), told
    assert len(mailbox.messages) == 1 and len(mailbox.logins) == 1


def test_a_server_that_offers_no_tls_gets_no_mail_that_wants_it(make_gateway, receivers):
    mailbox = receivers(Mailbox(auth_require_tls=False))
    gateway = make_gateway(extra=LOOPBACK)
    made = channel(gateway, **mail(mailbox, smtp_security="starttls", smtp_user="gate", smtp_password="letmein"))
    told = gateway.admin("POST", f"/notifications/channels/{made['id']}/test").json
    assert told["status"] != "sent", told
    assert mailbox.messages == [] and mailbox.logins == []
