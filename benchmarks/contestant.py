"""Who is measured: each started while a block runs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from http.client import HTTPException
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.answer import connect
from benchmarks.process import Failed, NotThere, by_ready_file, environment, python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from http.client import HTTPConnection, HTTPResponse

    from benchmarks.options import Options
    from benchmarks.process import Served

FREE = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--quiet")
SESSIONS = 100
LISTENED = "graphtape, 3 listeners"
WATCHED = "graphtape, a connected console"
_NOT_YET = frozenset({404, 405})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One that serves HTTP.

    Attributes:
        name: With what sets it apart from others of its kind.
        interactions: Of its tape.
        serve: Runs it while a block runs; raises NotThere where it can't.
        prefixes: Of its sessions' paths.
        fields: That each of its answers has.
    """

    name: str
    interactions: int
    serve: Callable[[], AbstractContextManager[Served]]
    prefixes: Sequence[str] = ("",)
    fields: Mapping[str, str] = field(default_factory=dict)


def replaying(options: Options) -> list[Contestant]:
    """Return Graphtape's ways to replay."""
    replayed = {"Graphtape-Result": "replayed"}
    plain = [
        Contestant(name="graphtape", interactions=n, serve=partial(replay, n), fields=replayed)
        for n in options.interactions
    ]
    size = middle(options)
    sessions = [f"s{number}" for number in range(SESSIONS)]
    return [
        *plain,
        Contestant(
            name="graphtape, a scenario",
            interactions=size,
            serve=partial(replay, size, "--scenario", str(tape.scenario())),
            fields=replayed,
        ),
        Contestant(
            name=f"graphtape, {SESSIONS} sessions",
            interactions=size,
            serve=partial(_in_sessions, size, sessions),
            prefixes=[f"/_session/{session}" for session in sessions],
            fields=replayed,
        ),
        Contestant(
            name=LISTENED,
            interactions=size,
            serve=partial(_listened, size),
            fields=replayed,
        ),
        Contestant(
            name=WATCHED,
            interactions=size,
            serve=partial(_watched, size),
            fields=replayed,
        ),
        Contestant(
            name="graphtape, --tls",
            interactions=size,
            serve=partial(_over_tls, size),
            fields=replayed,
        ),
    ]


def middle(options: Options) -> int:
    """Return the size of tape that all who play only one play."""
    return options.interactions[len(options.interactions) // 2]


def replay(interactions: int, *arguments: str) -> AbstractContextManager[Served]:
    """Run `graphtape replay` over a tape."""
    file = tape.cassette(interactions)
    return by_ready_file(python("graphtape", "replay", str(file), *FREE, *arguments))


def bare(interactions: int) -> Contestant:
    """Return the handler that Graphtape is measured by."""
    count = str(interactions)
    command = python("benchmarks.servers.bare", "--interactions", count)
    return Contestant(
        name="bare handler", interactions=interactions, serve=partial(by_ready_file, command)
    )


@contextmanager
def _in_sessions(interactions: int, sessions: Sequence[str]) -> Iterator[Served]:
    with replay(interactions) as served:
        for session in sessions:
            open_session(served, session, interactions)
        yield served


@contextmanager
def _listened(interactions: int) -> Iterator[Served]:
    """Let three follow the events, an event every 250 ms each."""
    with replay(interactions) as served, ExitStack() as stack:
        for _ in range(3):
            assert served.control is not None  # noqa: S101 - Graphtape's
            connection = connect(served.control)
            stack.callback(connection.close)
            connection.request("GET", "/events?every=250ms&newest=200")
            answer = connection.getresponse()
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise NotThere(f"GET /events answers {answer.status}: no events every 250 ms yet")
            threading.Thread(target=_drain, args=(answer,), daemon=True).start()
        yield served


@contextmanager
def _watched(interactions: int) -> Iterator[Served]:
    """Let a real browser show the console."""
    from benchmarks.console import page  # noqa: PLC0415 - loads a driver

    with replay(interactions) as served:
        assert served.control is not None  # noqa: S101 - Graphtape's
        with page() as opened:
            opened.goto(f"{served.control}/console")
            opened.wait_for_selector("text=replay · offline")
            yield served


def _drain(answer: HTTPResponse) -> None:
    with suppress(OSError, HTTPException, ValueError, AttributeError):
        while answer.read1():
            pass


@contextmanager
def _over_tls(interactions: int) -> Iterator[Served]:
    if "--tls" not in _help("replay"):
        raise NotThere("`graphtape replay` has no --tls yet")
    with replay(interactions, "--tls") as served:
        yield served


@cache
def _help(command: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "graphtape", command, "--help"],
        capture_output=True, text=True, env=environment(), check=True, timeout=60,
    ).stdout  # fmt: skip


def open_session(served: Served, session: str, interactions: int) -> None:
    """Open a session over a tape.

    Raises:
        NotThere: There are no sessions to open.
        Failed: It wasn't opened.
    """
    assert served.control is not None  # noqa: S101 - Graphtape's
    connection = connect(served.control)
    try:
        post_session(connection, session, interactions)
    finally:
        connection.close()


def post_session(connection: HTTPConnection, session: str, interactions: int) -> None:
    """Open a session, over a connection that stays.

    Raises:
        NotThere: There are no sessions to open.
        Failed: It wasn't opened.
    """
    # Cassettes are named from the folder the proxy was started in.
    name = tape.cassette(interactions).relative_to(tape.ROOT).as_posix()
    body = json.dumps({"id": session, "cassettes": name})
    connection.request("POST", "/sessions", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status in _NOT_YET:
        raise NotThere(f"POST /sessions answers {answer.status}: there are no sessions yet")
    if answer.status != 201:  # noqa: PLR2004 - created
        raise Failed(f"POST /sessions: status {answer.status}, {said[:300]!r}")
