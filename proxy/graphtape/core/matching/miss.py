"""Why nothing recorded answers a request, in words that end the search."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from graphtape.core.errors import UsageError
from graphtape.core.graph.actions import short
from graphtape.core.matching.key import key_of, writes
from graphtape.core.matching.mismatch import (
    LONGEST_ITEMISED_BODY,
    Mismatch,
    Near,
    nearest,
    spelled_out,
)
from graphtape.core.message import Request
from graphtape.core.tape.position import AlreadyPlayed, Miss

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.tape.recording import Recording

_NEAREST = 3
_MOST_IN_FIRST_LINE = 3
_MOST_DIFFERENCES = 20
_MUCH_FARTHER = 0.5  # of the 2 that two paths are apart at most
_MOST_NAMES_TO_IGNORE = 8
_LONGEST_NAME = 500
_READ_ONLY_SUFFIXES = (".har", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One of the nearest, with the tape it is on."""

    recording: Recording
    near: Near


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """A recorded request that comes near to one that nothing answers.

    Attributes:
        cassette: Its name.
        index: Of its interaction on that tape.
        recorded: Without secrets and identities.
        mismatches: Empty where it is the same request, and its answers are used up.
    """

    cassette: str
    index: int
    recorded: Request
    mismatches: tuple[Mismatch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why nothing recorded answers a request.

    Attributes:
        head: Says it all, for where only one line is shown.
        asked: The request, without secrets and identities.
        nearest: The nearest recorded ones, the nearest first.
        details: About them, a line each.
        advice: What to do, a line each.
    """

    head: str
    asked: Request
    nearest: tuple[Nearest, ...] = ()
    details: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it, a line each."""
        return "\n".join((self.head, *self.details, *self.advice))


def explain(
    request: Request, misses: Sequence[tuple[Recording, Miss]], *, session: str | None = None
) -> Explanation:
    """Say what was asked, what is recorded, how they differ, and what to do.

    Secrets and identities are out of it.

    Args:
        request: As the client sent it, at Graph's URL.
        misses: Of each cassette, why it has no answer.
        session: Id of the one it was asked in; None for the default one.
    """
    if not misses:
        # There is no redactor either: what may hold a secret stays away.
        bare = replace(request, url=request.url.partition("?")[0])
        head = f"Nothing recorded answers {_name(bare)}: no cassette is loaded; name one to replay."
        return Explanation(head=head, asked=Request(method=bare.method, url=bare.url))
    asked = misses[0][0].redactor.request(request).request
    head = f"Nothing recorded answers {_name(asked)}"
    for recording, miss in misses:
        if isinstance(miss.reason, AlreadyPlayed):
            index = miss.reason.index
            recorded = recording.redactor.request(recording.interactions[index].request).request
            return Explanation(
                head=f"{head}: {_played(miss.reason, recording)}.",
                asked=asked,
                nearest=(Nearest(cassette=recording.name, index=index, recorded=recorded),),
                advice=tuple(_replayed(request, misses, session)),
            )
    found = _found(request, [recording for recording, _ in misses])
    if not found:
        recording = misses[0][0]
        which = f"{recording.name} holds" if len(misses) == 1 else "the cassettes hold"
        advice = (f"To record it: {_record(recording)}",)
        return Explanation(head=f"{head}: {which} no interactions.", asked=asked, advice=advice)
    several = len(misses) > 1
    lines = ["Nearest:" if several else f"Nearest in {found[0].recording.name}:"]
    for each in found:
        lines += _details(each, several=several)
    flags = _to_ignore(request, found[0])
    ignoring = (f"To let it differ: {flags}",) if flags else ()
    return Explanation(
        head=f"{head}; nearest: {_title(found[0], several=several)} ({_summary(found[0].near)}).",
        asked=asked,
        nearest=tuple(map(_nearest, found)),
        details=tuple(lines),
        advice=(f"To add it: {_record(found[0].recording)}", *ignoring),
    )


def _nearest(found: _Found) -> Nearest:
    recording, near = found.recording, found.near
    return Nearest(
        cassette=recording.name,
        index=recording.playable.interactions[near.index],
        recorded=_recorded(recording, near.index),
        mismatches=near.mismatches[:_MOST_DIFFERENCES],
    )


def _played(reason: AlreadyPlayed, recording: Recording) -> str:
    times = (
        f"once, as interaction {reason.index} of {recording.name},"
        if reason.recorded == 1
        else f"{reason.recorded} times, last as interaction {reason.index} of {recording.name},"
    )
    said = f"it is recorded {times} but already played"
    if reason.position is None or reason.position == reason.index:
        return said
    last = _name(recording.interactions[reason.position].request, recording)
    return f"{said}; the last write played is interaction {reason.position}, {last}"


def _replayed(
    request: Request, misses: Sequence[tuple[Recording, Miss]], session: str | None
) -> Iterator[str]:
    """Say what to do about answers that are used up."""
    recording = next(
        recording for recording, miss in misses if isinstance(miss.reason, AlreadyPlayed)
    )
    if writes(request, recording.options):
        yield "A write plays as often as it was recorded."
    else:  # only vcrpy's order uses reads up
        yield "In the order `request` an answer plays once; with --order position the last repeats."
    if session is None:
        again = "restart the replay, or give each run a session of its own"
    else:
        again = f"POST /sessions/{session}/rewind on the control port"
    yield f"If the client started over: {again}."
    yield f"To record one more answer: {_record(recording)}"


def _found(request: Request, recordings: Sequence[Recording]) -> list[_Found]:
    """Return what comes nearest on all tapes; of equals, what comes first."""
    found = [
        _Found(recording=recording, near=near)
        for recording in recordings
        for near in nearest(
            recording.redactor.request(request).request,
            recording.playable.answers,
            partial(_recorded, recording),
            recording.options,
            limit=_NEAREST,
        )
    ]
    found.sort(key=lambda each: each.near.distance)
    return [each for each in found if _belongs(each.near, found[0].near)][:_NEAREST]


def _belongs(near: Near, first: Near) -> bool:
    """Tell whether one is worth a look beside the nearest."""
    elsewhere, apart, *_ = near.distance
    if not first.distance[0]:
        return not elsewhere
    return apart <= first.distance[1] + _MUCH_FARTHER


def _recorded(recording: Recording, slot: int) -> Request:
    """Return a recorded request without secrets, but for a body too long to be looked into."""
    part = recording.parts.get(slot)
    whole = recording.interactions[recording.playable.interactions[slot]]
    request = (part or whole).request
    if len(request.body) <= LONGEST_ITEMISED_BODY:
        return recording.redactor.request(request).request
    bare = recording.redactor.request(replace(request, body=b"")).request
    return replace(bare, body=request.body)


def _title(found: _Found, *, several: bool) -> str:
    index = found.recording.playable
    part = index.parts.get(found.near.index)
    which = "" if part is None else f"part {spelled_out(part.id)!r} of "
    cassette = f" of {found.recording.name}" if several else ""
    return f"{which}interaction {index.interactions[found.near.index]}{cassette}"


def _summary(near: Near) -> str:
    shown = [str(mismatch) for mismatch in near.mismatches[:_MOST_IN_FIRST_LINE]]
    left = len(near.mismatches) - len(shown)
    return "; ".join([*shown, f"{left} more"] if left else shown)


def _details(found: _Found, *, several: bool) -> Iterator[str]:
    recorded = _recorded(found.recording, found.near.index)
    yield f"  {_title(found, several=several)}, {_name(recorded)}"
    for mismatch in found.near.mismatches[:_MOST_DIFFERENCES]:
        yield f"    {mismatch}"
    if len(found.near.mismatches) >= _MOST_DIFFERENCES:
        yield "    …"


def _record(recording: Recording) -> str:
    # Without the upstream the next recording would reach the real global tenant.
    upstream = recording.upstream
    where = "" if upstream in {None, "global"} else f" --upstream {_named(str(upstream))}"
    if recording.name.lower().endswith(_READ_ONLY_SUFFIXES):
        return f"graphtape record MORE.yaml{where}, and replay both"
    return f"graphtape record {_argument(recording.name)} --mode new_episodes{where}"


def _named(upstream: str) -> str:
    # An address never stands on tape.
    return "URL" if upstream == "custom" else _argument(upstream)


def _argument(text: str) -> str:
    return shlex.quote(spelled_out(text))


def _to_ignore(request: Request, found: _Found) -> str:
    """Return the options under which the recorded answer would do; none where there are none."""
    recording, near = found.recording, found.near
    queries = _names(mismatch.query for mismatch in near.mismatches)
    paths = _names(mismatch.path for mismatch in near.mismatches)
    names = (*queries, *paths)
    # A comma parts two values of an option.
    if not names or len(names) > _MOST_NAMES_TO_IGNORE or any("," in name for name in names):
        return ""
    own = recording.options
    try:
        options = replace(
            own,
            ignore_query=(*own.ignore_query, *queries),
            ignore_body=(*own.ignore_body, *paths),
        )
    except UsageError:
        return ""
    asked = recording.redactor.request(request).request
    if key_of(asked, options) != key_of(_recorded(recording, near.index), options):
        return ""
    flags = [f"--ignore-query {_argument(name)}" for name in queries]
    flags += [f"--ignore-body {_argument(path)}" for path in paths]
    return " ".join(flags)


def _names(names: Iterator[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _name(request: Request, recording: Recording | None = None) -> str:
    if recording is not None:
        request = recording.redactor.request(replace(request, body=b"")).request
    name = spelled_out(f"{request.method} {short(request.url)}")
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
