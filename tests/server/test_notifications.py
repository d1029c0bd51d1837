"""Notifications: what sends them, what they say, and how they are tried again."""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests

from commands import graphtape
from graphtape.core.notification.conduct import Conduct
from proxies import AUTH, replaying
from tapes import exchanged, taped
from webhooks import Clock, ListeningApp, at, notifying, repeats, subscribed

if TYPE_CHECKING:
    from pathlib import Path

    from proxies import Running
    from webhooks import Answer, Arrived

JSON = {"Content-Type": "application/json"}
FLAG = exchanged(
    "PATCH",
    "/v1.0/me/messages/AAMk1",
    '{"@odata.etag": "W/\\"CQ\\"", "id": "AAMk1", "isRead": true}',
    body='{"isRead": true}',
    asked=JSON,
    fields=JSON,
)


def tell(proxy: Running, resource: str, change: str, *, session: str = "default") -> dict[str, Any]:
    answer = requests.post(
        f"{proxy.control}/sessions/{session}/notifications",
        json={"resource": resource, "changeType": change},
        timeout=5,
    )
    assert answer.status_code in {202, 409}, answer.text
    found = answer.json()
    assert isinstance(found, dict)
    return found


def flag(proxy: Running, identifier: str = "AAMk1") -> None:
    url = f"{proxy.url}/v1.0/me/messages/{identifier}"
    answer = requests.patch(url, json={"isRead": True}, headers=AUTH, timeout=5)
    assert answer.status_code == 200, answer.text


def listed(proxy: Running) -> list[dict[str, Any]]:
    answer = requests.get(f"{proxy.control}/sessions/default/notifications", timeout=5)
    found = answer.json()["notifications"]
    assert isinstance(found, list)
    return found


def settled(proxy: Running) -> list[dict[str, Any]]:
    """Wait until none is pending."""
    for _ in range(500):
        found = listed(proxy)
        if all(each["state"] != "pending" for each in found):
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"still pending: {found}")


def test_the_app_is_told_of_a_played_write(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, FLAG, clock=Clock()) as proxy:
        made = subscribed(proxy, app, notificationUrl=f"{app.url}/hook?a=b")
        flag(proxy)
        (told,) = app.wait(1)
    assert told.path == "/hook?a=b"
    assert told.headers["Content-Type"].startswith("application/json")
    (item,) = told.json["value"]
    assert item.pop("id")
    assert item == {
        "subscriptionId": made["id"],
        "subscriptionExpirationDateTime": at(120),
        "clientState": "not-a-real-state",
        "changeType": "updated",
        "resource": "me/messages/AAMk1",
        "tenantId": "fa4e0000-0000-4000-8000-000000000001",
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Message",
            "@odata.id": "me/messages/AAMk1",
            "@odata.etag": 'W/"CQ"',
            "id": "AAMk1",
        },
    }


@pytest.mark.parametrize(
    ("method", "path", "answer", "resource", "told"),
    [
        pytest.param("POST", "/me/messages", '{"id": "N1"}', "me/messages", "created N1", id="new"),
        pytest.param("DELETE", "/me/messages/D1", "", "me/messages", "deleted D1", id="deleted"),
        pytest.param(
            "POST", "/me/messages/M1/move", '{"id": "M2"}', "me/messages", "updated M1", id="action"
        ),
        pytest.param("POST", "/users", '{"id": "U1"}', "users", "updated U1", id="new-user"),
        pytest.param("PATCH", "/users/U1", "", "users/U1", "updated U1", id="the-item-itself"),
        pytest.param(
            "POST", "/groups/G1/members/$ref", "", "groups", "updated G1", id="member-of-a-group"
        ),
        pytest.param(
            "POST",
            "/chats/C1/messages",
            '{"id": "T1"}',
            "chats/getAllMessages",
            "created T1",
            id="all-messages",
        ),
        pytest.param(
            "PATCH", "/me/events('E1')", "{}", "ME/Events", "updated E1", id="key-in-parentheses"
        ),
        pytest.param("GET", "/me/messages/M1", "{}", "me/messages", None, id="a-read"),
        pytest.param("POST", "/me/getMemberGroups", "{}", "users", None, id="a-post-that-reads"),
        pytest.param("PATCH", "/me/contacts/C1", "{}", "me/messages", None, id="another-resource"),
        pytest.param(
            "PATCH", "/users/U1/messages/M1", "{}", "users", None, id="not-of-the-user-itself"
        ),
    ],
)
def test_a_write_is_told_to_those_it_touches(
    method: str, path: str, answer: str, resource: str, told: str | None, tmp_path: Path
) -> None:
    status = 204 if not answer else 200
    tape = exchanged(method, f"/v1.0{path}", answer, status=status, fields=JSON)
    changes = "updated,deleted" if "users" in resource or "groups" in resource else None
    said: dict[str, Any] = {} if changes is None else {"changeType": changes}
    if "chats" in resource:
        said["expirationDateTime"] = at(60)
    with ListeningApp() as app, notifying(tmp_path, app, tape, clock=Clock()) as proxy:
        subscribed(proxy, app, resource=resource, **said)
        requests.request(method, f"{proxy.url}/v1.0{path}", headers=AUTH, timeout=5)
        settled(proxy)
        found = [
            f"{item['changeType']} {item['resourceData']['id']}"  # type: ignore[index]
            for each in app.notified
            for item in each.json["value"]
        ]
    assert found == ([] if told is None else [told])


def test_of_a_drive_the_root_alone_is_named(tmp_path: Path) -> None:
    tape = exchanged("PUT", "/v1.0/me/drive/items/I1/content", '{"id": "I1"}', fields=JSON)
    with ListeningApp() as app, notifying(tmp_path, app, tape, clock=Clock()) as proxy:
        subscribed(proxy, app, resource="/me/drive/root", changeType="updated")
        requests.put(f"{proxy.url}/v1.0/me/drive/items/I1/content", headers=AUTH, timeout=5)
        (told,) = app.wait(1)
    (item,) = told.json["value"]
    assert item["resource"] == "me/drive/root"
    assert item["resourceData"] == {"@odata.type": "#Microsoft.Graph.DriveItem"}


def test_a_write_that_failed_is_told_to_nobody(tmp_path: Path) -> None:
    failed = exchanged("PATCH", "/v1.0/me/messages/X", "{}", status=409, fields=JSON)
    with ListeningApp() as app, notifying(tmp_path, app, failed, FLAG, clock=Clock()) as proxy:
        subscribed(proxy, app)
        requests.patch(f"{proxy.url}/v1.0/me/messages/X", headers=AUTH, timeout=5)
        flag(proxy)
        (told,) = app.wait(1)
    assert told.json["value"][0]["resource"] == "me/messages/AAMk1"


def test_a_batch_and_several_subscriptions_come_in_one_post(tmp_path: Path) -> None:
    other = exchanged("DELETE", "/v1.0/me/messages/AAMk2", "", status=204)
    with ListeningApp() as app, notifying(tmp_path, app, FLAG, other, clock=Clock()) as proxy:
        ids = {subscribed(proxy, app)["id"], subscribed(proxy, app, changeType="deleted")["id"]}
        parts = [
            {
                "id": "1",
                "method": "PATCH",
                "url": "/me/messages/AAMk1",
                "body": {"isRead": True},
                "headers": JSON,
            },
            {"id": "2", "method": "DELETE", "url": "/me/messages/AAMk2"},
        ]
        url = f"{proxy.url}/v1.0/$batch"
        answer = requests.post(url, json={"requests": parts}, headers=AUTH, timeout=5)
        assert answer.status_code == 200, answer.text
        settled(proxy)
        (told,) = app.notified
    items = told.json["value"]
    assert [each["changeType"] for each in items] == ["updated", "deleted", "deleted"]
    assert {each["subscriptionId"] for each in items} == ids


def test_a_change_can_be_told_by_the_control_port(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        made = subscribed(proxy, app, changeType="created")
        (sent,) = tell(proxy, "/me/messages/AAMk9", "created")["notifications"]
        refused = tell(proxy, "/me/messages/AAMk9", "deleted")
        (told,) = app.wait(1)
        (kept,) = settled(proxy)
    assert told.json["value"][0]["resource"] == "me/messages/AAMk9"
    assert sent["subscriptions"] == [made["id"]]
    assert sent["changes"] == ["created me/messages/AAMk9"]
    assert refused["error"]["code"] == "GraphtapeNoSubscription"
    assert "/me/messages" in refused["error"]["message"]
    assert kept["state"] == "delivered"
    assert [each["status"] for each in kept["attempts"]] == [202]
    assert "not-a-real-state" not in json.dumps(kept)


def test_without_notify_the_control_port_says_so(tmp_path: Path) -> None:
    with replaying(taped(tmp_path, FLAG)) as proxy:
        answer = requests.post(
            f"{proxy.control}/sessions/default/notifications",
            json={"resource": "me/messages/1", "changeType": "created"},
            timeout=5,
        )
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "GraphtapeNotNotifying"


def test_a_subscription_that_has_expired_or_was_deleted_is_told_nothing(tmp_path: Path) -> None:
    clock = Clock()
    with ListeningApp() as app, notifying(tmp_path, app, clock=clock) as proxy:
        subscribed(proxy, app, notificationUrl=f"{app.url}/short", expirationDateTime=at(45))
        gone = subscribed(proxy, app, notificationUrl=f"{app.url}/deleted")
        kept = subscribed(proxy, app)
        one = f"{proxy.url}/v1.0/subscriptions/{gone['id']}"
        requests.delete(one, headers=AUTH, timeout=5)
        clock.now += 46 * 60
        tell(proxy, "me/messages/1", "updated")
        settled(proxy)
    assert [each.path for each in app.notified] == ["/hook"]
    assert app.notified[0].json["value"][0]["subscriptionId"] == kept["id"]


def test_sessions_are_told_of_their_own_changes_alone(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        requests.post(f"{proxy.control}/sessions", json={"id": "other"}, timeout=5)
        subscribed(proxy, app, session="/_session/other")
        own = tell(proxy, "me/messages/1", "updated")
        told = tell(proxy, "me/messages/1", "updated", session="other")
        app.wait(1)
    assert own["error"]["code"] == "GraphtapeNoSubscription"
    assert len(told["notifications"]) == 1


def test_what_isnt_accepted_is_sent_again(tmp_path: Path) -> None:
    left = [500, 302, 404]

    def unwilling(arrived: Arrived) -> Answer:
        if arrived.token is None and left:
            return left.pop(0), "text/plain", b""
        return repeats(arrived)

    with ListeningApp(answer=unwilling) as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        subscribed(proxy, app)
        tell(proxy, "me/messages/1", "updated")
        (sent,) = settled(proxy)
    assert [each["status"] for each in sent["attempts"]] == [500, 302, 404, 202]
    assert sent["state"] == "delivered"
    assert len({each.body for each in app.notified}) == 1  # the same notification each time


def test_what_is_never_accepted_is_dropped(tmp_path: Path) -> None:
    def refusing(arrived: Arrived) -> Answer:
        return repeats(arrived) if arrived.token else (503, "text/plain", b"")

    conduct = Conduct(first=10, longest=4 * 3600, hurry=20_000)
    with ListeningApp(answer=refusing) as app:  # noqa: SIM117 - one after the other
        with notifying(tmp_path, app, clock=Clock(), conduct=conduct) as proxy:
            subscribed(proxy, app)
            tell(proxy, "me/messages/1", "updated")
            (sent,) = settled(proxy)
    assert sent["state"] == "dropped"
    assert len(sent["attempts"]) == 11


def test_retries_are_ever_further_apart_for_four_hours() -> None:
    waits = list(Conduct().waits())
    assert all(later == 2 * sooner for sooner, later in pairwise(waits))
    assert sum(waits) <= 4 * 3600 < sum(waits) + 2 * waits[-1]
    assert list(Conduct(hurry=1000).waits()) == [each / 1000 for each in waits]


def test_an_answer_that_takes_too_long_is_none(tmp_path: Path) -> None:
    slow = threading.Event()

    def late(arrived: Arrived) -> Answer:
        if arrived.token is None and not slow.is_set():
            slow.set()
            threading.Event().wait(1)
        return repeats(arrived)

    conduct = Conduct(limit=0.3, first=0.01, longest=1)
    with ListeningApp(answer=late) as app:  # noqa: SIM117 - one after the other
        with notifying(tmp_path, app, clock=Clock(), conduct=conduct) as proxy:
            subscribed(proxy, app)
            tell(proxy, "me/messages/1", "updated")
            (sent,) = settled(proxy)
    assert [each["status"] for each in sent["attempts"]] == [None, 202]
    assert "0.3 s" in sent["attempts"][0]["why"]


def test_retries_end_with_the_subscription(tmp_path: Path) -> None:
    clock = Clock()

    def refusing(arrived: Arrived) -> Answer:
        if arrived.token:
            return repeats(arrived)
        clock.now += 3 * 3600
        return 503, "text/plain", b""

    with ListeningApp(answer=refusing) as app, notifying(tmp_path, app, clock=clock) as proxy:
        subscribed(proxy, app)
        tell(proxy, "me/messages/1", "updated")
        (sent,) = settled(proxy)
    assert (sent["state"], len(sent["attempts"])) == ("dropped", 1)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            {"notify": {"resource": "/me/messages/Z", "changeType": "created"}}, id="bend"
        ),
        pytest.param(
            {
                "timeline": [
                    {"answer": {"status": 202}, "notify": [{"resource": "me/messages/Z"}]},
                    {},
                ]
            },
            id="answer-in-a-timeline",
        ),
        pytest.param({"fault": "close", "notify": {"resource": "me/messages/Z"}}, id="fault"),
    ],
)
def test_a_scenario_notifies(rule: dict[str, Any], tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, FLAG, clock=Clock()) as proxy:
        subscribed(proxy, app)
        scenario = {"name": "mine", "rules": [{"when": {"path": "/me/messages/{id}"}, **rule}]}
        url = f"{proxy.control}/sessions/default/scenario"
        requests.put(url, json=scenario, timeout=5).raise_for_status()
        try:
            flag(proxy)
        except (requests.ConnectionError, AssertionError):
            assert "notify" in str(rule)
        (told,) = app.wait(1)
        items = {str(each["resource"]): each for each in told.json["value"]}
        assert "me/messages/Z" in items
        named = [each for each in proxy.entries if "notify" in each.effects]
    assert len(named) == (0 if rule.get("fault") else 1)


@pytest.mark.parametrize(
    "notice",
    [
        pytest.param({"resource": "me/messages/1", "changeType": "moved"}, id="unknown-change"),
        pytest.param({"resource": "/"}, id="no-resource"),
        pytest.param({"changeType": "created"}, id="resource-missing"),
        pytest.param({"lifecycleEvent": "renewed"}, id="unknown-event"),
        pytest.param({"lifecycleEvent": "missed", "changeType": "created"}, id="event-and-change"),
        pytest.param({"resource": "me/messages?$top=1"}, id="a-query"),
        pytest.param({"resource": "me/messages/1", "changetype": "created"}, id="unknown-key"),
    ],
)
def test_a_notice_that_is_none_is_refused(notice: dict[str, str], tmp_path: Path) -> None:
    with replaying(taped(tmp_path, FLAG)) as proxy:
        answer = requests.put(
            f"{proxy.control}/sessions/default/scenario",
            json={"name": "mine", "rules": [{"notify": notice}]},
            timeout=5,
        )
    assert answer.status_code == 400
    assert "notify" in answer.json()["error"]["message"]


def test_a_scenario_that_notifies_nobody_says_so(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text("name: mine\nrules:\n- notify: {resource: me/messages/1}\n")
    tape = taped(tmp_path, FLAG)
    done = graphtape("replay", tape, "--scenario", scenario, "--", "true", cwd=tmp_path)
    assert "--notify" in done.stderr


def told_of_life(proxy: Running, event: str, **more: str) -> dict[str, Any]:
    answer = requests.post(
        f"{proxy.control}/sessions/default/notifications",
        json={"lifecycleEvent": event, **more},
        timeout=5,
    )
    found = answer.json()
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("event", ["reauthorizationRequired", "subscriptionRemoved", "missed"])
def test_a_lifecycle_event_goes_to_its_own_url(event: str, tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        made = subscribed(proxy, app, lifecycleNotificationUrl=f"{app.url}/life")
        subscribed(proxy, app, notificationUrl=f"{app.url}/none")  # takes none
        told_of_life(proxy, event)
        (told,) = app.wait(1)
        settled(proxy)
        kept = requests.get(f"{proxy.url}/v1.0/subscriptions/{made['id']}", headers=AUTH, timeout=5)
    assert told.path == "/life"
    assert told.json["value"] == [
        {
            "subscriptionId": made["id"],
            "subscriptionExpirationDateTime": at(120),
            "tenantId": "fa4e0000-0000-4000-8000-000000000001",
            "clientState": "not-a-real-state",
            "lifecycleEvent": event,
        }
    ]
    assert kept.status_code == (404 if event == "subscriptionRemoved" else 200)
    assert len(app.notified) == 1


def test_an_event_that_graph_does_not_send_for_a_resource_is_refused(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        url = f"{app.url}/life"
        subscribed(proxy, app, resource="users", changeType="updated", lifecycleNotificationUrl=url)
        missed = told_of_life(proxy, "missed")
        other = told_of_life(proxy, "reauthorizationRequired", resource="me/messages")
        sent = told_of_life(proxy, "reauthorizationRequired", resource="/users")
    assert missed["error"]["code"] == "GraphtapeNoSubscription"
    assert other["error"]["code"] == "GraphtapeNoSubscription"
    assert sent["notifications"][0]["changes"] == ["reauthorizationRequired users"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"resource": "me/messages/1"}, id="no-change"),
        pytest.param({"changeType": "created"}, id="no-resource"),
        pytest.param({"changeType": "created", "lifecycleEvent": "missed"}, id="both"),
    ],
)
def test_what_is_neither_change_nor_event_is_refused(body: dict[str, str], tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        url = f"{proxy.control}/sessions/default/notifications"
        answer = requests.post(url, json=body, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "GraphtapeBody"


def test_an_app_is_asked_once_to_reauthorize_what_is_about_to_end(tmp_path: Path) -> None:
    clock = Clock()
    conduct = Conduct(watch=0.01)
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(tmp_path, app, clock=clock, conduct=conduct) as proxy:
            made = subscribed(proxy, app, lifecycleNotificationUrl=f"{app.url}/life")
            clock.now += 104 * 60
            threading.Event().wait(0.1)
            before = len(app.notified)
            clock.now += 60
            app.wait(1)
            threading.Event().wait(0.1)
            once = len(app.notified)
            one = f"{proxy.url}/v1.0/subscriptions/{made['id']}"
            renewal = {"expirationDateTime": at(240)}
            requests.patch(one, json=renewal, headers=AUTH, timeout=5).raise_for_status()
            clock.now += 121 * 60
            (first, second) = app.wait(2)
    assert (before, once) == (0, 1)
    assert first.json["value"][0]["lifecycleEvent"] == "reauthorizationRequired"
    assert first.json["value"][0]["subscriptionExpirationDateTime"] == at(120)
    assert second.json["value"][0]["subscriptionExpirationDateTime"] == at(240)


def test_a_scenario_removes_a_subscription(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, FLAG, clock=Clock()) as proxy:
        made = subscribed(proxy, app, lifecycleNotificationUrl=f"{app.url}/life")
        scenario = {
            "name": "removed",
            "rules": [{"notify": {"lifecycleEvent": "subscriptionRemoved"}}],
        }
        url = f"{proxy.control}/sessions/default/scenario"
        requests.put(url, json=scenario, timeout=5).raise_for_status()
        flag(proxy)
        settled(proxy)
        gone = requests.get(f"{proxy.url}/v1.0/subscriptions/{made['id']}", headers=AUTH, timeout=5)
    assert sorted(each.path for each in app.notified) == ["/hook", "/life"]
    assert gone.status_code == 404
