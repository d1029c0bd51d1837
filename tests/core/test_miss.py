"""What a miss says."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from graphtape.core.matching.key import MatchOptions, key_of
from graphtape.core.matching.miss import explain
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.tape.position import AlreadyPlayed, Miss, NotRecorded, Order, Player
from graphtape.core.tape.recording import Recording
from hits import find

if TYPE_CHECKING:
    from collections.abc import Callable

    Golden = Callable[[str, str], None]

ROOT = "https://graph.microsoft.com"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
JSON = Headers((("Content-Type", "application/json"),))
NOT_RECORDED = Miss(reason=NotRecorded())


def get(path: str) -> Request:
    return Request(method="GET", url=ROOT + path)


def post(path: str, body: object = None) -> Request:
    if body is None:
        return Request(method="POST", url=ROOT + path)
    return Request(method="POST", url=ROOT + path, headers=JSON, body=json.dumps(body).encode())


def delete(path: str) -> Request:
    return Request(method="DELETE", url=ROOT + path)


def tape(
    *requests: Request,
    name: str = "tape.yaml",
    upstream: str | None = "global",
    options: MatchOptions | None = None,
) -> Recording:
    return Recording.of(
        [Interaction(request=request, response=Response(status=200)) for request in requests],
        name=name,
        upstream=upstream,
        redactor=Redactor(salt="s"),
        options=options or MatchOptions(),
    )


USERS = (
    get("/v1.0/users?$top=5"),
    get("/v1.0/groups"),
    post(
        "/v1.0/users",
        {
            "displayName": "test-1f3a",
            "accountEnabled": True,
            "identities": [{"issuer": "contoso.com", "issuerAssignedId": "one"}],
            "passwordProfile": {"password": "not-a-real-password-1"},
        },
    ),
    post(f"{SETTINGS}/disconnect"),
)
NEW_USER = {
    "displayName": "test-77b2",
    "accountEnabled": True,
    "identities": [{"issuer": "contoso.com", "issuerAssignedId": "two"}],
    "passwordProfile": {"password": "not-a-real-password-2"},
}


def missed(request: Request, *recordings: Recording) -> str:
    return str(explain(request, [(recording, NOT_RECORDED) for recording in recordings]))


@pytest.mark.parametrize(
    ("name", "asked", "recordings"),
    [
        pytest.param("body", post("/v1.0/users", NEW_USER), [tape(*USERS)], id="body"),
        pytest.param(
            "query",
            get("/v1.0/users?$top=10&$select=id"),
            [tape(*USERS, upstream="sandbox")],
            id="query",
        ),
        pytest.param(
            "path-typo",
            post("/beta/deviceManagment/chromeOSOnboardingSettings/disconnect"),
            [tape(*USERS, upstream="custom")],
            id="path-typo",
        ),
        pytest.param("method", delete("/v1.0/groups"), [tape(*USERS)], id="method"),
        pytest.param("empty", get("/v1.0/me"), [tape(upstream=None)], id="empty-cassette"),
        pytest.param("no-cassette", get("/v1.0/me?secret=x"), [], id="no-cassette"),
        pytest.param(
            "several",
            get("/v1.0/users?$top=10"),
            [
                tape(get("/v1.0/me"), name="a.yaml"),
                tape(name="b.yaml"),
                tape(*USERS, name="my tapes/c.yaml", upstream="usgov"),
            ],
            id="several-cassettes",
        ),
        pytest.param(
            "several-empty",
            get("/v1.0/me"),
            [tape(name="a.yaml"), tape(name="b.yaml")],
            id="several-empty-cassettes",
        ),
        pytest.param(
            "har", get("/v1.0/users?$top=10"), [tape(*USERS, name="x.har", upstream=None)], id="har"
        ),
    ],
)
def test_says_what_comes_nearest_how_it_differs_and_what_to_do(
    name: str, asked: Request, recordings: list[Recording], golden: Golden
) -> None:
    golden(f"miss-{name}.txt", missed(asked, *recordings) + "\n")


def play(player: Player, recording: Recording, *requests: Request) -> Miss:
    """Play requests one by one, all but the last of which are answered."""
    for request in requests:
        asked = recording.ask(request)
        found = find(player, recording.playable, asked.key, write=asked.write)
        if isinstance(found, Miss):
            return found
        player.played(found)
    raise AssertionError("nothing was missed")


@pytest.mark.parametrize(
    ("name", "client", "order"),
    [
        pytest.param("already-played", "disconnect connect disconnect", Order.POSITION, id="write"),
        pytest.param("played-last", "connect disconnect disconnect", Order.POSITION, id="last"),
        pytest.param("played-read", "read read read", Order.REQUEST, id="read"),
    ],
)
def test_says_that_it_has_played_and_which_write_stands_in_the_way(
    name: str, client: str, order: Order, golden: Golden
) -> None:
    calls = {
        "disconnect": post(f"{SETTINGS}/disconnect"),
        "connect": post(f"{SETTINGS}/connect"),
        "read": get(SETTINGS),
    }
    recording = tape(
        calls["read"], calls["disconnect"], calls["read"], calls["connect"], upstream="sandbox"
    )
    asked = [calls[word] for word in client.split()]
    miss = play(Player(recording.index, order=order), recording, *asked)
    assert isinstance(miss.reason, AlreadyPlayed)
    golden(f"miss-{name}.txt", str(explain(asked[-1], [(recording, miss)])) + "\n")


def test_one_cassette_that_has_played_it_tells_more_than_others_that_never_had_it() -> None:
    asked = post(f"{SETTINGS}/disconnect")
    other, own = tape(*USERS[:2], name="a.yaml"), tape(*USERS, name="b.yaml")
    played = Miss(reason=AlreadyPlayed(index=3, recorded=1, position=3))
    first, *_ = str(explain(asked, [(other, NOT_RECORDED), (own, played)])).splitlines()
    assert "interaction 3 of b.yaml, but already played" in first


def test_the_first_line_says_it_all() -> None:
    first, *_ = missed(get("/v1.0/users?$top=10"), tape(*USERS)).splitlines()
    assert first == (
        "Nothing recorded answers GET /v1.0/users?$top=10; nearest: "
        "interaction 0 (query.$top: recorded '5', asked '10')."
    )


SECRETS = {
    "password": "hunter2-not-real",
    "client_secret": "s3cr3t-not-real",
    "mail": "kim@fictional-corp.com",
    "n": 1,
}


@pytest.mark.parametrize("padding", [0, 300_000], ids=["short", "long"])
def test_secrets_and_identities_of_tape_and_client_are_out_of_it(padding: int) -> None:
    kept = post("/v1.0/users/lee@fictional-corp.com/x?code=AbC-1", SECRETS | {"z": "x" * padding})
    asked = post(
        "/v1.0/users/kim@fictional-corp.com/x?code=XyZ-2", SECRETS | {"n": 2, "z": "x" * padding}
    )
    message = missed(asked, tape(kept))
    for secret in ("hunter2", "s3cr3t", "kim@", "lee@", "fictional-corp", "AbC-1", "XyZ-2"):
        assert secret not in message
    assert "REDACTED" in message


def options_of(message: str) -> MatchOptions:
    """Read the options a message gives, as a shell and the command line do."""
    [line] = [line for line in message.splitlines() if line.startswith("To let it differ: ")]
    words = shlex.split(line.removeprefix("To let it differ: "))
    pairs = [*zip(words[::2], words[1::2], strict=True)]
    return MatchOptions(
        ignore_body=tuple(value for flag, value in pairs if flag == "--ignore-body"),
        ignore_query=tuple(value for flag, value in pairs if flag == "--ignore-query"),
    )


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="field"),
        pytest.param({"a": 1}, {"a": 1, "b": {"c": 2}}, id="asked-alone"),
        pytest.param({"a": 1, "b": {"c": 2}}, {"a": 1}, id="recorded-alone"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, id="nested"),
        pytest.param({"a": [{"b": 1}, {"b": 1}]}, {"a": [{"b": 2}, {"b": 3}]}, id="items"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3, 4]}, id="array"),
        pytest.param([{"a": 1}], [{"a": 2}], id="root-array"),
        pytest.param({"x@odata.bind": "1"}, {"x@odata.bind": "2"}, id="annotation"),
        pytest.param({"a.b": 1, "c d": 1}, {"a.b": 2, "c d": 2}, id="punctuation"),
        pytest.param({"it's": 1}, {"it's": 2}, id="quote"),
        pytest.param({"$": 1}, {"$": 2}, id="dollar"),
    ],
)
def test_what_it_says_to_ignore_makes_the_two_match(recorded: object, asked: object) -> None:
    was, now = post("/v1.0/x?$top=1&n", recorded), post("/v1.0/x?$top=2", asked)
    options = options_of(missed(now, tape(was)))
    assert key_of(was, options) == key_of(now, options)


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        pytest.param(post("/v1.0/x", {"a": 1}), post("/v1.0/y", {"a": 2}), id="path-too"),
        pytest.param(get("/v1.0/x?a=1"), delete("/v1.0/x?a=2"), id="method-too"),
        pytest.param(post("/v1.0/x", {"a": 1}), post("/v1.0/x"), id="whole-body"),
        pytest.param(post("/v1.0/x", {"a,b": 1}), post("/v1.0/x", {"a,b": 2}), id="comma"),
        pytest.param(post("/v1.0/x", {"": 1}), post("/v1.0/x", {"": 2}), id="no-name"),
        pytest.param(post("/v1.0/x", [1]), post("/v1.0/x", [2]), id="everything"),
        pytest.param(
            post("/v1.0/x", {f"f{n}": 1 for n in range(9)}),
            post("/v1.0/x", {f"f{n}": 2 for n in range(9)}),
            id="too-many",
        ),
    ],
)
def test_gives_no_option_that_would_not_do(recorded: Request, asked: Request) -> None:
    assert "--ignore" not in missed(asked, tape(recorded))


def test_keeps_to_what_the_tape_ignores_already() -> None:
    recording = tape(post("/v1.0/x", {"a": 1, "b": 1}), options=MatchOptions(ignore_body=("a",)))
    message = missed(post("/v1.0/x", {"a": 2, "b": 2}), recording)
    assert "body.a" not in message
    assert "--ignore-body b" in message


def test_gives_no_field_to_ignore_where_every_byte_is_compared() -> None:
    options = MatchOptions(match_on=("method", "path", "raw_body"))
    message = missed(post("/v1.0/x", {"a": 2}), tape(post("/v1.0/x", {"a": 1}), options=options))
    assert "--ignore" not in message


def test_finds_a_slip_of_the_pen_among_many() -> None:
    recording = tape(*(get(f"/v1.0/users/{n}") for n in range(500)), get("/v1.0/subscribedSkus"))
    assert "nearest: interaction 500 (path" in missed(get("/v1.0/subscirbedSkus"), recording)


def test_a_part_of_a_batch_is_named_as_one_and_compared_like_any_other() -> None:
    parts: list[dict[str, object]] = [
        {"id": "a", "method": "GET", "url": "/users?$top=5"},
        {"id": "b", "method": "POST", "url": "/users", "body": {"displayName": "x"}},
    ]
    answers = [{"id": part["id"], "status": 200, "body": {}} for part in parts]
    batch = Interaction(
        request=post("/v1.0/$batch", {"requests": parts}),
        response=Response(
            status=200, headers=JSON, body=json.dumps({"responses": answers}).encode()
        ),
    )
    recording = Recording.of(
        [batch], name="tape.yaml", redactor=Redactor(salt="s"), options=MatchOptions()
    )
    message = missed(get("/v1.0/users?$top=10"), recording)
    assert "nearest: part 'a' of interaction 0 (query.$top: recorded '5', asked '10')" in message
    message = missed(post("/v1.0/users", {"displayName": "y"}), recording)
    assert "  part 'b' of interaction 0, POST /v1.0/users" in message
    assert "--ignore-body displayName" in message


def test_stays_short_and_on_its_lines_whatever_is_asked() -> None:
    names = {f"{'long' * 50}{n}\n\x1b[2J": n for n in range(500)}
    query = "&".join(f"q{n}={n}" for n in range(500))
    recording = tape(*(get(f"/v1.0/x{n}?{query}&n={n}") for n in range(50)), post("/v1.0/x", names))
    for asked in (get("/v1.0/x?a=1"), post("/v1.0/x", dict.fromkeys(names, -1))):
        message = missed(asked, recording)
        assert len(message) < 15_000
        assert all(line.isprintable() for line in message.splitlines())
        assert len(message.splitlines()) < 80
