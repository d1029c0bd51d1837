"""A cassette recorded again: what didn't change stays as it was, so that diffs show what did."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core import json_text
from graphtape.core.graph.actions import last_segment
from graphtape.core.message import Interaction
from graphtape.tape.digest import digest
from graphtape.tape.entry import settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.tape.vcr_format import Cassette, Metadata

    Pair: TypeAlias = tuple[int, int]
    Area: TypeAlias = tuple[int, int, int, int]

VOLATILE_IN_REQUESTS = frozenset(
    {"client-request-id", "x-ms-client-request-id", "request-id", "traceparent", "tracestate"}
)
"""Header fields a client makes up for each request, in lower case."""

VOLATILE_IN_ANSWERS = frozenset(
    {"date", "request-id", "client-request-id", "x-ms-request-id", "x-ms-ags-diagnostic"}
)
"""Header fields that tell when, where and as which request an answer was made, in lower case.

Not Retry-After, ETag, Set-Cookie or Location: a client acts on them.
"""

VOLATILE_IN_ERRORS = frozenset({"date", "request-id", "client-request-id"})
"""Members of `error.innerError` that do the same, at any depth in it."""

_WIDTHS = (1, 2, 4, 8, 16, 32)
"""Items that are looked for together: each may be there often, and the run of them once."""


def keep_volatile(old: Cassette, new: Cassette) -> Cassette:
    """Return a new recording with the old interactions wherever nothing but volatile values differ.

    The two are aligned in their order, so that polls asked more or less often, and interactions
    added or gone, leave the others as they were. Where nothing changed at all the metadata stays
    too, so that the file comes out the same, byte for byte.

    Args:
        old: What the file holds.
        new: What was recorded in its place, redacted with the same salt.
    """
    before = tuple(_fingerprint(interaction) for interaction in old.interactions)
    after = tuple(_fingerprint(interaction) for interaction in new.interactions)
    kept = list(new.interactions)
    # Client and tenant mostly do the same again in the same order: where that explains more than
    # an alignment does, which can't tell repetitions apart, it is the better guess.
    in_place = [
        (n, n) for n, (one, two) in enumerate(zip(before, after, strict=False)) if one == two
    ]
    for there, here in max(in_place, [*_aligned(before, after)], key=len):
        kept[here] = old.interactions[there]
    metadata = new.metadata
    if before == after:
        metadata = _metadata(old.metadata, new.metadata)
    return replace(new, interactions=tuple(kept), metadata=metadata)


def _metadata(old: Metadata | None, new: Metadata | None) -> Metadata | None:
    if old is None or new is None or (old.upstream, old.salt) != (new.upstream, new.salt):
        return new
    return replace(old, variables=new.variables, scopes=new.scopes, roles=new.roles)


def _fingerprint(interaction: Interaction) -> str:
    """Return what two interactions share that differ in volatile values alone."""
    # Bodies must be decoded before their values can be found.
    plain = settled(interaction)
    request, response = plain.request, plain.response
    batch = last_segment(request.url) == "$batch"
    calm = Interaction(
        request=replace(
            request,
            headers=request.headers.without(*VOLATILE_IN_REQUESTS),
            body=_calm(request.body, batch=batch),
        ),
        response=replace(
            response,
            headers=response.headers.without(*VOLATILE_IN_ANSWERS),
            body=_calm(response.body, batch=batch),
        ),
    )
    return digest((calm,))


def _calm(body: bytes, *, batch: bool) -> bytes:
    """Blank the volatile values of a body, and leave its spelling."""
    if not batch and b"innererror" not in body.lower():
        return body
    try:
        found = [each for each in json_text.scalars(body) if each.string and _volatile(each.path)]
    except json_text.NotJsonError:
        return body
    return json_text.splice(body, [(each.start, each.end, b'""') for each in found])


def _volatile(path: tuple[str | int, ...]) -> bool:
    match path:
        case ("requests", int(), "headers", str(name)):
            return name.lower() in VOLATILE_IN_REQUESTS
        case ("responses", int(), "headers", str(name)):
            return name.lower() in VOLATILE_IN_ANSWERS
        case ("responses", int(), "body", "error", str(inner), *_, last):
            return inner.lower() == "innererror" and last in VOLATILE_IN_ERRORS
        case ("error", str(inner), *_, last):
            return inner.lower() == "innererror" and last in VOLATILE_IN_ERRORS
        case _:
            return False


def _aligned(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Pair]:
    """Pair equal items (index in old, index in new) so that both indices rise.

    As patience diff does: equal ends are paired, what is left is split at items that are alone of
    their kind on both sides, and each area between is treated in the same way. difflib would take
    quadratic time for polls, which are many and all the same.
    """
    areas: list[Area] = [(0, len(old), 0, len(new))]
    while areas:
        start, end, new_start, new_end = areas.pop()
        while start < end and new_start < new_end and old[start] == new[new_start]:
            yield start, new_start
            start, new_start = start + 1, new_start + 1
        while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
            end, new_end = end - 1, new_end - 1
            yield end, new_end
        anchors = _anchors(old, new, (start, end, new_start, new_end))
        for there, here in anchors:
            yield there, here
            areas.append((start, there, new_start, here))
            start, new_start = there + 1, here + 1
        if anchors:
            areas.append((start, end, new_start, new_end))


def _anchors(old: tuple[str, ...], new: tuple[str, ...], area: Area) -> list[Pair]:
    """Pair what is alone of its kind in both; where nothing is, the nth of a kind with the nth."""
    both: list[tuple[list[int], list[int]]] = []
    for width in _WIDTHS:
        both = _in_both(old, new, area, width=width)
        alone = [(theres[0], heres[0]) for theres, heres in both if len(theres) == len(heres) == 1]
        if alone:
            return _longest_rising(sorted(alone))
        if not both:
            break
    both = _in_both(old, new, area, width=1)
    return _longest_rising(sorted(chain.from_iterable(zip(*each, strict=False) for each in both)))


def _in_both(
    old: tuple[str, ...], new: tuple[str, ...], area: Area, *, width: int
) -> list[tuple[list[int], list[int]]]:
    """Return where each kind of run of `width` items that is in both begins, in old and in new."""
    start, end, new_start, new_end = area
    places: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
    for there in range(start, end - width + 1):
        places.setdefault(old[there : there + width], ([], []))[0].append(there)
    for here in range(new_start, new_end - width + 1):
        if found := places.get(new[here : here + width]):
            found[1].append(here)
    return [each for each in places.values() if each[1]]


def _longest_rising(pairs: Sequence[Pair]) -> list[Pair]:
    """Choose the most pairs whose second indices rise; the first ones do already."""
    ends: list[int] = []  # by length, the smallest index that a run of that length ends in
    last: list[int] = []  # by length, which pair that is
    before: list[int] = []  # by pair, which one comes before it in its run
    for number, (_, here) in enumerate(pairs):
        length = bisect_left(ends, here)
        ends[length : length + 1] = [here]
        last[length : length + 1] = [number]
        before.append(last[length - 1] if length else -1)
    run: list[Pair] = []
    number = last[-1] if last else -1
    while number >= 0:
        run.append(pairs[number])
        number = before[number]
    return run[::-1]
