"""What an append file still holds after the run that wrote it ended, however it ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, assert_never

from graphtape.core.errors import CassetteError
from graphtape.core.message import Interaction
from graphtape.tape.digest import digest
from graphtape.tape.entry import settled
from graphtape.tape.long_body import LONG, WithLongBodies
from graphtape.tape.record import (
    PART_FORMAT,
    SIGNATURE,
    Broken,
    Header,
    Kind,
    Span,
    Torn,
    find_span,
    read_payload,
    read_span,
    streamed_bytes,
    unpack,
    unpack_header,
    unpack_variable,
)
from graphtape.tape.store import check_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from graphtape.core.message import Request, Response

_MOST_GAPS = 5
_PIECE = 64 * 1024


class UnreadablePartError(CassetteError):
    """An append file whose first record is damaged: nothing says what the others are for."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a file that isn't records as they were written; in bytes."""

    start: int
    length: int


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
        cut_off: Whether the last record was being written as the run ended.
        gaps: Stretches of the file that can't be read.
        lost: Interactions whose bodies had a part in one of them.
        variables: Kept beside them, by name.
    """

    path: Path
    header: Header
    uncommitted: int
    cut_off: bool
    gaps: tuple[Gap, ...]
    lost: int
    variables: Mapping[str, str]
    _committed: tuple[_Committed, ...]

    def __len__(self) -> int:
        return len(self._committed)

    @property
    def damaged(self) -> bool:
        """Whether anything can't be read that was once written whole."""
        return bool(self.gaps or self.lost)

    def __iter__(self) -> Iterator[Interaction]:
        with self.path.open("rb") as file:
            for committed in self._committed:
                yield _read(file, committed, name=self.path.name)

    def long_apart(self) -> Iterator[Interaction | WithLongBodies]:
        """Read the interactions once, their long bodies left in the file."""
        with self.path.open("rb") as file:
            for committed in self._committed:
                yield _read_apart(file, committed, path=self.path)

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
        if self.cut_off:
            said.append("another was cut off while it was written")
        if self.gaps:
            places = ", ".join(str(gap.start) for gap in self.gaps[:_MOST_GAPS])
            more = ", …" if len(self.gaps) > _MOST_GAPS else ""
            unread = sum(gap.length for gap in self.gaps)
            said.append(f"it is damaged at byte {places}{more}: {unread} bytes can't be read")
        if self.lost:
            said.append(f"{self.lost} interactions lack a part of their bodies")
        return "; ".join(said)


def recover(path: Path) -> Recovered | None:
    """Read the records of an append file that are whole.

    Memory doesn't grow with the bodies: they are checked here, and read when iterated over.

    Returns:
        What it holds, or None: there is no file, or the run was killed before its first record.

    Raises:
        NotAFileError: It is no regular file.
        UnreadablePartError: Its first record is damaged.
        CassetteError: It isn't an append file of this version, or can't be read.
    """
    check_file(path)
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
        if find_span(file, after=0, size=size) is None:
            raise CassetteError(
                f"{path}: its name is that of an unsaved recording, but it isn't one; move it away"
            )
        raise UnreadablePartError(f"{path}: its first bytes are damaged")
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
            raise UnreadablePartError(
                f"{path}: an unsaved recording whose first record is damaged, so that nothing in "
                "it can be used"
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
    gaps: list[Gap] = []
    lost = 0
    for span in _spans(file, gaps, size=size):
        match span.kind:
            case Kind.REQUEST_CHUNK | Kind.RESPONSE_CHUNK:
                chunks.setdefault(span.stream, []).append(span)
            case Kind.INTERACTION:
                streamed = chunks.pop(span.stream, []) if span.stream else []
                if span.stream and not _is_whole(file, span, streamed, damaged=bool(gaps)):
                    lost += 1
                else:
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
        cut_off=bool(gaps) and gaps[-1] is _TORN,
        gaps=tuple(gap for gap in gaps if gap is not _TORN),
        lost=lost,
        variables=variables,
        _committed=tuple(committed),
    )


_TORN = Gap(0, 0)
"""Stands last among gaps where the file ends inside a record: that is no damage."""


def _spans(file: BinaryIO, gaps: list[Gap], *, size: int) -> Iterator[Span]:
    """Read records to the end; note in `gaps` what stands between them."""
    while (span := read_span(file, size=size)) is not None:
        if isinstance(span, Span):
            after = file.tell()
            yield span
            file.seek(after)
            continue
        resumed = _resume(file, span, size=size)
        if resumed is None:
            torn = isinstance(span, Torn) or _is_blank(file, span.start)
            gaps.append(_TORN if torn else Gap(span.start, span.unread))
            return
        gaps.append(Gap(span.start, resumed - span.start))
        file.seek(resumed)


def _resume(file: BinaryIO, span: Torn | Broken, *, size: int) -> int | None:
    """Return where the next whole record begins; a trusted head says it without a search."""
    if isinstance(span, Broken) and span.beyond is not None:
        file.seek(span.beyond)
        if span.beyond == size or isinstance(read_span(file, size=size), Span):
            return span.beyond
    return find_span(file, after=span.start + 1, size=size)


def _is_blank(file: BinaryIO, start: int) -> bool:
    """Tell whether nothing but zeros follows, as a power loss leaves it."""
    file.seek(start)
    return not any(piece.strip(b"\0") for piece in iter(lambda: file.read(_PIECE), b""))


def _is_whole(file: BinaryIO, span: Span, streamed: list[Span], *, damaged: bool) -> bool:
    """Tell whether an interaction has all its chunks; an older file doesn't say how many."""
    promised = streamed_bytes(read_payload(file, span))
    if promised is None:
        return not damaged
    return promised == sum(chunk.length for chunk in streamed)


def _commit(span: Span, streamed: list[Span]) -> _Committed:
    return _Committed(
        span,
        asked=tuple(chunk for chunk in streamed if chunk.kind is Kind.REQUEST_CHUNK),
        answered=tuple(chunk for chunk in streamed if chunk.kind is Kind.RESPONSE_CHUNK),
    )


def _read(file: BinaryIO, committed: _Committed, *, name: str) -> Interaction:
    stored = _stored(file, committed, name=name)
    request, response = stored.request, stored.response
    return Interaction(
        request=replace(request, body=_joined(file, committed.asked, request.body)),
        response=replace(response, body=_joined(file, committed.answered, response.body)),
    )


def _stored(file: BinaryIO, committed: _Committed, *, name: str) -> Interaction:
    try:
        return unpack(read_payload(file, committed.interaction))
    except ValueError as exc:
        raise CassetteError(f"{name}: {_OTHER_VERSION} ({exc})") from exc


def _read_apart(
    file: BinaryIO, committed: _Committed, *, path: Path
) -> Interaction | WithLongBodies:
    stored = _stored(file, committed, name=path.name)
    request, response = stored.request, stored.response
    asked = _long(path, committed.asked, request)
    answered = _long(path, committed.answered, response)
    if asked is None and answered is None:
        return _read(file, committed, name=path.name)
    if asked is None:
        request = replace(request, body=_joined(file, committed.asked, request.body))
    if answered is None:
        response = replace(response, body=_joined(file, committed.answered, response.body))
    return WithLongBodies.of(request, response, asked=asked, answered=answered)


def _long(path: Path, chunks: tuple[Span, ...], message: Request | Response) -> _BodyOnDisk | None:
    """Leave a body in the file, if it is long, and nothing has to be undone in it."""
    size = sum(chunk.length for chunk in chunks) + len(message.body)
    if size < LONG or not chunks or "Content-Encoding" in message.headers:
        return None
    return _BodyOnDisk(path, chunks, message.body, size)


@dataclass(frozen=True, slots=True)
class _BodyOnDisk:
    """A body in the chunks of an append file."""

    path: Path
    chunks: tuple[Span, ...]
    rest: bytes
    size: int

    def __len__(self) -> int:
        return self.size

    def pieces(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            for chunk in self.chunks:
                yield read_payload(file, chunk)
        if self.rest:
            yield self.rest


def _joined(file: BinaryIO, chunks: tuple[Span, ...], rest: bytes) -> bytes:
    if not chunks:
        return rest
    body = BytesIO()  # which gives its bytes away without a copy
    for chunk in chunks:
        body.write(read_payload(file, chunk))
    body.write(rest)
    return body.getvalue()
