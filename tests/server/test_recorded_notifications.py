"""`record --notifications`: what Graph sends goes to the app and onto the tape, and is played."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from proxies import AUTH, RawServer, recording, replaying
from webhooks import Clock, ListeningApp, at, notifying, subscribed

if TYPE_CHECKING:
    from pathlib import Path

    from proxies import Running
    from webhooks import Answer, Arrived

ID = "0b1c2d3e-0000-4000-8000-00000000abcd"
STATE = "state-of-the-recording"
PUBLIC = "https://tunnel.example.test/_notifications/hook"
ITEM = {
    "id": "first",
    "subscriptionId": ID,
    "subscriptionExpirationDateTime": "2026-01-01T00:00:00Z",
    "clientState": STATE,
    "changeType": "updated",
    "resource": "Users/7f3a/Messages/AAMk1",
    "resourceData": {"@odata.type": "#Microsoft.Graph.Message", "id": "AAMk1"},
}


def graph(request: bytes) -> bytes:
    """Answer as an upstream that takes subscriptions and changes."""
    status, body = "200 OK", b'{"id": "AAMk1"}'
    if request.startswith(b"POST /v1.0/subscriptions"):
        status, body = "201 Created", json.dumps({"id": ID, "resource": "me/messages"}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def flag(proxy: Running) -> None:
    url = f"{proxy.url}/v1.0/me/messages/AAMk1"
    requests.patch(url, json={"isRead": True}, headers=AUTH, timeout=5).raise_for_status()


def recorded(folder: Path, app: ListeningApp, *items: dict[str, Any]) -> Path:
    """Record a subscription, a write, and a notification of it."""
    tape = folder / "recorded.yaml"
    with RawServer(answer=graph) as upstream:  # noqa: SIM117 - one after the other
        with recording(tape, upstream=upstream.url, notifications=app.url) as proxy:
            body = {
                "changeType": "updated",
                "notificationUrl": PUBLIC,
                "resource": "me/messages",
                "expirationDateTime": "2026-01-01T00:00:00Z",
                "clientState": STATE,
            }
            requests.post(f"{proxy.url}/v1.0/subscriptions", json=body, headers=AUTH, timeout=5)
            hook = f"{proxy.url}/_notifications/hook"
            token = requests.post(f"{hook}?validationToken=a%20b%3Ac", timeout=5)
            flag(proxy)
            told = requests.post(hook, json={"value": list(items or (ITEM,))}, timeout=5)
    assert (token.status_code, token.text) == (200, "a b:c")
    assert token.headers["Content-Type"] == "text/plain"
    assert told.status_code == 202
    return tape


def test_what_graph_sends_reaches_the_app_and_the_tape_without_secrets(tmp_path: Path) -> None:
    with ListeningApp() as app:
        tape = recorded(tmp_path, app)
    validation, told = app.arrived
    assert validation.path == "/hook?validationToken=a%20b%3Ac"
    assert told.json["value"] == [ITEM]
    asked = [each["request"] for each in yaml.safe_load(tape.read_text())["interactions"]]
    assert [f"{each['method']} {each['uri']}" for each in asked] == [
        "POST https://graph.microsoft.com/v1.0/subscriptions",
        "PATCH https://graph.microsoft.com/v1.0/me/messages/AAMk1",
        "POST https://graph.microsoft.com/_notifications/hook",
    ]
    assert STATE not in tape.read_text()
    assert "AAMk1" in asked[2]["body"]


def test_a_notification_on_tape_is_played_behind_what_came_before(tmp_path: Path) -> None:
    with ListeningApp() as app:
        tape = recorded(tmp_path, app)
    with ListeningApp() as app, notifying(tmp_path, app, tape=tape, clock=Clock()) as proxy:
        made = subscribed(proxy, app, changeType="updated", resource="me/messages")
        before = len(app.notified)
        flag(proxy)
        (told,) = app.wait(1)
        unused = proxy.proxy.reports()[0].unused_count
        requests.post(f"{proxy.control}/sessions/default/rewind", timeout=5)
        flag(proxy)
        app.wait(2)
    (item,) = told.json["value"]
    assert before == 0
    assert told.path == "/hook"
    assert item == {
        **ITEM,
        "subscriptionId": made["id"],
        "clientState": "not-a-real-state",
        "subscriptionExpirationDateTime": at(120),
        "tenantId": "fa4e0000-0000-4000-8000-000000000001",
    }
    assert len(app.notified) == 2
    assert unused == 0


def test_a_lifecycle_event_on_tape_goes_to_its_url(tmp_path: Path) -> None:
    event = {"subscriptionId": ID, "clientState": STATE, "lifecycleEvent": "missed"}
    with ListeningApp() as app:
        tape = recorded(tmp_path, app, event)
    with ListeningApp() as app, notifying(tmp_path, app, tape=tape, clock=Clock()) as proxy:
        subscribed(proxy, app, resource="me/messages", lifecycleNotificationUrl=f"{app.url}/life")
        flag(proxy)
        (told,) = app.wait(1)
    assert told.path == "/life"
    assert told.json["value"][0]["lifecycleEvent"] == "missed"


def test_nothing_is_told_to_an_app_that_did_not_subscribe(tmp_path: Path) -> None:
    with ListeningApp() as app:
        tape = recorded(tmp_path, app)
    with ListeningApp() as app, notifying(tmp_path, app, tape=tape, clock=Clock()) as proxy:
        subscribed(proxy, app, resource="me/events")
        flag(proxy)
        told = requests.get(f"{proxy.control}/sessions/default/notifications", timeout=5).json()
    assert told["notifications"] == []
    assert app.notified == []


def test_a_replay_without_notify_calls_nobody(tmp_path: Path) -> None:
    with ListeningApp() as app:
        tape = recorded(tmp_path, app)
        app.arrived.clear()
        with replaying(tape) as proxy:
            flag(proxy)
        assert not app.arrived


@pytest.mark.parametrize("status", [500, 404])
def test_what_the_app_refuses_is_refused(status: int, tmp_path: Path) -> None:
    def refuse(_: Arrived) -> Answer:
        return status, "text/plain", b"no"

    tape = tmp_path / "tape.yaml"
    with RawServer(answer=graph) as upstream, ListeningApp(answer=refuse) as app:  # noqa: SIM117
        with recording(tape, upstream=upstream.url, notifications=app.url) as proxy:
            hook = f"{proxy.url}/_notifications/hook"
            answer = requests.post(hook, json={"value": [ITEM]}, timeout=5)
    assert (answer.status_code, answer.text) == (status, "no")


def test_an_app_that_is_not_there_is_a_502_and_not_on_tape(tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    with RawServer() as gone:
        nowhere = gone.url
    with RawServer(answer=graph) as upstream:  # noqa: SIM117 - one after the other
        with recording(tape, upstream=upstream.url, notifications=nowhere) as proxy:
            flag(proxy)
            hook = f"{proxy.url}/_notifications/hook"
            answer = requests.post(hook, json={"value": [ITEM]}, timeout=5)
    assert answer.status_code == 502
    assert "_notifications" not in tape.read_text()


def test_a_path_that_only_begins_like_it_is_graphs(tmp_path: Path) -> None:
    with RawServer(answer=graph) as upstream, ListeningApp() as app:
        tape = tmp_path / "tape.yaml"
        with recording(tape, upstream=upstream.url, notifications=app.url) as proxy:
            requests.post(f"{proxy.url}/_notificationsX/hook", headers=AUTH, json={}, timeout=5)
        assert not app.arrived
        assert len(upstream.requests) == 1
