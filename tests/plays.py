"""Requests, answers and plays for the tests of scenarios."""

from __future__ import annotations

from datetime import UTC, datetime

from graphtape.core.message import Headers, Request, Response
from graphtape.core.scenario.graph_error import Stamp
from graphtape.core.scenario.play import Answer, Decision, Pass, Play
from graphtape.scenarios import read

SETTINGS = "/deviceManagement/chromeOSOnboardingSettings"
STAMP = Stamp(
    now=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
    request_id="11111111-2222-3333-4444-555555555555",
)


def asked(
    path: str = "/me",
    *,
    method: str = "GET",
    version: str = "beta",
    body: bytes = b"",
    **headers: str,
) -> Request:
    fields = ((name.replace("_", "-"), value) for name, value in headers.items())
    url = f"https://graph.microsoft.com/{version}{path}"
    return Request(method=method, url=url, headers=Headers.of(fields), body=body)


def disconnect() -> Request:
    return asked(f"{SETTINGS}/disconnect", method="POST")


def answered(body: bytes, status: int = 200) -> Response:
    return Response(
        status=status,
        reason="OK",
        headers=Headers.of([("Content-Type", "application/json")]),
        body=body,
    )


def playing(rules: str, *, seed: int | None = None, name: str = "mine") -> Play:
    return Play.over([read(f"name: {name}\nrules:\n{rules}", source="mine.yaml")], seed=seed)


def decide(play: Play, request: Request, *, session: str = "default", now: float = 0) -> Decision:
    return play.decide(play.fit(request, session=session), now=now)


def status(decision: Decision, request: Request | None = None) -> int | None:
    """Return the status a decision injects, or None where it lets a call pass."""
    if isinstance(decision, Answer):
        return decision.response(request or asked(), STAMP).status
    return None


def bent(decision: Decision, response: Response) -> Response:
    assert isinstance(decision, Pass)
    return response if decision.bend is None else decision.bend.apply(response)
