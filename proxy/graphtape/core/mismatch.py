"""How one request differs from another, and which recorded ones come nearest."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from itertools import chain, islice
from typing import TYPE_CHECKING

from graphtape.core.body import FORM, form_of, ignored_paths, json_of, without
from graphtape.core.matching import DEFAULT, Aspect, key_of
from graphtape.core.message import media_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from graphtape.core.body import Json, Pairs
    from graphtape.core.matching import Key, MatchOptions
    from graphtape.core.message import Request

_WIDEST_VALUE = 80
_MOST_BODY_DIFFERENCES = 20
_LONGEST_ITEMISED_BODY = 256 * 1024
_KEYS_RANKED = 2000
_KEYS_COMPARED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One difference; prints as `query.$top: recorded '5', asked '10'`.

    Attributes:
        place: `method`, `path`, `query.NAME`, `header.NAME`, `body.settings[0].name`, …
        recorded: Shortened around the difference; None where there is nothing.
        asked: Likewise.
    """

    place: str
    recorded: str | None
    asked: str | None

    def __str__(self) -> str:
        recorded = "nothing" if self.recorded is None else repr(self.recorded)
        asked = "nothing" if self.asked is None else repr(self.asked)
        return f"{self.place}: recorded {recorded}, asked {asked}"


def _mismatch(place: str, recorded: str | None, asked: str | None) -> Mismatch:
    start = 0
    if recorded is not None and asked is not None:
        same = _shared_length(recorded, asked)
        start = same - _WIDEST_VALUE // 4 if same > _WIDEST_VALUE // 2 else 0
    return Mismatch(
        place=place, recorded=_shortened(recorded, start), asked=_shortened(asked, start)
    )


def _shared_length(one: str, other: str) -> int:
    # Whole slices are compared in C: long values that differ at their end are the usual case.
    shorter = min(len(one), len(other))
    return bisect_left(range(shorter), 1, key=lambda last: one[: last + 1] != other[: last + 1])


def _shortened(text: str | None, start: int) -> str | None:
    if text is None or len(text) <= _WIDEST_VALUE:
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
    found += _pair_differences("query.", asked.query, recorded.query)
    found += _pair_differences("", asked.conditions, recorded.conditions)
    if asked.body != recorded.body:
        found.append(_mismatch("body", _body_text(recorded.body), _body_text(asked.body)))
    return tuple(found)


def _pair_differences(prefix: str, asked: Pairs, recorded: Pairs) -> Iterator[Mismatch]:
    here, there = _grouped(asked), _grouped(recorded)
    for name in there | here:
        was, now = there.get(name), here.get(name)
        if was != now:
            yield _mismatch(
                f"{prefix}{name}",
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
                return _pair_differences("body.", *pairs)
        else:
            return _json_differences("body", here, there)
    return iter([_mismatch("body", _body_text(recorded.body), _body_text(asked.body))])


def _json_differences(place: str, asked: Json, recorded: Json) -> Iterator[Mismatch]:
    here, there = _members(asked), _members(recorded)
    if (here or there) and type(asked) is type(recorded):
        for name in there | here:
            if name in here and name in there:
                yield from _json_differences(f"{place}{name}", here[name], there[name])
            else:
                yield _mismatch(f"{place}{name}", _shown(there, name), _shown(here, name))
    elif isinstance(asked, str) and isinstance(recorded, str):
        if asked != recorded:
            yield _mismatch(place, recorded, asked)
    elif (was := json.dumps(recorded)) != (now := json.dumps(asked)):
        # As JSON, so that the number 5 and the string "5" don't read alike.
        yield _mismatch(place, was, now)


def _members(value: Json) -> dict[str, Json]:
    """Return what is inside an object or array, by the step that leads there."""
    if isinstance(value, dict):
        return {f".{name}": child for name, child in value.items()}
    if isinstance(value, list):
        return {f"[{number}]": child for number, child in enumerate(value)}
    return {}


def _shown(members: dict[str, Json], name: str) -> str | None:
    if name not in members:
        return None
    value = members[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A recorded interaction like the one asked for.

    Attributes:
        index: The first one on the tape with its key.
        mismatches: Empty where the key is the one asked for.
    """

    index: int
    mismatches: tuple[Mismatch, ...]


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
        request_at: The recorded request of an index.
        options: What takes part.
        limit: How many to return.
    """
    key = key_of(asked, options)
    ranked = []
    for other in _shortlist(key, answers):
        index = answers[other][0]
        recorded = request_at(index)
        found = differences(key, other)
        long = max(len(asked.body), len(recorded.body)) > _LONGEST_ITEMISED_BODY
        if key.body != other.body and not long:
            fields = islice(_body_differences(asked, recorded, options), _MOST_BODY_DIFFERENCES)
            found = (*found[:-1], *fields)
        ranked.append((_distance(key, other)[:3], len(found), index, found))
    return tuple(
        Near(index=index, mismatches=found) for _, _, index, found in nsmallest(limit, ranked)
    )


def _shortlist(key: Key, answers: Mapping[Key, Sequence[int]]) -> list[Key]:
    # However long the tape: one comparison per key finds those at the same path, which are what
    # a reader looks for; only a bounded number is ranked, and fewer are compared in full.
    same_path = islice((other for other in answers if other.path == key.path), _KEYS_RANKED)
    known = dict.fromkeys(chain(same_path, islice(answers, _KEYS_RANKED)))
    return nsmallest(_KEYS_COMPARED, known, key=lambda other: _distance(key, other))


def _distance(key: Key, other: Key) -> tuple[bool, float, bool, int]:
    here, there = set(key.path.split("/")), set(other.path.split("/"))
    return (
        (key.method, key.path) != (other.method, other.path),
        1 - len(here & there) / len(here | there),
        key.method != other.method,
        len(set(key.query) ^ set(other.query)) + (key.body != other.body),
    )
