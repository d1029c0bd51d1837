"""Tests of an app that uses requests: offline, with unittest and one cassette.

Run them:                  python -m unittest
Record the cassette anew:  python test_offboarding.py record
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

import graphtape
import requests

from offboarding import OffboardingError, offboard

# A disconnect and three polls.
CASSETTE = Path(__file__).parent / "cassettes" / "disconnect.yaml"
TOKEN = "not-a-real-token"


class OffboardingTest(unittest.TestCase):
    def setUp(self) -> None:
        # Each test plays the cassette from its start. A request it has no answer for fails the
        # test as the proxy ends.
        self.graph = self.enterContext(graphtape.replay(CASSETTE))

    def offboard(self) -> int:
        return offboard(self.graph.base_url, TOKEN, pause=0, polls=5)

    def test_it_waits_until_every_setting_is_let_go(self) -> None:
        self.assertEqual(self.offboard(), 3)
        self.assertEqual([call.method for call in self.graph.calls], ["POST", "GET", "GET", "GET"])

    def test_a_disconnect_that_fails_at_once_is_not_waited_for(self) -> None:
        self.graph.status("disconnect=failed")
        with self.assertRaisesRegex(OffboardingError, "didn't take"):
            self.offboard()
        self.assertEqual(len(self.graph.calls), 1)

    def test_a_disconnect_that_fails_later_is_told(self) -> None:
        self.graph.scenario("late-failure")
        with self.assertRaisesRegex(OffboardingError, "failed later"):
            self.offboard()
        self.assertEqual(len(self.graph.calls), 4)

    def test_it_gives_up_on_a_tenant_that_is_never_let_go(self) -> None:
        self.graph.scenario("stuck-offboarding")
        with self.assertRaisesRegex(OffboardingError, "after 5 polls"):
            self.offboard()

    def test_a_throttled_disconnect_is_repeated_once_graph_allows_it(self) -> None:
        self.graph.scenario("throttled")
        self.assertEqual(self.offboard(), 3)
        self.assertEqual([call.status for call in self.graph.calls], [429, 200, 200, 200, 200])
        self.assertFalse(self.graph.report().verdicts)  # it waited as long as Retry-After says

    def test_a_missing_permission_is_not_repeated(self) -> None:
        self.graph.scenario("forbidden")
        with self.assertRaisesRegex(requests.HTTPError, "403"):
            self.offboard()
        self.assertEqual(len(self.graph.calls), 1)


def record() -> None:
    """Record the cassette from the simulated tenant; `upstream="global"` takes a real one."""
    with graphtape.record(CASSETTE, upstream="sandbox", mode="all") as proxy:
        offboard(proxy.base_url, TOKEN, pause=0)


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        record()
    else:
        unittest.main()
