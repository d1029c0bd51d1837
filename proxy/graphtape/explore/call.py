"""The calls that a command makes, each with a condition that means it and no other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphtape.core.errors import RequestError
from graphtape.core.graph.actions import is_sign_in, short
from graphtape.core.graph.batch import answers_of, in_order, is_batch, parts_of
from graphtape.core.graph.cloud import off_graph_origin
from graphtape.core.graph.path_template import PathTemplate, below_version
from graphtape.core.matching.body import pairs_of
from graphtape.core.message import Headers, Request, Response
from graphtape.core.scenario.schema import SpelledWhen
from graphtape.core.scenario.when import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

NO_ANSWER = Response(status=0, reason="", headers=Headers.of([]), body=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and the answer it got.

    Attributes:
        request: As the client sent it.
        response: `NO_ANSWER` where none is known.
        interaction: Index on the tape; None where it wasn't answered from there.
    """

    request: Request
    response: Response
    interaction: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a command, or a part of one that is a `$batch`.

    Attributes:
        index: Among the calls of the run, from 0; a part has that of its batch.
        path: As sent, version included, query left out; secrets and identities out.
        when: What a rule says to mean it.
        nth: Its number, from 1, among the requests that `when` means.
        exchange: What was asked and answered.
        parts: Of a `$batch`.
        last: Whether no later request of the run is one that `when` means.
    """

    index: int
    method: str
    path: str
    when: SpelledWhen
    nth: int
    exchange: Exchange
    parts: tuple[Call, ...] = ()
    last: bool = True

    @property
    def name(self) -> str:
        """Method, path and, from the second on, the occurrence."""
        return f"{self.method} {self.path}" + (f" #{self.nth}" if self.nth > 1 else "")


def calls_of(exchanges: Sequence[Exchange], clean: Callable[[str], str]) -> tuple[Call, ...]:
    """Return the calls of a run, in the order of the tape, or where that says nothing as made.

    Calls that are made at once arrive in another order each time. Sign-in and hosts off Graph are
    left out: Graph's documented failures aren't theirs.

    Args:
        exchanges: In the order the requests arrived.
        clean: Takes secrets and identities out of a URL.
    """
    seen: list[Ask] = []
    calls: list[Call] = []
    for exchange in exchanges:
        whole = _call(exchange, seen, clean)
        if whole is None:
            continue
        parts = (_call(part, seen, clean) for part in part_exchanges(exchange))
        found = tuple(part for part in parts if part is not None)
        calls.append(replace(whole, parts=found))
    if all(call.exchange.interaction is not None for call in calls):
        calls.sort(key=lambda call: call.exchange.interaction or 0)
    return tuple(
        replace(
            call,
            index=index,
            parts=tuple(replace(part, index=index) for part in call.parts),
            last=_is_last(call, seen),
        )
        for index, call in enumerate(calls)
    )


def _is_last(call: Call, seen: Sequence[Ask]) -> bool:
    condition = call.when.read()
    return call.nth == sum(condition.differs(each) is None for each in seen)


def _call(exchange: Exchange, seen: list[Ask], clean: Callable[[str], str]) -> Call | None:
    request = exchange.request
    if is_sign_in(request.url) or off_graph_origin(request.url) is not None:
        return None
    ask = Ask.of(request, session="")
    seen.append(ask)
    cleaned = clean(request.url)
    when = _when(request, ask, cleaned)
    condition = when.read()
    return Call(
        index=0,
        method=request.method.upper(),
        path=short(cleaned).partition("?")[0],
        when=when,
        nth=sum(condition.differs(each) is None for each in seen),
        exchange=exchange,
    )


def _when(request: Request, ask: Ask, cleaned: str) -> SpelledWhen:
    """Write the condition; what is masked in a clean URL is left open."""
    shown = below_version(urlsplit(cleaned).path)
    same = len(shown) == len(ask.path)
    segments = (
        segment if same and segment == shown[place] and _is_plain(segment) else "{any}"
        for place, segment in enumerate(ask.path)
    )
    known = set(pairs_of(urlsplit(cleaned).query))
    query = {name: value if (name, value) in known else None for name, value in sorted(ask.query)}
    return SpelledWhen(
        method=request.method.upper(), path="/" + "/".join(segments), query=dict(query)
    )


def _is_plain(segment: str) -> bool:
    """Tell whether a template means a segment when it is written as it is."""
    try:
        template = PathTemplate.parse(f"/x/{segment}/x")
    except ValueError:
        return False
    return template.segments == ("x", segment, "x")


def part_exchanges(exchange: Exchange) -> Iterator[Exchange]:
    """Return the parts of a `$batch` with their answers, in the order they run."""
    if not is_batch(exchange.request):
        return
    try:
        parts = in_order(parts_of(exchange.request))
        answers = answers_of(exchange.response) if exchange.response.body else {}
    except (RequestError, ValueError):
        return
    for part in parts:
        yield Exchange(request=part.request, response=answers.get(part.id, NO_ANSWER))


def requests_in(request: Request) -> tuple[Request, ...]:
    """Return a request and, of a `$batch`, its parts in the order they run."""
    whole = Exchange(request=request, response=NO_ANSWER)
    return request, *(part.request for part in part_exchanges(whole))


def meant(call: Call, requests: Iterable[Request]) -> tuple[int, int] | None:
    """Find the request that a rule for a call means.

    Args:
        call: Of another run of the same command.
        requests: In the order they arrived.

    Returns:
        Its place, and its place among what `requests_in` it; None where the rule means none.
    """
    condition, count = call.when.read(), 0
    for place, request in enumerate(requests):
        for part, each in enumerate(requests_in(request)):
            count += condition.differs(Ask.of(each, session="")) is None
            if count == call.nth:
                return place, part
    return None
