"""A long string of a JSON text that is redacted while it passes: base64, or a text with escapes."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from binascii import Error, a2b_base64
from typing import TYPE_CHECKING

from graphtape.core.json_text import quote
from graphtape.core.redaction import packed, provider_keys, secrets
from graphtape.core.redaction.stream.choose import STREAMED
from graphtape.core.redaction.stream.text_body import TextBody
from graphtape.core.redaction.text import text as free_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.redaction.gate import Gate
    from graphtape.core.redaction.stream.streamed import Streamed
    from graphtape.core.redaction.sweep import Sweep

_BEGINS = 4096
_LONGEST_ESCAPE = 6
LONGEST_KEY = 1100
"""Characters of the longest key of a provider's: windows of a run overlap by as many."""

_RUN = re.compile(rb"[A-Za-z0-9+/_-]*+")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class EscapedText(TextBody):
    """A text as JSON writes it between quotes. What isn't changed stays as it was written."""

    line = b"\\n"

    def _view(self, text: bytes) -> bytes:
        """Undo the escapes that tell where a text may be parted, of the same length."""
        if b"\\" not in text:
            return text
        for escape, plain in _ESCAPES:
            text = text.replace(escape, plain)
        return text

    def _forced_cut(self) -> int:
        """Part it where no escape is parted."""
        at, held = super()._forced_cut(), self._held
        slash = held.rfind(b"\\", at - _LONGEST_ESCAPE + 1, at)
        slashes = slash + 1 - len(held[: slash + 1].rstrip(b"\\"))
        length = _LONGEST_ESCAPE if held[slash + 1 : slash + 2] == b"u" else 2
        return slash if slashes % 2 and slash + length > at else at

    def _redacted(self, text: bytes) -> bytes:
        value = str(_LENIENT.decode(f'"{text.decode("utf-8", "surrogateescape")}"'))
        clean = self._settled(value)
        return text if clean == value else quote(clean)[1:-1]

    def _settled(self, value: str) -> str:
        def once(again: str) -> str:
            self._sweep.elements = self._elements
            return free_text(self._sweep, again)

        clean = self._sweep.settled(once, value)
        self._elements = self._sweep.elements or self._elements
        return clean


_LENIENT = json.JSONDecoder(strict=False)
_ESCAPES = ((b"\\\\", b"//"), (b"\\n", b".\n"), (b"\\r", b".\r"), (b"\\t", b" \t"), (b'\\"', b'."'))


class Base64Text:
    """Base64 without line breaks that opens as a text does: what it holds is redacted."""

    def __init__(self, sweep: Sweep, choose: Callable[[bytes], Streamed | None]) -> None:
        """Begin with nothing.

        Args:
            sweep: The body's own.
            choose: Given what the text begins with, makes what redacts it; None where it must be
                whole.
        """
        self._sweep = sweep
        self._choose = choose
        self._run = b""
        self._decoded = b""
        self._inner: Streamed | None = None
        self._whole = False
        self._clean = b""
        self._url_safe = False

    def feed(self, run: bytes) -> bytes:
        """Take the next characters, all of base64."""
        self._url_safe = self._url_safe or b"-" in run or b"_" in run
        self._run += run
        even = len(self._run) // 4 * 4
        raw, self._run = a2b_base64(self._run[:even].translate(_STANDARD)), self._run[even:]
        return self._coded(self._swept(raw))

    def end(self, *, padded: bool = False) -> bytes:
        """Return what is left.

        Args:
            padded: Whether `=` follows the run.
        """
        rest = self._run.translate(_STANDARD) + b"=" * (-len(self._run) % 4)
        try:
            clean = self._swept(a2b_base64(rest))
        except Error:
            clean = b""
        if self._inner is not None:
            clean += self._inner.end()
        else:
            whole, self._decoded = self._decoded, b""
            clean += self._sweep.open(whole)
        coded = self._coded(clean, ends=True)
        return coded if padded else coded.rstrip(b"=")

    def _swept(self, raw: bytes) -> bytes:
        if self._inner is not None:
            return self._inner.feed(raw)
        self._decoded += raw
        if self._whole or len(self._decoded) <= STREAMED:
            return b""
        self._inner = self._choose(self._decoded)
        self._whole = self._inner is None
        if self._inner is None:
            return b""
        begins, self._decoded = self._decoded, b""
        return self._inner.feed(begins)

    def _coded(self, clean: bytes, *, ends: bool = False) -> bytes:
        self._clean += clean
        even = len(self._clean) if ends else len(self._clean) // 3 * 3
        coded, self._clean = b64encode(self._clean[:even]), self._clean[even:]
        return coded.translate(_URL_SAFE) if self._url_safe else coded


class OpaqueRun:
    """Base64 that opens as no text: only keys of providers, and a private key, can show in it."""

    def __init__(self, sweep: Sweep) -> None:
        """Begin with nothing; `sweep` is the body's own."""
        self._sweep = sweep
        self._held = b""
        self._begun = self._masked = False

    def feed(self, run: bytes) -> bytes:
        """Take the next characters, all of base64."""
        self._held += run
        if len(self._held) < _BEGINS or self._masked:
            return self.end() if self._masked else b""
        return self._clean(len(self._held) - LONGEST_KEY)

    def end(self) -> bytes:
        """Return what is left."""
        clean = b"" if self._masked else self._clean(len(self._held))
        self._held = b""
        return clean

    def _clean(self, ready: int) -> bytes:
        held, self._held = self._held, self._held[ready:]
        first, self._begun = not self._begun, True
        if not first and not provider_keys.may_hold(held, held):
            return held[:ready]
        text = held.decode("ascii")
        clean = self._sweep.settled(lambda again: free_text(self._sweep, again), text)
        if clean == text:
            return held[:ready]
        self._held = b""
        self._masked = first and secrets.masked(clean)  # all of it is a key
        return clean.encode()


class StringBody:
    """A long string: base64 as far as it is, and else a text."""

    def __init__(
        self, sweep: Sweep, gate: Gate, choose: Callable[[bytes], Streamed | None]
    ) -> None:
        """Begin with nothing; arguments as for `TextBody` and `Base64Text`."""
        self._sweep = sweep
        self._gate = gate
        self._choose = choose
        self._begins = b""
        self._run: Base64Text | OpaqueRun | None = None
        self._text: EscapedText | None = None

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes as written; return those that are clean by now."""
        if self._text is not None:
            return self._text.feed(piece)
        if self._run is not None:
            return self._of_run(self._run, piece)
        self._begins += piece
        return self._begun() if len(self._begins) >= _BEGINS else b""

    def end(self) -> bytes:
        """Return what is left."""
        clean = self._begun() if self._text is None and self._run is None else b""
        if self._text is not None:
            return clean + self._text.end()
        return clean + (self._run.end() if self._run is not None else b"")

    @property
    def unopened(self) -> str:
        """Why something in it couldn't be looked into; empty if all was."""
        return self._sweep.unopened

    def _begun(self) -> bytes:
        begins, self._begins = self._begins, b""
        run = _RUN.match(begins)
        if run is None or len(run[0]) < len(begins.rstrip(b"=")):
            self._text = EscapedText(self._sweep, self._gate, "")
            return self._text.feed(begins)
        opens = packed.may_begin(run[0])
        self._run = Base64Text(self._sweep, self._choose) if opens else OpaqueRun(self._sweep)
        return self._of_run(self._run, begins)

    def _of_run(self, base64: Base64Text | OpaqueRun, piece: bytes) -> bytes:
        """Redact base64 to its end; what follows is a text."""
        run = _RUN.match(piece)
        length = run.end() if run is not None else 0
        clean = base64.feed(piece[:length])
        rest = piece[length:]
        if not rest:
            return clean
        if isinstance(base64, Base64Text):
            clean += base64.end(padded=rest.startswith(b"="))
            rest = rest.lstrip(b"=")
        else:
            clean += base64.end()
        self._run, self._text = None, EscapedText(self._sweep, self._gate, "")
        return clean + self._text.feed(rest)
