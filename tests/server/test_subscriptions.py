"""`/subscriptions` under --notify: validation, lifetimes, renewal, and the end of one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from commands import graphtape
from graphtape.core.notification.conduct import Conduct
from proxies import AUTH, RawServer, replaying
from tapes import exchanged, taped
from webhooks import (
    Arrived,
    Clock,
    ListeningApp,
    at,
    notifying,
    repeats,
    rich,
    subscribe,
    subscribed,
    wanted,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from webhooks import Answer

DAY = 24 * 60


def error_of(answer: requests.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_a_subscription_is_made_once_its_app_repeats_the_token(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        answer = subscribe(proxy, f"{app.url}/hook?tenant=a%20b")
        made = answer.json()
    assert answer.status_code == 201
    assert made["resource"] == "/me/messages"
    assert made["expirationDateTime"] == at(120)
    assert made["notificationUrl"] == f"{app.url}/hook?tenant=a%20b"
    assert made["clientState"] == "not-a-real-state"
    assert made["@odata.context"].endswith("/v1.0/$metadata#subscriptions/$entity")
    (asked,) = app.arrived
    assert asked.path.startswith("/hook?tenant=a%20b&validationToken=")
    assert asked.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert asked.token is not None
    assert " " in asked.token  # an app that returns it as it stands in the URL fails
    assert asked.body == b""


def test_both_urls_are_validated(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        subscribed(proxy, app, lifecycleNotificationUrl=f"{app.url}/lifecycle")
    assert [each.path.partition("?")[0] for each in app.arrived] == ["/hook", "/lifecycle"]


def undecoded(arrived: Arrived) -> Answer:
    return 200, "text/plain", arrived.path.partition("validationToken=")[2].encode()


def in_json(arrived: Arrived) -> Answer:
    return 200, "application/json", (arrived.token or "").encode()


def accepted(arrived: Arrived) -> Answer:
    return 202, "text/plain", (arrived.token or "").encode()


def elsewhere(_: Arrived) -> Answer:
    return 307, "text/plain", b""


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(undecoded, id="not-decoded"),
        pytest.param(in_json, id="another-media-type"),
        pytest.param(accepted, id="not-200"),
        pytest.param(elsewhere, id="a-redirect"),
    ],
)
def test_an_app_that_fails_its_validation_gets_no_subscription(
    answer: Callable[[Arrived], Answer], tmp_path: Path
) -> None:
    with RawServer() as other, ListeningApp(answer=answer) as app:
        app.fields["Location"] = f"{other.url}/hook"
        with notifying(tmp_path, app, clock=Clock()) as proxy:
            status, code, message = error_of(subscribe(proxy, app))
            listed = requests.get(f"{proxy.url}/v1.0/subscriptions", headers=AUTH, timeout=5)
    assert (status, code) == (400, "ValidationError")
    assert message.startswith("Subscription validation request failed.")
    assert listed.json()["value"] == []
    assert not other.requests


def test_an_app_that_answers_too_late_gets_no_subscription(tmp_path: Path) -> None:
    def late(arrived: Arrived) -> Answer:
        threading.Event().wait(1)
        return repeats(arrived)

    conduct = Conduct(limit=0.2)
    with (
        ListeningApp(answer=late) as app,
        notifying(tmp_path, app, clock=Clock(), conduct=conduct) as proxy,
    ):
        found = error_of(subscribe(proxy, app))
    assert found == (400, "ValidationError", "Subscription validation request timed out.")


def test_no_other_origin_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer() as other, ListeningApp() as app:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with notifying(tmp_path, app, clock=Clock()) as proxy, requests.Session() as client:
            client.trust_env = False

            def post(url: str) -> int:
                return client.post(
                    f"{proxy.url}/v1.0/subscriptions",
                    json=wanted(url),
                    headers=AUTH,
                    timeout=30,
                ).status_code

            port = app.url.rpartition(":")[2]
            refused = [
                post(url)
                for url in (
                    f"{other.url}/hook",
                    f"http://localhost:{port}/hook",
                    f"https://127.0.0.1:{port}/hook",
                    f"http://127.0.0.1:{port}@{other.url.removeprefix('http://')}/hook",
                    "//example.test/hook",
                    "no url",
                )
            ]
            allowed = post(f"{app.url}/hook")
    assert refused == [400] * 6
    assert allowed == 201
    assert other.connections == 0
    assert len(app.arrived) == 1


@pytest.mark.parametrize(
    ("resource", "minutes", "changes"),
    [
        pytest.param("/me/mailFolders('Inbox')/messages", 10080, {}, id="message"),
        pytest.param("users/7f3a/events", 10080, {}, id="event-of-a-user"),
        pytest.param("/users", 41760, {"changeType": "updated"}, id="users"),
        pytest.param("/me/drive/root", 42300, {"changeType": "updated"}, id="drive-item"),
        pytest.param("security/alerts?$filter=status eq 'New'", 43200, {}, id="alert"),
        pytest.param("communications/presences/7f3a", 60, {}, id="presence"),
        pytest.param("print/printers/7f3a/jobs", 4230, {}, id="print-job"),
        pytest.param("deviceManagement/managedDevices", 4230, {}, id="not-listed"),
        pytest.param("/me/messages", 1440, rich(), id="rich-message"),
    ],
)
def test_a_lifetime_ends_where_the_resource_says(
    resource: str, minutes: int, changes: dict[str, Any], tmp_path: Path
) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        said = {"resource": resource, **changes}
        longest = subscribe(proxy, app, expirationDateTime=at(minutes), **said)
        longer = subscribe(proxy, app, expirationDateTime=at(minutes + 1), **said)
    assert longest.status_code == 201, longest.text
    assert error_of(longer) == (
        400,
        "ExtensionError",
        f"Subscription expiration can only be {minutes} minutes in the future.",
    )


def test_a_short_lifetime_becomes_45_minutes(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        made = subscribed(proxy, app, expirationDateTime=at(5))
    assert made["expirationDateTime"] == at(45)


def test_teams_resources_need_lifecycle_notifications_beyond_an_hour(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        resource = "/teams/7f3a/channels/19:b/messages"
        hour = subscribe(proxy, app, resource=resource, expirationDateTime=at(60))
        more = subscribe(proxy, app, resource=resource, expirationDateTime=at(61))
        both = subscribe(
            proxy,
            app,
            resource=resource,
            expirationDateTime=at(4320),
            lifecycleNotificationUrl=f"{app.url}/lifecycle",
        )
    assert (hour.status_code, both.status_code) == (201, 201)
    assert error_of(more)[:2] == (400, "InvalidRequest")
    assert "lifecycleNotificationUrl is a required property" in error_of(more)[2]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        *(
            pytest.param({name: None}, name, id=f"no-{name}")
            for name in ("changeType", "notificationUrl", "resource", "expirationDateTime")
        ),
        pytest.param({"changeType": "moved"}, "moved", id="unknown-change"),
        pytest.param(
            {"resource": "/me/drive/root", "changeType": "updated,created"},
            "created",
            id="change-that-drives-do-not-tell",
        ),
        pytest.param({"expirationDateTime": "tomorrow"}, "expirationDateTime", id="no-date"),
        pytest.param({"clientState": "x" * 129}, "clientState", id="long-state"),
        pytest.param({"clientstate": "x"}, "clientstate", id="unknown-property"),
        pytest.param({"resource": 7}, "resource", id="no-text"),
        pytest.param({"includeResourceData": True}, "encryptionCertificate", id="no-certificate"),
        pytest.param(
            {**rich(), "encryptionCertificate": "AAAA"}, "encryptionCertificate", id="no-x509"
        ),
        pytest.param(
            {**rich(), "encryptionCertificate": "!"}, "encryptionCertificate", id="no-base64"
        ),
        pytest.param(rich(1024), "encryptionCertificate", id="a-short-key"),
        pytest.param(
            {**rich(), "resource": "users", "changeType": "updated"},
            "includeResourceData",
            id="data-of-users",
        ),
    ],
)
def test_a_body_that_graph_refuses_is_refused_before_the_app_is_asked(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        status, _, message = error_of(subscribe(proxy, app, **changes))
    assert status == 400
    assert named in message
    assert not app.arrived


def test_a_subscription_is_read_renewed_reauthorized_and_deleted(tmp_path: Path) -> None:
    clock = Clock()
    with ListeningApp() as app, notifying(tmp_path, app, clock=clock) as proxy:
        root = f"{proxy.url}/v1.0/subscriptions"
        made = subscribed(proxy, app)
        one = f"{root}/{made['id']}"
        clock.now += 60 * 60
        got = requests.get(one, headers=AUTH, timeout=5)
        listed = requests.get(root, headers=AUTH, timeout=5)
        renewed = requests.patch(one, json={"expirationDateTime": at(DAY)}, headers=AUTH, timeout=5)
        again = requests.post(f"{one}/reauthorize", headers=AUTH, timeout=5)
        empty = requests.patch(one, json={}, headers=AUTH, timeout=5)
        clock.now += 10 * 60 * 60
        kept = requests.get(one, headers=AUTH, timeout=5)
        deleted = requests.delete(one, headers=AUTH, timeout=5)
        gone = [
            requests.get(one, headers=AUTH, timeout=5),
            requests.patch(one, json={"expirationDateTime": at(DAY)}, headers=AUTH, timeout=5),
            requests.delete(one, headers=AUTH, timeout=5),
            requests.post(f"{one}/reauthorize", headers=AUTH, timeout=5),
        ]
    assert got.json() == made
    assert [each["id"] for each in listed.json()["value"]] == [made["id"]]
    assert renewed.status_code == 200
    assert renewed.json() == {**made, "expirationDateTime": at(DAY)}
    assert again.status_code == 204
    assert error_of(empty)[:2] == (400, "InvalidRequest")
    assert kept.json()["expirationDateTime"] == at(DAY)
    assert deleted.status_code == 204
    assert deleted.content == b""
    assert [error_of(each)[:2] for each in gone] == [(404, "ResourceNotFound")] * 4


def test_a_subscription_that_nobody_renews_is_gone(tmp_path: Path) -> None:
    clock = Clock()
    with ListeningApp() as app, notifying(tmp_path, app, clock=clock) as proxy:
        made = subscribed(proxy, app)
        one = f"{proxy.url}/beta/subscriptions('{made['id']}')"
        clock.now += 120 * 60 - 1
        before = requests.get(one, headers=AUTH, timeout=5)
        clock.now += 1
        after = requests.patch(one, json={"expirationDateTime": at(DAY)}, headers=AUTH, timeout=5)
        listed = requests.get(f"{proxy.url}/v1.0/subscriptions", headers=AUTH, timeout=5)
    assert before.status_code == 200
    assert error_of(after) == (404, "ResourceNotFound", "The object was not found.")
    assert listed.json()["value"] == []


def test_a_renewal_beyond_the_lifetime_is_refused_and_a_new_url_validated(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        one = f"{proxy.url}/v1.0/subscriptions/{subscribed(proxy, app)['id']}"
        late = requests.patch(
            one, json={"expirationDateTime": at(8 * DAY)}, headers=AUTH, timeout=5
        )
        moved = requests.patch(
            one, json={"notificationUrl": f"{app.url}/other"}, headers=AUTH, timeout=5
        )
        away = requests.patch(
            one, json={"notificationUrl": "http://127.0.0.1:9/x"}, headers=AUTH, timeout=5
        )
        kept = requests.get(one, headers=AUTH, timeout=5).json()
    assert error_of(late)[:2] == (400, "ExtensionError")
    assert moved.status_code == 200
    assert error_of(away)[:2] == (400, "ValidationError")
    assert kept["notificationUrl"] == f"{app.url}/other"
    assert kept["expirationDateTime"] == at(120)


def test_sessions_do_not_see_each_others_subscriptions(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        requests.post(f"{proxy.control}/sessions", json={"id": "other"}, timeout=5)
        made = subscribed(proxy, app, session="/_session/other")
        path = f"v1.0/subscriptions/{made['id']}"
        own = requests.get(f"{proxy.url}/_session/other/{path}", headers=AUTH, timeout=5)
        foreign = requests.get(f"{proxy.url}/{path}", headers=AUTH, timeout=5)
    assert (own.status_code, foreign.status_code) == (200, 404)


def test_a_scenario_comes_before_graphs_answer(tmp_path: Path) -> None:
    rule = {
        "when": {"path": "/subscriptions"},
        "calls": "first",
        "answer": {"error": "TooManyRequests"},
    }
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        requests.put(
            f"{proxy.control}/sessions/default/scenario",
            json={"name": "busy", "rules": [rule]},
            timeout=5,
        ).raise_for_status()
        first = subscribe(proxy, app)
        second = subscribe(proxy, app)
    assert (first.status_code, second.status_code) == (429, 201)


def test_without_notify_the_tape_answers(tmp_path: Path) -> None:
    with ListeningApp() as app:
        tape = taped(
            tmp_path,
            exchanged(
                "POST", "/v1.0/subscriptions", '{"id": "as-recorded"}', status=201, body=None
            ),
        )
        with replaying(tape, match_on=("method", "path")) as proxy:
            made = subscribe(proxy, app)
    assert made.json()["id"] == "as-recorded"
    assert not app.arrived


def test_sessions_that_proxies_share_notify_nobody(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    shared = ("--state", "redis://127.0.0.1:9/0")
    done = graphtape(
        "replay", tape, "--notify", "http://127.0.0.1:3000", *shared, "--", "true", cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--notify" in done.stderr


def test_a_notify_that_is_no_origin_is_a_usage_error(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    done = graphtape("replay", tape, "--notify", "http://127.0.0.1:3000/hook", cwd=tmp_path)
    assert done.returncode == 2
    assert "--notify" in done.stderr
