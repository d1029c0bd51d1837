"""The tape every contestant plays: users of a tenant, each asked for by a path of its own."""

from __future__ import annotations

import json
import uuid
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).parents[1]
CACHE = Path(__file__).parent / ".cache"
GRAPH = "https://graph.microsoft.com"

_FIRST = 100_000
"""Number of the first user: all have as many digits, so that all answers are of one length."""
_STRIDE = 7919
"""A prime: walked by it, each path comes once, and no neighbour after its neighbour."""
_SAMPLE = 20


def path(number: int) -> str:
    """Return the path of an interaction, from 0, at Graph."""
    return f"/v1.0/users/{_FIRST + number}"


def body(number: int) -> bytes:
    """Return the answer to it: about 600 bytes, with a link as Graph's answers have."""
    name = _FIRST + number
    user = {
        "@odata.context": f"{GRAPH}/v1.0/$metadata#users/$entity",
        "businessPhones": ["+1 425 555 0100", "+1 425 555 0101"],
        "displayName": f"User {name} of the benchmark",
        "givenName": "User",
        "jobTitle": "Senior measurer of proxies and of what they cost",
        "mail": f"user{name}@contoso.com",
        "mobilePhone": "+1 425 555 0102",
        "officeLocation": "18/2111, the room at the end of the corridor",
        "preferredLanguage": "en-US",
        "surname": f"Number {name}",
        "userPrincipalName": f"user{name}@contoso.com",
        "department": "Performance and reliability, replayed answers",
        "id": str(name),
    }
    return json.dumps(user, separators=(",", ":")).encode()


def headers(number: int) -> list[tuple[str, str]]:
    """Return the fields of that answer, as Graph sends them."""
    diagnostic = {"ServerInfo": {"DataCenter": "West Europe", "Slice": "E", "Ring": "5"}}
    return [
        ("cache-control", "no-cache"),
        (
            "content-type",
            "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8",
        ),
        ("odata-version", "4.0"),
        ("request-id", str(uuid.UUID(int=number))),
        ("strict-transport-security", "max-age=31536000"),
        ("vary", "Accept-Encoding"),
        ("x-ms-ags-diagnostic", json.dumps(diagnostic)),
    ]


def made_cache() -> Path:
    """Return the cache folder, made where there is none; git leaves it alone."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n", encoding="utf-8")
    return CACHE


def sample(count: int) -> list[int]:
    """Return numbers from all over a tape, its last one too."""
    return sorted({round(i * (count - 1) / (_SAMPLE - 1)) for i in range(_SAMPLE)})


def cassette(count: int) -> Path:
    """Return a cassette of so many interactions, written where it isn't in the cache yet."""
    return kept(f"users-{count}", "yaml", _entry(0), lambda: _yaml(count))


def har(count: int) -> Path:
    """Return the same as HAR, which mitmproxy reads."""
    return kept(f"users-{count}", "har", _har_entry(0), lambda: _har(count))


class Taped(NamedTuple):
    """An interaction of a tape of its own.

    Attributes:
        method: Of the request.
        path: At Graph.
        answer: Its body.
        body: The request's, JSON; empty is none.
    """

    method: str
    path: str
    answer: str
    body: str = ""


def written(name: str, interactions: Callable[[], Iterable[Taped]]) -> Path:
    """Return a cassette of such interactions, written where it isn't in the cache yet."""
    return kept(name, "yaml", _taped(next(iter(interactions()))), lambda: _tape(interactions()))


def _tape(interactions: Iterable[Taped]) -> Iterable[str]:
    yield "interactions:\n"
    yield from map(_taped, interactions)
    yield "version: 1\n"


def _taped(each: Taped) -> str:
    path, body, answer = (json.dumps(text) for text in (GRAPH + each.path, each.body, each.answer))
    media = "      Content-Type:\n      - application/json\n" if each.body else ""
    fields = "".join(f"      {name}:\n      - {json.dumps(value)}\n" for name, value in headers(1))
    return f"""\
- request:
    body: {body if each.body else "null"}
    headers:
      Accept:
      - application/json
{media}    method: {each.method}
    uri: {path}
  response:
    body:
      string: {answer}
    headers:
{fields}    status:
      code: 200
      message: OK
"""


def request_paths(count: int, prefixes: Sequence[str]) -> Path:
    """Return a file with the paths a client asks for, a line each, in the order it does.

    Args:
        count: Interactions of the tape.
        prefixes: Of sessions, each used in turn.
    """
    stride = _STRIDE if count % _STRIDE else _STRIDE + 2
    walk = (index * stride % count for index in range(count))
    turns = enumerate(walk)
    name = f"paths-{count}-{len(prefixes)}"
    lines = (f"{prefixes[turn % len(prefixes)]}{path(number)}\n" for turn, number in turns)
    return kept(name, "txt", "".join(prefixes) + path(0), lambda: lines)


def scenario() -> Path:
    """Return a scenario whose rules are looked at for every request, and fit none."""
    return kept("scenario", "yaml", _SCENARIO, lambda: [_SCENARIO])


_SCENARIO = """\
name: benchmark
rules:
- when: {method: GET, path: '/deviceManagement/chromeOSOnboardingSettings/{id}'}
  set: {'$.onboardingStatus': failed}
- when: {action: disconnect}
  answer: {error: TooManyRequests, retry_after: 5}
- when: {method: POST, path: '/users'}
  answer: {error: TooManyRequests}
"""


def kept(stem: str, suffix: str, shape: str, write: Callable[[], Iterable[str]]) -> Path:
    """Return a file of the cache; another shape of its content has another name."""
    file = CACHE / f"{stem}-{zlib.crc32(shape.encode()):08x}.{suffix}"
    if not file.exists():
        draft = made_cache() / f"{file.name}.{uuid.uuid4().hex}.draft"
        with draft.open("w", encoding="utf-8") as out:
            out.writelines(write())
        draft.replace(file)
    return file


def _yaml(count: int) -> Iterable[str]:
    # By hand: PyYAML takes minutes for 100,000, and this is what it writes.
    yield "interactions:\n"
    yield from (_entry(number) for number in range(count))
    yield "version: 1\n"


def _entry(number: int) -> str:
    fields = "".join(
        f"      {name}:\n      - '{value}'\n"
        for name, value in [*headers(number), ("date", "Mon, 06 Jan 2025 10:00:00 GMT")]
    )
    return f"""\
- request:
    body: null
    headers:
      Accept:
      - application/json
      Accept-Encoding:
      - gzip, deflate
      Authorization:
      - Bearer REDACTED
      User-Agent:
      - python-requests/2.32.3
    method: GET
    uri: {GRAPH}{path(number)}
  response:
    body:
      string: '{body(number).decode()}'
    headers:
{fields}    status:
      code: 200
      message: OK
"""


def _har(count: int) -> Iterable[str]:
    yield '{"log":{"version":"1.2","creator":{"name":"benchmark","version":"1"},"entries":['
    for number in range(count):
        yield f"{',' if number else ''}{_har_entry(number)}"
    yield "]}}"


def _har_entry(number: int) -> str:
    text = body(number).decode()
    # Without a length, mitmproxy ends each answer with the connection.
    fields = [*headers(number), ("content-length", str(len(text)))]
    unknown = {"httpVersion": "HTTP/1.1", "cookies": [], "headersSize": -1, "bodySize": -1}
    request = {
        **unknown,
        "method": "GET",
        "url": GRAPH + path(number),
        "headers": [{"name": "Host", "value": "graph.microsoft.com"}],
        "queryString": [],
    }
    response = {
        **unknown,
        "status": 200,
        "statusText": "OK",
        "headers": [{"name": name, "value": value} for name, value in fields],
        "content": {"size": len(text), "mimeType": "application/json", "text": text},
        "redirectURL": "",
    }
    entry = {
        "startedDateTime": "2025-01-06T10:00:00.000Z",
        "time": 1,
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": 1, "receive": 0},
    }
    return json.dumps(entry)
