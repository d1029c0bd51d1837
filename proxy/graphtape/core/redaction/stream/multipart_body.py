"""A long multipart body that is redacted while it passes, part by part (RFC 2046 section 5.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.redaction import mime
from graphtape.core.redaction.stream.choose import STREAMED
from graphtape.core.redaction.stream.string_body import Base64Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.redaction.stream.streamed import Streamed
    from graphtape.core.redaction.sweep import Sweep

_SLICE = 64 * 1024
_LINE_BREAKS = b"\r\n"
_MOST_LINE_BREAKS = 64
_WIDTH = re.compile(rb"([A-Za-z0-9+/=]{4,1000})(\r?\n)")


class MultipartBody:
    """The parts of one body: short ones as a whole, long ones while they pass.

    The same comes out as for the body as a whole. A long part whose form has to be redacted whole
    (gzip, a message in a message) is held; base64 that changes is written in lines of one width.
    """

    def __init__(
        self,
        sweep: Sweep,
        delimiter: bytes,
        choose: Callable[[bytes, str], Streamed | None],
        passed: Callable[[Sweep, bytes], None] | None = None,
        *,
        held: int = STREAMED,
    ) -> None:
        """Begin with nothing.

        Args:
            sweep: The body's own.
            delimiter: What parts it, with its two dashes.
            choose: Given what a part begins with, decoded, and its type, makes what redacts it;
                None where it must be whole.
            passed: Told of each stretch as it was, once; what was changed in it is in the sweep.
            held: Bytes of a part up to which it is redacted as a whole.
        """
        self._short = held
        self._sweep = sweep
        self._delimiter = delimiter
        self._choose = choose
        self._passed = passed
        self._held = b""
        self._sought = 0
        self._number = 0
        self._part: Streamed | None = None
        self._whole = False

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return those that are clean by now."""
        clean: list[bytes] = []
        for start in range(0, len(piece), _SLICE):
            self._held += piece[start : start + _SLICE]
            while (at := self._held.find(self._delimiter, self._sought)) >= 0:
                part, self._held = self._held[:at], self._held[at + len(self._delimiter) :]
                clean += (self._ended(part), self._delimiter)
            self._sought = max(0, len(self._held) - len(self._delimiter) + 1)
            clean.append(self._begun())
        return b"".join(clean)

    def end(self) -> bytes:
        """Return what is left."""
        rest, self._held = self._held, b""
        return self._ended(rest)

    @property
    def unopened(self) -> str:
        """Why something in it couldn't be looked into; empty if all was."""
        return self._sweep.unopened

    def _ended(self, part: bytes) -> bytes:
        """Redact a part, or what is left of one."""
        number, self._number, self._sought = self._number, self._number + 1, 0
        streamed, self._part, self._whole = self._part, None, False
        if streamed is None:
            clean = self._sweep.settled(
                lambda again: mime.part(self._sweep, again, number=number), part
            )
        else:
            content = part.rstrip(_LINE_BREAKS)
            clean = streamed.feed(content) + streamed.end() + part[len(content) :]
        self._tell(part)
        return clean

    def _begun(self) -> bytes:
        """Redact what is here of a long part, but for what may belong to its end."""
        head = b""
        if self._part is None:
            if len(self._held) <= self._short or self._whole:
                return b""
            head = self._head()
            if self._part is None:
                return b""
        keep = len(self._delimiter) + _MOST_LINE_BREAKS
        # No more at once than twice what came: what was held at first goes bit by bit.
        most = min(len(self._held) - keep, 2 * _SLICE)
        ready = self._held[: max(0, most)].rstrip(_LINE_BREAKS)
        self._held = self._held[len(ready) :]
        self._sought = 0
        clean = self._part.feed(ready)
        self._tell(ready)
        return head + clean

    def _head(self) -> bytes:
        """Begin a long part, if it needn't be whole; return its head."""
        sweep = self._sweep
        entity = mime.entity(self._held)
        self._whole = True
        if entity is None or entity.nested:
            return b""
        content = self._held[entity.starts :]
        if entity.coding == b"base64":
            lines = _WIDTH.match(content)
            part: Streamed | None = _Base64Lines(
                sweep,
                lambda begins: self._choose(begins, entity.content_type),
                width=len(lines[1]) if lines is not None else 0,
                line_break=lines[2] if lines is not None else b"",
            )
        elif entity.coding in {b"", b"7bit", b"8bit", b"binary"}:
            part = self._choose(content, entity.content_type)
        else:
            part = None
        if part is None:
            return b""
        masked = mime.masked(sweep, entity.name)
        self._whole, self._part = False, part if masked is None else _Masked(masked)
        head, self._held = self._held[: entity.starts], content
        return sweep.settled(lambda again: mime.head_lines(sweep, again), head)

    def _tell(self, part: bytes) -> None:
        if self._passed is not None:
            self._passed(self._sweep, part)


class _Masked:
    """A part that is secret as a whole, by its name."""

    unopened = ""

    def __init__(self, mask: bytes) -> None:
        self._mask = mask

    def feed(self, piece: bytes) -> bytes:
        del piece
        mask, self._mask = self._mask, b""
        return mask

    def end(self) -> bytes:
        return self._mask


class _Base64Lines:
    """A part in base64 (RFC 2045 section 6.8): what it holds is redacted."""

    def __init__(
        self,
        sweep: Sweep,
        choose: Callable[[bytes], Streamed | None],
        *,
        width: int,
        line_break: bytes,
    ) -> None:
        self._sweep = sweep
        self._run = Base64Text(sweep, choose)
        self._width = width
        self._break = line_break
        self._line = b""
        self._begun = False

    @property
    def unopened(self) -> str:
        return self._sweep.unopened

    def feed(self, piece: bytes) -> bytes:
        return self._lines(self._run.feed(piece.translate(None, b"\r\n \t=")))

    def end(self) -> bytes:
        return self._lines(self._run.end(padded=True), ends=True)

    def _lines(self, run: bytes, *, ends: bool = False) -> bytes:
        """Break what was coded again into lines, with a break before each but the first."""
        if not self._width:
            return run
        self._line += run
        even = len(self._line) if ends else len(self._line) // self._width * self._width
        whole, self._line = self._line[:even], self._line[even:]
        lines = [whole[at : at + self._width] for at in range(0, len(whole), self._width)]
        if not lines:
            return b""
        before = self._break if self._begun else b""
        self._begun = True
        return before + self._break.join(lines)
