"""The app under test: it disconnects a tenant from ChromeOS, with requests."""

from __future__ import annotations

import time

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"


class OffboardingError(Exception):
    """The tenant is still connected."""


def session(token: str) -> requests.Session:
    """Open a session that comes back when Graph says so."""
    # allowed_methods=None: a POST too, since Graph hasn't acted on what it answers with 429.
    retry = Retry(total=3, status_forcelist=[429], allowed_methods=None, raise_on_status=False)
    opened = requests.Session()
    for scheme in ("http://", "https://"):
        opened.mount(scheme, HTTPAdapter(max_retries=retry))
    opened.headers["Authorization"] = f"Bearer {token}"
    return opened


def offboard(graph: str, token: str, *, pause: float = 10, polls: int = 30) -> int:
    """Disconnect, wait until every setting is let go, and return how many polls it took.

    Args:
        graph: `https://graph.microsoft.com`, or what stands in for it.
        token: With DeviceManagementConfiguration.ReadWrite.All.
        pause: Seconds between two polls.
        polls: How many, before it gives up.

    Raises:
        OffboardingError: Intune says that it failed, or doesn't say that it is done.
        requests.HTTPError: Graph refused a call.
    """
    with session(token) as http:
        answer = http.post(f"{graph}{SETTINGS}/disconnect", timeout=30)
        answer.raise_for_status()
        if answer.json()["value"] == "failed":
            raise OffboardingError("Intune didn't take the disconnect")

        for poll in range(1, polls + 1):
            answer = http.get(graph + SETTINGS, timeout=30)
            answer.raise_for_status()
            statuses = {setting["onboardingStatus"] for setting in answer.json()["value"]}
            if "failed" in statuses:
                raise OffboardingError("the disconnect was taken, and failed later")
            if statuses <= {"unknown"}:
                return poll
            time.sleep(pause)  # noqa: TID251 - a script of its own, no event loop
    raise OffboardingError(f"not done after {polls} polls")
