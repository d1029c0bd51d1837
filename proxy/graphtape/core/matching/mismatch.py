"""How one request differs from another, and which recorded ones come nearest."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from hashlib import blake2b
from heapq import nsmallest
from itertools import chain, islice
from typing import TYPE_CHECKING

from graphtape.core.matching.body import (
    FORM,
    Json,
    Pairs,
    Steps,
    form_of,
    ignored_paths,
    json_of,
    without,
)
from graphtape.core.matching.key import DEFAULT, Aspect, Key, MatchOptions, key_of
from graphtape.core.message import Request, media_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


_WIDEST_VALUE = 80
_MOST_BODY_DIFFERENCES = 20
LONGEST_ITEMISED_BODY = 256 * 1024
_BATCH = "/$batch"
_KEYS_RANKED = 2000
_KEYS_LIKENED = 100
_KEYS_COMPARED = 20
_LONGEST_LIKENED_PATH = 200
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One difference; prints as `query.$top: recorded '5', asked '10'`.

    Attributes:
        place: `method`, `path`, `query.NAME`, `header.NAME`, `body.settings[0].name`, …
        recorded: Shortened around the difference; None where there is nothing.
        asked: Likewise.
        query: The parameter for `MatchOptions.ignore_query` that lets this differ, if one does.
        path: The same for `MatchOptions.ignore_body`.
    """

    place: str
    recorded: str | None
    asked: str | None
    query: str | None = field(default=None, compare=False)
    path: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        recorded = "nothing" if self.recorded is None else repr(self.recorded)
        asked = "nothing" if self.asked is None else repr(self.asked)
        return f"{self.place}: recorded {recorded}, asked {asked}"


def spelled_out(text: str) -> str:
    """Write what steers a terminal, or can't be encoded, as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _mismatch(
    place: str,
    recorded: str | None,
    asked: str | None,
    *,
    query: str | None = None,
    path: str | None = None,
) -> Mismatch:
    start = 0
    if recorded is not None and asked is not None:
        same = _shared_length(recorded, asked)
        start = same - _WIDEST_VALUE // 4 if same > _WIDEST_VALUE // 2 else 0
    return Mismatch(
        place=spelled_out(_shortened(place, 0)),
        recorded=None if recorded is None else _shortened(recorded, start),
        asked=None if asked is None else _shortened(asked, start),
        query=query,
        path=path,
    )


def _shared_length(one: str, other: str) -> int:
    # Whole slices are compared in C: long values that differ at their end are the usual case.
    shorter = min(len(one), len(other))
    return bisect_left(range(shorter), 1, key=lambda last: one[: last + 1] != other[: last + 1])


def _shortened(text: str, start: int) -> str:
    if len(text) <= _WIDEST_VALUE:
        return text
    piece = text[start : start + _WIDEST_VALUE - 2]
    return f"{'…' if start else ''}{piece}{'…' if start + len(piece) < len(text) else ''}"


def differences(asked: Key, recorded: Key) -> tuple[Mismatch, ...]:
    """Compare two keys; a body is one difference here, and `nearest` tells its fields apart."""
    texts = (
        ("method", recorded.method, asked.method),
        ("host", recorded.place, asked.place),
        ("path", recorded.path, asked.path),
    )
    found = [_mismatch(*text) for text in texts if text[1] != text[2]]
    for name, was, now in _pair_differences(asked.query, recorded.query):
        found.append(_mismatch(f"query.{name}", was, now, query=name))
    for name, was, now in _pair_differences(asked.conditions, recorded.conditions):
        found.append(_mismatch(name, was, now))
    if asked.body != recorded.body:
        found.append(_mismatch("body", _body_text(recorded.body), _body_text(asked.body)))
    return tuple(found)


def _pair_differences(
    asked: Pairs, recorded: Pairs
) -> Iterator[tuple[str, str | None, str | None]]:
    """Find the names whose values differ, with what was recorded and what is asked."""
    here, there = _grouped(asked), _grouped(recorded)
    for name in there | here:
        was, now = there.get(name), here.get(name)
        if was != now:
            yield (
                name,
                None if was is None else ", ".join(was),
                None if now is None else ", ".join(now),
            )


def _grouped(pairs: Pairs) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def _body_text(body: bytes) -> str | None:
    if not body:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"{len(body)} bytes, blake2b {blake2b(body, digest_size=8).hexdigest()}"


def _body_differences(
    asked: Request, recorded: Request, options: MatchOptions
) -> Iterator[Mismatch]:
    """Compare field by field where both bodies have fields, else as a whole."""
    if asked.body and recorded.body and Aspect.RAW_BODY not in options.match_on:
        paths = ignored_paths(options.ignore_body)
        try:
            here, there = (without(json_of(r.headers, r.body), paths) for r in (asked, recorded))
        except ValueError:
            if all(media_type(r.headers) == FORM for r in (asked, recorded)):
                pairs = (form_of(r.body, options.ignore_body) for r in (asked, recorded))
                return (
                    _mismatch(f"body.{name}", was, now, path=_path_of((name,)))
                    for name, was, now in _pair_differences(*pairs)
                )
        else:
            return _json_differences((), here, there)
    return iter([_mismatch("body", _body_text(recorded.body), _body_text(asked.body))])


def _json_differences(steps: Steps, asked: Json, recorded: Json) -> Iterator[Mismatch]:
    here, there = _members(asked), _members(recorded)
    if (here or there) and type(asked) is type(recorded):
        for step in there | here:
            inside = (*steps, step)
            if step in here and step in there:
                yield from _json_differences(inside, here[step], there[step])
            else:
                yield _json_mismatch(inside, _shown(there, step), _shown(here, step))
    elif isinstance(asked, str) and isinstance(recorded, str):
        if asked != recorded:
            yield _json_mismatch(steps, recorded, asked)
    elif (was := json.dumps(recorded)) != (now := json.dumps(asked)):
        # As JSON, so that the number 5 and the string "5" don't read alike.
        yield _json_mismatch(steps, was, now)


def _json_mismatch(steps: Steps, recorded: str | None, asked: str | None) -> Mismatch:
    pieces = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return _mismatch(f"body{''.join(pieces)}", recorded, asked, path=_path_of(steps))


def _path_of(steps: Steps) -> str | None:
    """Write where a difference is for `MatchOptions.ignore_body`; an array counts as a whole."""
    while steps and isinstance(steps[-1], int):
        steps = steps[:-1]
    match steps:
        case ():
            return None
        case (str(name),) if _PLAIN_NAME.fullmatch(name):
            return name
        case _:
            return "$" + "".join(map(_written, steps))


def _written(step: str | int | None) -> str:
    if not isinstance(step, str):
        return "[*]"
    if _PLAIN_NAME.fullmatch(step):
        return f".{step}"
    return f'["{step}"]' if "'" in step else f"['{step}']"


def _members(value: Json) -> dict[str | int, Json]:
    """Return what is inside an object or array, by the step that leads there."""
    members: dict[str | int, Json] = {}
    if isinstance(value, dict):
        members.update(value.items())
    elif isinstance(value, list):
        members.update(enumerate(value))
    return members


def _shown(members: dict[str | int, Json], step: str | int) -> str | None:
    if step not in members:
        return None
    value = members[step]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A recorded interaction like the one asked for.

    Attributes:
        index: The first slot on the tape with its key, as `Index.answers` holds it.
        mismatches: Empty where the key is the one asked for.
        distance: Ranks it among others, of other tapes too; the nearest is the smallest.
    """

    index: int
    mismatches: tuple[Mismatch, ...]
    distance: tuple[bool, bool, float, bool, int] = field(
        default=(False, False, 0.0, False, 0), compare=False
    )


def nearest(
    asked: Request,
    answers: Mapping[Key, Sequence[int]],
    request_at: Callable[[int], Request],
    options: MatchOptions = DEFAULT,
    limit: int = 3,
) -> tuple[Near, ...]:
    """Rank what is recorded by how near it comes to a request: method and path weigh most.

    Args:
        asked: Redacted as the tape is.
        answers: `Index.answers`, made with the same options.
        request_at: The recorded request of a slot, redacted; one with a body of more than
            `LONGEST_ITEMISED_BODY` bytes needn't be.
        options: What takes part.
        limit: How many to return.
    """
    key = key_of(asked, options)
    likeness = _Likeness(key.path)
    ranked = []
    for other in _shortlist(key, answers, likeness):
        index = answers[other][0]
        recorded = request_at(index)
        found = differences(key, other)
        long = max(len(asked.body), len(recorded.body)) > LONGEST_ITEMISED_BODY
        if key.body != other.body and not long:
            fields = islice(_body_differences(asked, recorded, options), _MOST_BODY_DIFFERENCES)
            found = (*found[:-1], *fields)
        far, batch, apart, method = _distance(key, other)
        distance = (far, batch, apart + 1 - likeness.ratio(other.path), method, len(found))
        ranked.append(Near(index=index, mismatches=found, distance=distance))
    return tuple(nsmallest(limit, ranked, key=lambda near: (near.distance, near.index)))


def _shortlist(key: Key, answers: Mapping[Key, Sequence[int]], likeness: _Likeness) -> list[Key]:
    # However long the tape: one comparison per key finds those at the same path, which are what
    # a reader looks for; only a bounded number is ranked, and fewer are compared in full.
    same_path = islice((other for other in answers if other.path == key.path), _KEYS_RANKED)
    known = dict.fromkeys(chain(same_path, islice(answers, _KEYS_RANKED)))
    near = nsmallest(_KEYS_LIKENED, known, key=lambda other: _rank(key, other))
    return nsmallest(
        _KEYS_COMPARED, near, key=lambda other: (-likeness.bound(other.path), _rank(key, other))
    )


class _Likeness:
    """How alike paths are to one, letter by letter, 0 to 1: it tells a slip of the pen."""

    def __init__(self, path: str) -> None:
        self._matcher = SequenceMatcher(autojunk=False)
        self._matcher.set_seq2(path[-_LONGEST_LIKENED_PATH:].casefold())

    def bound(self, path: str) -> float:
        """Return what `ratio` is at most, at a fraction of its cost."""
        self._matcher.set_seq1(path[-_LONGEST_LIKENED_PATH:].casefold())
        return self._matcher.quick_ratio()

    def ratio(self, path: str) -> float:
        self._matcher.set_seq1(path[-_LONGEST_LIKENED_PATH:].casefold())
        return self._matcher.ratio()


def _rank(key: Key, other: Key) -> tuple[bool, bool, float, bool, int]:
    values = len(set(key.query) ^ set(other.query)) + (key.body != other.body)
    return (*_distance(key, other), values)


def _distance(key: Key, other: Key) -> tuple[bool, bool, float, bool]:
    here, there = set(key.path.split("/")), set(other.path.split("/"))
    return (
        (key.method, key.path) != (other.method, other.path),
        # However similar the paths, only another batch is near to a batch.
        key.path.endswith(_BATCH) != other.path.endswith(_BATCH),
        1 - len(here & there) / len(here | there),
        key.method != other.method,
    )
