"""The append file of a recording: what happened is on disk before the client has all of it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Self

from graphtape.core.errors import CassetteError
from graphtape.core.message import Interaction
from graphtape.tape.record import SIGNATURE, Header, Kind, frame, pack, pack_header, pack_variable
from graphtape.tape.recovery import recover
from graphtape.tape.store import part_path

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1024 * 1024
"""Bytes of bodies that one record holds at most."""

# Without O_BINARY Windows would turn every \n of a body into \r\n.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)


@dataclass(slots=True)
class Part:
    """An append file while it is written. One thread writes; `sync` may run in another.

    A record goes out in one `os.write`: what has returned survives the process.

    Attributes:
        path: Of the file.
    """

    path: Path
    _descriptor: int
    _streams: int = 0
    _unusable: bool = False

    @classmethod
    def create(cls, cassette: Path, header: Header) -> Self:
        """Begin the append file of a cassette, readable by its owner alone.

        A file in its place in which no run got as far as the header is replaced. The caller
        holds the cassette's lock.

        Raises:
            CassetteError: There is one already, or something else of its name.
            OSError: It can't be written: a read-only folder, a full disk.
        """
        path = part_path(cassette)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and recover(path) is None:
            path.unlink()
        try:
            descriptor = os.open(path, _FLAGS, 0o600)
        except FileExistsError as exc:
            raise CassetteError(
                f"{path}: holds a recording that was not saved, and must not be overwritten; "
                "recover it, or move it away"
            ) from exc
        part = cls(path, descriptor)
        try:
            part.write(SIGNATURE + frame(Kind.HEADER, pack_header(header)))
        except OSError:
            with suppress(OSError):
                part.remove()
            raise
        return part

    def append(self, place: int, interaction: Interaction) -> None:
        """Put an interaction in a place of its own; the order of places is that of the tape.

        Raises:
            OSError: It isn't there; what came before is, and what comes after can be.
        """
        request, response = interaction.request, interaction.response
        if len(request.body) + len(response.body) <= CHUNK:
            self.write(frame(Kind.INTERACTION, pack(interaction), place=place))
            return
        stream = self.begin(place)
        stream.write_request(request.body)
        stream.write(response.body)
        stream.commit(
            Interaction(request=replace(request, body=b""), response=replace(response, body=b""))
        )

    def append_packed(self, place: int, payload: bytes) -> None:
        """Put an interaction whose bodies are small in a place of its own; as `append`.

        Raises:
            OSError: It isn't there.
        """
        self.write(frame(Kind.INTERACTION, payload, place=place))

    def set_variable(self, name: str, value: str) -> None:
        """Keep a variable; of several by one name the last one counts.

        Raises:
            OSError: It isn't there.
        """
        self.write(frame(Kind.VARIABLE, pack_variable(name, value)))

    def begin(self, place: int) -> Stream:
        """Open a place for an interaction whose bodies arrive bit by bit."""
        self._streams += 1
        return Stream(self, place, self._streams)

    def write(self, data: bytes) -> None:
        """Append whole records, or nothing.

        Raises:
            OSError: Nothing was appended.
        """
        if self._unusable:
            raise OSError(errno.EIO, "half a record couldn't be cut off again", str(self.path))
        written = 0
        try:
            written = os.write(self._descriptor, data)
            # A disk about to be full takes what fits; only the next write says why.
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            self._cut_off(written)
            raise

    def _cut_off(self, written: int) -> None:
        """Take half a record back: recovery would stop at it, and miss all that follows."""
        if not written:
            return
        try:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
        except OSError:
            self._unusable = True

    def sync(self) -> None:
        """Wait until what was appended survives a power loss.

        Raises:
            OSError: It may not.
        """
        os.fsync(self._descriptor)

    def restore(self) -> bool:
        """Write the file anew, if its name leads to it no more; tell whether it did.

        What has taken its name is set aside.

        Raises:
            CassetteError, OSError: It can't be written.
        """
        size = os.fstat(self._descriptor).st_size
        with suppress(OSError):
            if os.path.samestat(self.path.stat(), os.fstat(self._descriptor)):
                return False
            set_aside(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, _FLAGS, 0o600)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while size > 0 and (piece := os.read(self._descriptor, min(size, CHUNK))):
            os.write(descriptor, piece)
            size -= len(piece)
        os.close(self._descriptor)
        self._descriptor = descriptor
        return True

    def close(self) -> None:
        """Write no more; what was written stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def remove(self) -> None:
        """Close the file and delete it, once the cassette holds what it held."""
        self.close()
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class Stream:
    """An interaction on its way into a part: there once it is committed, and not at all before.

    Every method but `abort` raises OSError where the part can't be written: the interaction is
    lost then, and those before and after it aren't.
    """

    _part: Part
    _place: int
    _number: int
    _over: OSError | None = None
    _streamed: int = 0

    def write(self, chunk: bytes) -> None:
        """Add to the answer's body."""
        self._write_all(Kind.RESPONSE_CHUNK, chunk)

    def write_request(self, chunk: bytes) -> None:
        """Add to the request's body."""
        self._write_all(Kind.REQUEST_CHUNK, chunk)

    def commit(self, interaction: Interaction) -> None:
        """Put the interaction in its place; what its bodies hold follows the chunks."""
        self._write(Kind.INTERACTION, pack(interaction, streamed=self._streamed))
        self.abort()

    def abort(self) -> None:
        """Write no more. Without a commit the place is empty: recovery passes its chunks over."""
        self._over = OSError(errno.ECANCELED, "this body was ended before")

    def _write_all(self, kind: Kind, chunk: bytes) -> None:
        view = memoryview(chunk)
        for start in range(0, len(view), CHUNK):
            self._write(kind, view[start : start + CHUNK])
        self._streamed += len(chunk)

    def _write(self, kind: Kind, payload: bytes | memoryview) -> None:
        if self._over is not None:
            # After a failure too: a body with a hole must not be committed.
            raise OSError(self._over.errno, self._over.strerror, str(self._part.path))
        try:
            self._part.write(frame(kind, payload, place=self._place, stream=self._number))
        except OSError as exc:
            self._over = exc
            raise


def set_aside(path: Path, *, damaged: bool = False) -> Path:
    """Rename a leftover that no coming run is to recover, to the next free number.

    The caller holds the cassette's lock.

    Returns:
        `NAME.part-1`, or `NAME.part-damaged-1`.

    Raises:
        CassetteError: It can't be renamed.
    """
    kind = "damaged-" if damaged else ""
    names = (path.with_name(f"{path.name}-{kind}{number}") for number in count(1))
    try:
        return path.rename(next(name for name in names if not name.exists()))
    except OSError as exc:
        raise CassetteError(f"{path}: can't be renamed ({exc.strerror})") from exc
