"""Notifications that go wrong, and verdicts on what the app makes of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from graphtape.core.notification.conduct import Conduct
from graphtape.scenarios import presets
from proxies import AUTH
from tapes import exchanged
from webhooks import Clock, ListeningApp, at, notifying, repeats, subscribed

if TYPE_CHECKING:
    from pathlib import Path

    from proxies import Running
    from webhooks import Answer, Arrived

JSON = {"Content-Type": "application/json"}
QUICK = Conduct(limit=5, first=0.02, longest=0.2, late=0.3, watch=0.01)
NAMES = ("A", "B", "C", "D")
TAPE = [
    exchanged("PATCH", f"/v1.0/me/messages/{name}", "{}", body="{}", asked=JSON, fields=JSON)
    for name in NAMES
]
READS = [exchanged("GET", f"/v1.0/me/messages/{name}", "{}", fields=JSON) for name in NAMES]


def write(proxy: Running, name: str) -> None:
    url = f"{proxy.url}/v1.0/me/messages/{name}"
    requests.patch(url, json={}, headers=AUTH, timeout=5).raise_for_status()


def read(proxy: Running, name: str) -> None:
    requests.get(f"{proxy.url}/v1.0/me/messages/{name}", headers=AUTH, timeout=5).raise_for_status()


def names(app: ListeningApp) -> list[str]:
    return [str(each.json["value"][0].get("resource"))[-1] for each in app.notified]


def post(proxy: Running, **body: str) -> requests.Response:
    url = f"{proxy.control}/sessions/default/notifications"
    return requests.post(url, json=body, timeout=5)


def verdicts(proxy: Running) -> dict[str, str]:
    """Return the text of the last verdict of each kind."""
    report = proxy.proxy.reports()[0]
    return {each.kind.value: each.text for each in report.verdicts}


def test_doubled(tmp_path: Path) -> None:
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(
            tmp_path, app, *TAPE, clock=Clock(), scenario=("notifications-doubled",)
        ) as proxy:
            subscribed(proxy, app)
            write(proxy, "A")
            first, second = app.wait(2)
    assert first.body == second.body


def test_out_of_order(tmp_path: Path) -> None:
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(
            tmp_path,
            app,
            *TAPE,
            clock=Clock(),
            conduct=Conduct(late=600),
            scenario=("notifications-out-of-order",),
        ) as proxy:
            subscribed(proxy, app)
            for name in NAMES:
                write(proxy, name)
            app.wait(4)
    order = names(app)
    assert sorted(order) == list(NAMES)
    assert order.index("B") < order.index("A")
    assert order.index("D") < order.index("C")


def test_what_nothing_overtakes_comes_late(tmp_path: Path) -> None:
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(
            tmp_path,
            app,
            *TAPE,
            clock=Clock(),
            conduct=QUICK,
            scenario=("notifications-out-of-order",),
        ) as proxy:
            subscribed(proxy, app)
            write(proxy, "A")
            app.wait(1)
    assert names(app) == ["A"]


def test_late(tmp_path: Path) -> None:
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(tmp_path, app, *TAPE, clock=Clock(), conduct=QUICK) as proxy:
            subscribed(proxy, app)
            assert post(proxy, resource="me/messages/A", changeType="updated", fault="late").ok
            write(proxy, "B")
            app.wait(2)
    assert names(app) == ["B", "A"]


def test_after_expiry(tmp_path: Path) -> None:
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(
            tmp_path, app, *TAPE, clock=Clock(), scenario=("notifications-after-expiry",)
        ) as proxy:
            made = subscribed(proxy, app)
            write(proxy, "A")
            (told,) = app.wait(1)
            one = f"{proxy.url}/v1.0/subscriptions/{made['id']}"
            gone = requests.get(one, headers=AUTH, timeout=5)
    (item,) = told.json["value"]
    assert item["subscriptionId"] == made["id"]
    assert str(item["subscriptionExpirationDateTime"]) < at(0)
    assert gone.status_code == 404


@pytest.mark.parametrize("takes", [True, False])
def test_missed(takes: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(
            tmp_path, app, *TAPE, clock=Clock(), scenario=("notifications-missed",)
        ) as proxy:
            more: dict[str, Any] = {"lifecycleNotificationUrl": f"{app.url}/life"} if takes else {}
            subscribed(proxy, app, **more)
            write(proxy, "A")
            requests.delete(f"{proxy.control}/sessions/default/scenario", timeout=5)
            write(proxy, "B")
            app.wait(2 if takes else 1)
    found = [(each.path, each.json["value"][0].get("lifecycleEvent")) for each in app.notified]
    assert sorted(found, key=str) == ([("/hook", None)] + [("/life", "missed")] * takes)


def test_an_app_that_acts_on_a_wrong_client_state_is_told_so(tmp_path: Path) -> None:
    with ListeningApp() as app:  # noqa: SIM117 - one after the other
        with notifying(
            tmp_path,
            app,
            *TAPE,
            *READS,
            clock=Clock(),
            scenario=("notifications-wrong-client-state",),
        ) as proxy:
            subscribed(proxy, app)
            write(proxy, "A")
            (told,) = app.wait(1)
            for each in listed(proxy, 1):
                assert each["state"] == "delivered"
            read(proxy, "B")
            before = verdicts(proxy)
            read(proxy, "A")
            after = verdicts(proxy)
    assert told.json["value"][0]["clientState"] != "not-a-real-state"
    assert "wrong-client-state" not in before
    assert "GET /v1.0/me/messages/A" in after["wrong-client-state"]


def listed(proxy: Running, count: int) -> list[dict[str, Any]]:
    """Wait until so many are delivered."""
    for _ in range(500):
        url = f"{proxy.control}/sessions/default/notifications"
        found = requests.get(url, timeout=5).json()["notifications"]
        if sum(each["state"] == "delivered" for each in found) >= count:
            assert isinstance(found, list)
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"not delivered: {found}")


def test_what_a_right_notification_names_as_well_may_be_read(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, *READS, clock=Clock()) as proxy:
        subscribed(proxy, app)
        for fault in ({"fault": "wrong-client-state"}, {}):
            post(proxy, resource="me/messages/A", changeType="updated", **fault)
            listed(proxy, 1 if fault else 2)
        read(proxy, "A")
        found = verdicts(proxy)
    assert "wrong-client-state" not in found


@pytest.mark.parametrize("answers", [True, False])
def test_a_slow_acknowledgement_is_a_verdict(answers: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    def slow(arrived: Arrived) -> Answer:
        if arrived.token is None:
            threading.Event().wait(0.6)
        return repeats(arrived)

    conduct = Conduct(limit=30 if answers else 0.3, advised=0.2, first=0.01, longest=0.01)
    with ListeningApp(answer=slow) as app:  # noqa: SIM117 - one after the other
        with notifying(tmp_path, app, clock=Clock(), conduct=conduct) as proxy:
            subscribed(proxy, app)
            post(proxy, resource="me/messages/A", changeType="updated")
            for _ in range(500):
                if "slow-acknowledgement" in verdicts(proxy):
                    break
                threading.Event().wait(0.02)
            found = verdicts(proxy)
    said = "was answered after" if answers else "had no answer in"
    assert said in found["slow-acknowledgement"]


def test_a_subscription_that_expired_was_never_renewed(tmp_path: Path) -> None:
    clock = Clock()
    with ListeningApp() as app, notifying(tmp_path, app, clock=clock) as proxy:
        subscribed(proxy, app)
        deleted = subscribed(proxy, app, resource="me/events")["id"]
        requests.delete(f"{proxy.url}/v1.0/subscriptions/{deleted}", headers=AUTH, timeout=5)
        clock.now += 121 * 60
    assert verdicts(proxy)["never-renewed"] == "the subscription to '/me/messages' expired"


@pytest.mark.parametrize("call", ["reauthorize", "renew", "delete", "nothing"])
def test_a_subscription_whose_app_was_asked_to_reauthorize_it(call: str, tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        made = subscribed(proxy, app, lifecycleNotificationUrl=f"{app.url}/life")
        post(proxy, lifecycleEvent="reauthorizationRequired")
        one = f"{proxy.url}/v1.0/subscriptions/{made['id']}"
        match call:
            case "reauthorize":
                requests.post(f"{one}/reauthorize", headers=AUTH, timeout=5).raise_for_status()
            case "renew":
                body = {"expirationDateTime": at(200)}
                requests.patch(one, json=body, headers=AUTH, timeout=5).raise_for_status()
            case "delete":
                requests.delete(one, headers=AUTH, timeout=5).raise_for_status()
            case _:
                pass
    assert ("never-renewed" in verdicts(proxy)) is (call == "nothing")


def test_a_fault_needs_a_change(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, clock=Clock()) as proxy:
        subscribed(proxy, app, lifecycleNotificationUrl=f"{app.url}/life")
        with_event = post(proxy, lifecycleEvent="missed", fault="late")
        unknown = post(proxy, resource="me/messages/A", changeType="updated", fault="lost")
    assert (with_event.status_code, unknown.status_code) == (400, 400)
    assert not app.notified


def test_every_fault_has_a_preset() -> None:
    from graphtape.core.scenario.notice import NoticeFault  # noqa: PLC0415 - of this test alone

    named = {name.removeprefix("notifications-") for name in presets() if "notifications" in name}
    assert named == {each.value for each in NoticeFault}
