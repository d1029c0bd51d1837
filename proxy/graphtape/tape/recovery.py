"""What an append file still holds after the run that wrote it ended, however it ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from graphtape.core.errors import CassetteError
from graphtape.core.message import Interaction
from graphtape.tape.digest import digest
from graphtape.tape.entry import settled
from graphtape.tape.record import (
    PART_FORMAT,
    SIGNATURE,
    Broken,
    Header,
    Kind,
    Span,
    Torn,
    read_payload,
    read_span,
    unpack,
    unpack_header,
    unpack_variable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class _Committed:
    """Where an interaction lies; the chunks come before the bodies it holds itself."""

    interaction: Span
    asked: tuple[Span, ...] = ()
    answered: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The interactions of an append file, in the order of their places.

    They are read from the file one at a time, as often as they are iterated over: it must stay
    until they are saved.

    Attributes:
        path: Of the file.
        header: What the recording was for.
        uncommitted: How many bodies were still arriving; their interactions are lost.
        damage: Where reading had to stop before the end, or None.
        variables: Kept beside them, by name.
    """

    path: Path
    header: Header
    uncommitted: int
    damage: Torn | Broken | None
    variables: Mapping[str, str]
    _committed: tuple[_Committed, ...]

    def __len__(self) -> int:
        return len(self._committed)

    def __iter__(self) -> Iterator[Interaction]:
        with self.path.open("rb") as file:
            for committed in self._committed:
                yield _read(file, committed, name=self.path.name)

    def missing_from(self, tape: Sequence[Interaction]) -> tuple[Interaction, ...]:
        """Return what a cassette lacks of this recording: all of it, or nothing.

        Nothing where the run was killed after it had written the cassette, before it could
        remove this file.

        Args:
            tape: What the cassette holds now.
        """
        found = tuple(settled(interaction) for interaction in self)
        if digest(tape) == self.header.base or len(tape) < len(found):
            return found
        end = tuple(settled(interaction) for interaction in tape[len(tape) - len(found) :])
        return () if end == found else found

    def summary(self) -> str:
        """Say what was found, in one line for a person."""
        said = [f"{self.path}: {len(self)} interactions of a recording that was not saved"]
        if self.uncommitted:
            said.append(f"{self.uncommitted} more were cut off in the middle of a body")
        match self.damage:
            case None:
                pass
            case Torn():
                said.append("another was cut off while it was written")
            case Broken(start=start, unread=unread):
                said.append(f"it is damaged at byte {start}, and {unread} bytes can't be read")
            case _:
                assert_never(self.damage)
        return "; ".join(said)


def recover(path: Path) -> Recovered | None:
    """Read an append file up to the first record that isn't whole.

    Memory doesn't grow with the bodies: they are checked here, and read when iterated over.

    Returns:
        What it holds, or None: there is no file, or the run was killed before its first record.

    Raises:
        CassetteError: It isn't an append file of this version, or can't be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = _header(file, path, size=size)
            return None if header is None else _scan(file, path, header, size=size)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CassetteError(f"{path}: can't be read ({exc.strerror}); check the path") from exc


def _header(file: BinaryIO, path: Path, *, size: int) -> Header | None:
    signature = file.read(len(SIGNATURE))
    if signature != SIGNATURE:
        if SIGNATURE.startswith(signature):
            return None
        raise CassetteError(
            f"{path}: its name is that of an unsaved recording, but it isn't one; move it away"
        )
    first = read_span(file, size=size)
    match first:
        case None | Torn():
            return None
        case Span(kind=Kind.HEADER):
            after = file.tell()
            header = _checked(read_payload(file, first), path)
            file.seek(after)
            return header
        case Span() | Broken():
            raise CassetteError(
                f"{path}: an unsaved recording whose first record is damaged, so that nothing in "
                "it can be used; move it away, and record again"
            )
        case _:
            assert_never(first)


def _checked(payload: bytes, path: Path) -> Header:
    try:
        header = unpack_header(payload)
    except ValueError as exc:
        raise CassetteError(f"{path}: {_OTHER_VERSION} ({exc})") from exc
    if header.format != PART_FORMAT:
        raise CassetteError(f"{path}: {_OTHER_VERSION} (format {header.format})")
    return header


_OTHER_VERSION = "an unsaved recording of another version of Graphtape; recover it with that one"


def _scan(file: BinaryIO, path: Path, header: Header, *, size: int) -> Recovered:
    chunks: dict[int, list[Span]] = {}
    committed: list[_Committed] = []
    variables: dict[str, str] = {}
    while isinstance(span := read_span(file, size=size), Span):
        match span.kind:
            case Kind.REQUEST_CHUNK | Kind.RESPONSE_CHUNK:
                chunks.setdefault(span.stream, []).append(span)
            case Kind.INTERACTION:
                streamed = chunks.pop(span.stream, []) if span.stream else []
                committed.append(_commit(span, streamed))
            case Kind.VARIABLE:
                name, value = unpack_variable(read_payload(file, span))
                variables[name] = value
            case Kind.HEADER:
                pass  # none but the first is ever written
            case _:
                assert_never(span.kind)
    committed.sort(key=lambda each: each.interaction.place)
    return Recovered(
        path=path,
        header=header,
        uncommitted=len(chunks),
        damage=span,
        variables=variables,
        _committed=tuple(committed),
    )


def _commit(span: Span, streamed: list[Span]) -> _Committed:
    return _Committed(
        span,
        asked=tuple(chunk for chunk in streamed if chunk.kind is Kind.REQUEST_CHUNK),
        answered=tuple(chunk for chunk in streamed if chunk.kind is Kind.RESPONSE_CHUNK),
    )


def _read(file: BinaryIO, committed: _Committed, *, name: str) -> Interaction:
    try:
        stored = unpack(read_payload(file, committed.interaction))
    except ValueError as exc:
        raise CassetteError(f"{name}: {_OTHER_VERSION} ({exc})") from exc
    request, response = stored.request, stored.response
    return Interaction(
        request=replace(request, body=_joined(file, committed.asked, request.body)),
        response=replace(response, body=_joined(file, committed.answered, response.body)),
    )


def _joined(file: BinaryIO, chunks: tuple[Span, ...], rest: bytes) -> bytes:
    if not chunks:
        return rest
    return b"".join((*(read_payload(file, chunk) for chunk in chunks), rest))
