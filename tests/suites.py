"""Runs suites of a user's tests through the pytest plugin, each in a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tapes import exchanged

if TYPE_CHECKING:
    from pathlib import Path

    from tapes import Interaction

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
ENTITY = f"{SETTINGS}/00000000-0000-0000-0000-000000000001"
DISCONNECT = f"{SETTINGS}/disconnect"

_JSON = {"Content-Type": "application/json"}

_ASKING = f'''
import json
import urllib.error
import urllib.request

SETTINGS = "{SETTINGS}"
ENTITY = "{ENTITY}"
DISCONNECT = "{DISCONNECT}"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))


def ask(session, path, method="GET"):
    """Return the status and the JSON of an answer."""
    headers = {{"Authorization": "Bearer not-a-real-token"}}
    asked = urllib.request.Request(session.base_url + path, method=method, headers=headers)
    try:
        with _OPENER.open(asked, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, json.load(exc)
'''


def polled(status: str) -> Interaction:
    """Describe a read of the entity."""
    return exchanged("GET", ENTITY, json.dumps({"onboardingStatus": status}), fields=_JSON)


def disconnected(status: str = "inprogress") -> Interaction:
    """Describe the disconnect."""
    return exchanged("POST", DISCONNECT, json.dumps({"value": status}), fields=_JSON)


def cassette(path: Path, *interactions: Interaction) -> Path:
    """Write a cassette as stock vcrpy would have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"interactions": list(interactions), "version": 1}))
    return path


def run(
    pytester: pytest.Pytester, *arguments: str, plugins: tuple[str, ...] = ()
) -> pytest.RunResult:
    """Run the suite that lies in the pytester's folder.

    Args:
        pytester: Its folder gets a module `asking`.
        arguments: Of pytest.
        plugins: That take part, by the names of their entry points; no other one does.
    """
    pytester.makepyfile(asking=_ASKING)
    named = [word for name in ("graphtape.pytest_plugin", *plugins) for word in ("-p", name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        return pytester.runpytest_subprocess(*named, "-q", *arguments, timeout=120)
