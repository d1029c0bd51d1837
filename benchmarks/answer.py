"""Answers of a contestant, held against the tape."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks import tape
from benchmarks.process import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.process import Served


def connect(url: str) -> http.client.HTTPConnection:
    """Return a connection to a server on this machine, whatever its certificate."""
    place = urlsplit(url)
    assert place.hostname is not None  # noqa: S101 - every contestant's URL has one
    if place.scheme == "https":
        anyone = ssl._create_unverified_context()  # noqa: S323, SLF001 - a CA of its own, on loopback
        return http.client.HTTPSConnection(place.hostname, place.port, timeout=30, context=anyone)
    return http.client.HTTPConnection(place.hostname, place.port, timeout=30)


def check(
    served: Served, interactions: int, *, prefixes: Sequence[str], fields: Mapping[str, str]
) -> None:
    """Ask for paths from all over a tape.

    Args:
        served: Who is asked.
        interactions: Of the tape.
        prefixes: Of sessions, each asked in turn.
        fields: Each answer must have, beside the body and a status of 200.

    Raises:
        Failed: An answer isn't as on tape.
    """
    connection = connect(served.url)
    try:
        for turn, number in enumerate(tape.sample(interactions)):
            prefix = prefixes[turn % len(prefixes)]
            connection.request("GET", prefix + tape.path(number))
            answer = connection.getresponse()
            wrong = _difference(answer, answer.read(), number, served.url + prefix, fields)
            if wrong is not None:
                raise Failed(f"{prefix}{tape.path(number)}: {wrong}")
    finally:
        connection.close()


def _difference(
    answer: http.client.HTTPResponse, body: bytes, number: int, root: str, fields: Mapping[str, str]
) -> str | None:
    """Return how an answer differs from the tape's; None where it doesn't."""
    if answer.status != 200:  # noqa: PLR2004 - as on tape
        return f"status {answer.status}, {body[:300]!r}"
    for name, value in fields.items():
        if answer.getheader(name) != value:
            return f"{name} is {answer.getheader(name)!r}, not {value!r}"
    taped = tape.body(number)
    # A proxy that puts itself in the place of Graph in links has answered right too.
    if body not in (taped, taped.replace(tape.GRAPH.encode(), root.encode())):
        return f"another body, {body[:300]!r}"
    return None
