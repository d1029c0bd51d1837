"""Which interactions can be removed: unused ones, and polls with the same answer as before."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.matching.body import Json, json_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from graphtape.core.matching.key import Key
    from graphtape.core.message import Headers, Interaction, Response
    from graphtape.core.tape.index import Index

_VOLATILE = frozenset(
    {
        "client-request-id",
        "content-length",
        "date",
        "request-id",
        "transfer-encoding",
        "x-ms-ags-diagnostic",
    }
)
"""Fields that differ from answer to answer, in headers and in an error's innerError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """Said to be unused."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """A read that answers only once an unused write has played.

    Attributes:
        write: Index of that write.
    """

    index: int
    write: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Answered as the same read was just before, with no write between them.

    Attributes:
        of: Index of the interaction that stays.
    """

    index: int
    of: int


Taken: TypeAlias = Unused | Unreached | Repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """What can be taken out of a tape.

    Attributes:
        taken: By index.
        parting: Indices of unused writes that stay: a read behind one answers after a later
            write too, and would answer too early if nothing parted it from those before.
    """

    taken: tuple[Taken, ...]
    parting: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What tells two answers to one request apart."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def trim(
    interactions: Sequence[Interaction], index: Index, *, unused: Collection[int] = ()
) -> Trimmed:
    """Say what a tape can do without, and every client still sees the same.

    What stays answers each read, in each interval between two writes, with the same sequence of
    different answers; for clients that play no unused write. A `$batch` stays: its parts also
    answer one by one, and others may stand between two of it.

    Args:
        interactions: In tape order.
        index: Of their keys.
        unused: Indices of interactions that are never played.
    """
    idle = frozenset(unused)
    parting: set[int] = set()
    taken: dict[int, Taken] = {}
    for number, write, answers_later in _behind(index, idle):
        if answers_later:
            parting.add(write)
        else:
            taken[number] = Unreached(index=number, write=write)
    taken |= {number: Unused(index=number) for number in idle - parting}
    repeats = [*_repeats(interactions, index, gone=taken.keys())]
    taken |= {repeat.index: repeat for repeat in repeats}
    return Trimmed(
        taken=tuple(taken[number] for number in sorted(taken)), parting=tuple(sorted(parting))
    )


def _behind(index: Index, idle: frozenset[int]) -> Iterator[tuple[int, int, bool]]:
    """Find the reads in the interval of an idle write, but for the first of each key.

    The first answers before it is reached, whether the write is there or not.

    Returns:
        The read, the write, and whether the read also answers after a later write, whose own
        interval has no answer.
    """
    writes = index.writes
    for numbers in index.answers.values():
        reads = [number for number in numbers if number not in idle]
        for number, following in zip(reads[1:], [*reads[2:], index.size], strict=False):
            at = bisect_right(writes, number)
            if not at or writes[at - 1] == number or writes[at - 1] not in idle:
                continue
            ends = [*writes[at + 1 :], index.size]
            later = zip(writes[at:], ends, strict=False)  # no write follows, one end does
            end = next((end for write, end in later if write not in idle), None)
            yield number, writes[at - 1], end is not None and end <= following


def _repeats(
    interactions: Sequence[Interaction], index: Index, *, gone: Collection[int]
) -> Iterator[Repeat]:
    writes = frozenset(index.writes)
    latest: dict[Key, tuple[int, _Answer]] = {}  # reads of this interval
    for number, key in enumerate(_keys(index)):
        if number in gone:
            continue
        if number in writes:
            latest.clear()
        elif not key.path.endswith("/$batch"):
            answer = _answer(interactions[number].response)
            known = latest.get(key)
            if known is not None and known[1] == answer:
                yield Repeat(index=number, of=known[0])
            else:
                latest[key] = number, answer
        else:
            # Its parts may have told the client of a state that a poll before it hadn't.
            latest.clear()


def _keys(index: Index) -> Iterator[Key]:
    """Return the key of each interaction, in tape order."""
    keys: Mapping[int, Key] = {
        number: key for key, numbers in index.answers.items() for number in numbers
    }
    return (keys[number] for number in range(index.size))


def _answer(response: Response) -> _Answer:
    # Without a body, as of a HEAD, the length is all that is known of it.
    ignored = _VOLATILE if response.body else _VOLATILE - {"content-length"}
    fields = ((name.lower(), value) for name, value in response.headers)
    kept = sorted((pair for pair in fields if pair[0] not in ignored), key=lambda pair: pair[0])
    return _Answer(response.status, tuple(kept), _body(response.headers, response.body))


def _body(headers: Headers, body: bytes) -> bytes:
    """Return a body without what is new in each error."""
    if b"rror" not in body:
        return body
    try:
        value = json_of(headers, body)
    except ValueError:
        return body
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return body
    return json.dumps(_settled(value), sort_keys=True).encode()


def _settled(value: Json) -> Json:
    if isinstance(value, list):
        return [_settled(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_volatile(child) if name.lower() == "innererror" else _settled(child)
        for name, child in value.items()
    }


def _without_volatile(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    kept = {name: child for name, child in value.items() if name.lower() not in _VOLATILE}
    return _settled(kept)
