"""The order of a disconnect's answers, for clients that don't do as the recorded one did.

A tape is recorded from a server, which is closed before anybody replays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests

from commands import serving
from graphtape.core.tape.position import Order
from proxies import TOKEN, RawServer, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.core.journal import Entry

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
CONNECT = {"ownerUserPrincipalName": "admin@contoso.com", "ownerAccessToken": TOKEN}
REQUESTS: dict[str, tuple[str, str, object]] = {
    "s": ("GET", f"{SETTINGS}/1", None),
    "S": ("GET", f"{SETTINGS}/2", None),
    "d": ("POST", f"{SETTINGS}/disconnect", None),
    "c": ("POST", f"{SETTINGS}/connect", CONNECT),
}
"""`s` and `S` ask how it stands with the one entity and the other."""

MARKS = {"repeated": "+", "from before": "<", "from after": ">"}
"""How a note of the journal begins, and what stands for it here."""

Told = tuple[str, str]
TAPE: list[Told] = [
    ("s", "onboarded"),
    ("d", "inprogress"),
    ("s", "offboarding"),
    ("s", "offboarding"),
    ("s", "unknown"),
    ("c", "inprogress"),
    ("s", "inprogress"),
    ("s", "onboarded"),
]
OTHER: list[Told] = [("S", "failed"), ("d", "inprogress"), ("S", "offboarding"), ("S", "unknown")]
THROTTLED: list[Told] = [("s", "onboarded"), ("d", "429"), ("d", "inprogress"), ("s", "unknown")]


def send(url: str, name: str) -> requests.Response:
    method, path, body = REQUESTS[name]
    return requests.request(method, url + path, json=body, timeout=10)


def upstream(told: list[Told]) -> Callable[[bytes], bytes]:
    """Answer one after the other."""
    left = iter(told)

    def answer(_: bytes) -> bytes:
        name, state = next(left)
        field = "onboardingStatus" if name in "sS" else "value"
        head = "429 Too Many Requests" if state == "429" else "200 OK"
        body = json.dumps(
            {"error": {"code": "TooManyRequests"}} if head[0] == "4" else {field: state}
        )
        return (
            f"HTTP/1.1 {head}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    return answer


def recorded(path: Path, told: list[Told]) -> Path:
    """Record a tape; the upstream is gone when this returns."""
    with RawServer(answer=upstream(told)) as server, recording(path, upstream=server.url) as proxy:
        for name, _ in told:
            send(proxy.url, name)
    return path


def answered(paths: list[Path], names: str, order: Order = Order.POSITION) -> str:
    """Send requests; say of each answer what it is, from where, and how the journal notes it."""
    with replaying(paths, order=order) as proxy:
        answers = [send(proxy.url, name) for name in names.replace(" ", "")]
    entries = sorted(proxy.entries, key=lambda entry: entry.number)
    return " ".join(map(spelled, answers, entries))


def spelled(got: requests.Response, entry: Entry) -> str:
    body = got.json()
    if got.status_code == 599:
        return "already-played" if "already played" in body["error"]["message"] else "missed"
    [mark] = [m for begin, m in MARKS.items() if entry.note.startswith(begin)] or [entry.note]
    state = got.status_code if "error" in body else body.get("onboardingStatus") or body["value"]
    return f"{state}@{got.headers['Graphtape-Interaction']}{mark}"


@pytest.mark.parametrize(
    ("tapes", "asked", "answers"),
    [
        pytest.param(
            [TAPE],
            "s d s s s c s s",
            "onboarded@0 inprogress@1 offboarding@2 offboarding@3 unknown@4 "
            "inprogress@5 inprogress@6 onboarded@7",
            id="as recorded",
        ),
        pytest.param(
            [TAPE],
            "d s s s c s s",
            "inprogress@1 offboarding@2 offboarding@3 unknown@4 inprogress@5 inprogress@6 "
            "onboarded@7",
            id="skips the first GET",
        ),
        pytest.param(
            [TAPE],
            "s d s c s",
            "onboarded@0 inprogress@1 offboarding@2 inprogress@5 inprogress@6",
            id="polls once",
        ),
        pytest.param(
            [TAPE],
            "sss d sss c sss",
            "onboarded@0 onboarded@0+ onboarded@0+ inprogress@1 "
            "offboarding@2 offboarding@3 unknown@4 "
            "inprogress@5 inprogress@6 onboarded@7 onboarded@7+",
            id="polls three times",
        ),
        pytest.param(
            [TAPE],
            "ssssssssss d ssssssssss c ssssssssss",
            "onboarded@0 " + "onboarded@0+ " * 9 + "inprogress@1 "
            "offboarding@2 offboarding@3 unknown@4 " + "unknown@4+ " * 7 + "inprogress@5 "
            "inprogress@6 onboarded@7 " + "onboarded@7+ " * 8,
            id="polls ten times",
        ),
        pytest.param(
            [TAPE],
            "s" * 60,
            "onboarded@0 " + "onboarded@0+ " * 59,
            id="never disconnects and polls for ever",
        ),
        pytest.param(
            [TAPE],
            "s d d s",
            "onboarded@0 inprogress@1 already-played offboarding@2",
            id="disconnects twice",
        ),
        pytest.param(
            [TAPE],
            "s c s d s s s s",
            "onboarded@0 inprogress@5 inprogress@6 inprogress@1 "
            "offboarding@2 offboarding@3 unknown@4 unknown@4+",
            id="writes out of recorded order",
        ),
        pytest.param(
            [TAPE, OTHER],
            "s S d s S d S s c S s S s s",
            "onboarded@0 failed@0 inprogress@1 offboarding@2 failed@0+ inprogress@1 "
            "offboarding@2 offboarding@3 inprogress@5 unknown@3 inprogress@6 unknown@3+ "
            "onboarded@7 onboarded@7+",
            id="two clients interleaved in two cassettes",
        ),
        pytest.param(
            [THROTTLED],
            "s d d s d",
            "onboarded@0 429@1 inprogress@2 unknown@3 already-played",
            id="a recorded 429, then 200",
        ),
        pytest.param(
            [THROTTLED],
            "s d s d s",
            "onboarded@0 429@1 onboarded@0< inprogress@2 unknown@3",
            id="asks between a recorded 429 and the 200",
        ),
        pytest.param(
            [TAPE[1:]],
            "s d s",
            "offboarding@1> inprogress@0 offboarding@1",
            id="asks before the first recorded state",
        ),
    ],
)
def test_states_come_in_an_order_that_could_have_happened(
    tapes: list[list[Told]], asked: str, answers: str, tmp_path: Path
) -> None:
    paths = [recorded(tmp_path / f"{number}.yaml", told) for number, told in enumerate(tapes)]
    assert answered(paths, asked) == answers.strip()


def test_in_request_order_each_answer_plays_once(tmp_path: Path) -> None:
    path = recorded(tmp_path / "tape.yaml", TAPE)
    assert answered([path], "s s s s d s s s", Order.REQUEST) == (
        "onboarded@0 offboarding@2 offboarding@3 unknown@4 inprogress@1 inprogress@6 "
        "onboarded@7 already-played"
    )


def test_a_second_disconnect_names_the_write_that_played_last(tmp_path: Path) -> None:
    path = recorded(tmp_path / "tape.yaml", TAPE)
    with replaying(path) as proxy:
        send(proxy.url, "d")
        send(proxy.url, "c")
        message = send(proxy.url, "d").json()["error"]["message"]
    assert "already played" in message
    assert "interaction 5" in message


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param("s d c", 0, id="fewer polls"),
        pytest.param("d c s", 0, id="no poll before the disconnect"),
        pytest.param("s d", 4, id="a write that never played"),
        pytest.param("d c", 4, id="a read that was never asked"),
    ],
)
def test_fail_on_unused_wants_every_write_and_every_read_once(
    asked: str, code: int, tmp_path: Path
) -> None:
    path = recorded(tmp_path / "tape.yaml", TAPE)
    with serving("replay", path.name, "--fail-on-unused", cwd=tmp_path) as served:
        assert all(send(served.url, name).ok for name in asked if name != " ")
    assert served.code == code, served.stderr
    assert (f"unused in {path.name}" in served.stderr) == (code == 4)
    # What was repeated or taken from elsewhere is the journal's to tell, not the terminal's.
    assert "stretch" not in served.stderr
