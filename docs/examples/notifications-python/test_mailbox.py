"""Tests of an app that is notified of changes: offline, with the standard library's unittest.

Run them: graphtape replay cassettes/mail.yaml --notify http://127.0.0.1:3000 -- python -m unittest

Each test has a session of its own, so that none hears of another's changes.
"""

import os
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any

import requests

from mailbox_app import Mailbox

CONTROL = os.environ["GRAPHTAPE_CONTROL_URL"]
PORT = int(os.environ.get("APP_PORT", "3000"))
MESSAGE = "AAMkExample1"


DIRECT = requests.Session()
DIRECT.trust_env = False  # whatever proxies the environment names


def control(method: str, path: str, body: object = None) -> dict[str, Any]:
    answer = DIRECT.request(method, CONTROL + path, json=body, timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


class TestMailbox(unittest.TestCase):
    def setUp(self) -> None:
        opened = control("POST", "/sessions", {})
        self.session = f"/sessions/{opened['id']}"
        self.addCleanup(control, "DELETE", self.session)
        self.mailbox = Mailbox(opened["base_url"], "not-a-real-token", PORT)
        self.addCleanup(self.mailbox.close)
        self.mailbox.subscribe()

    def happens(self, **what: str) -> None:
        """Let something happen in the mailbox, and wait until the app has been told."""
        sent = control("POST", f"{self.session}/notifications", what)["notifications"]
        numbers = {each["number"] for each in sent}
        self.eventually(lambda: numbers <= self.delivered(), "the app didn't accept it")

    def delivered(self) -> set[int]:
        told = control("GET", f"{self.session}/notifications")["notifications"]
        return {each["number"] for each in told if each["state"] == "delivered"}

    def eventually(self, is_so: Callable[[], object], otherwise: str) -> None:
        end = time.monotonic() + 20
        while not is_so():
            self.assertLess(time.monotonic(), end, otherwise)
            threading.Event().wait(0.02)

    def calls(self) -> list[str]:
        journal = control("GET", f"{self.session}/journal")["entries"]
        return [f"{each['method']} {each['url'].partition('/v1.0/')[2]}" for each in journal]

    def changed(self, **more: str) -> None:
        self.happens(resource=f"me/messages/{MESSAGE}", changeType="updated", **more)

    def test_a_changed_message_is_read(self) -> None:
        self.changed()
        self.eventually(lambda: self.mailbox.subjects, "nothing was read")
        self.assertEqual(self.mailbox.subjects, {MESSAGE: "Minutes of Monday"})

    def test_a_notification_that_comes_twice_is_processed_once(self) -> None:
        self.changed(fault="doubled")
        self.mailbox.close()
        self.assertEqual(self.calls().count(f"GET me/messages/{MESSAGE}"), 1)

    def test_a_notification_with_a_wrong_state_is_ignored(self) -> None:
        self.changed(fault="wrong-client-state")
        self.mailbox.close()
        self.assertEqual(self.calls(), ["POST subscriptions"])

    def test_a_subscription_that_is_about_to_end_is_renewed(self) -> None:
        self.happens(lifecycleEvent="reauthorizationRequired")
        self.mailbox.close()
        self.assertEqual(self.calls()[1:], [f"PATCH subscriptions/{self.mailbox.subscription}"])

    def test_a_subscription_that_was_removed_is_made_again(self) -> None:
        first = self.mailbox.subscription
        self.happens(lifecycleEvent="subscriptionRemoved")
        self.mailbox.close()
        self.assertNotEqual(self.mailbox.subscription, first)
        self.assertEqual(len(self.mailbox.subjects), 2)

    def test_what_was_missed_is_read(self) -> None:
        self.changed(fault="missed")
        self.mailbox.close()
        self.assertEqual(len(self.mailbox.subjects), 2)


if __name__ == "__main__":
    unittest.main()
