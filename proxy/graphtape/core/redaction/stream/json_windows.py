"""A long JSON text in windows, each of which can be made a JSON text of its own.

What a window needs of the text before it goes in front: the containers that are open, by their
names, and the short values beside them, which tell what others are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.json_text import BOM, CLOSING, KEY, LITERAL, OPENING, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = 32 * 1024
"""Bytes that are looked at together at least, and half of what is at most."""

MARK = b'[["",null]]'
"""Stands before what a window holds. No string has it in it, and no rule changes it."""

STAND_IN = b"graphtape long string"
"""Stands for a string that follows in pieces: no rule means it but one for its place."""

_LONGEST_MEMBER = 512
_MOST_MEMBERS = 64
# A string, to its end or that of the text, or what nests and parts values.
_STEP = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\],]', re.DOTALL)
_BRACKETS = bytes(each for each in range(256) if each not in b"{}[]")
_LONG_STRING = re.compile(
    rb'[ \t\r\n]*+,?[ \t\r\n]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*+:[ \t\r\n]*+)?"'
)
_STRING_ENDS = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the text.

    Attributes:
        before: What makes a JSON text of it, in front, up to and with `MARK`; empty at the start.
        data: The stretch.
        after: What makes a JSON text of it, behind.
        opens: Whether it ends inside of a string: the pieces of that follow.
    """

    before: bytes
    data: bytes
    after: bytes
    opens: bool = False

    @property
    def text(self) -> bytes:
        """The JSON text."""
        return b"".join((self.before, self.data, self.after))

    def own(self, text: bytes) -> bytes:
        """Return what has become of the stretch, of what has become of the whole.

        What is behind it must be as it was.
        """
        if self.before:
            text = text.partition(MARK)[2]
        return text.removesuffix(self.after)


@dataclass(frozen=True, slots=True)
class StringPiece:
    """A stretch of a long string, as written; `ends` says that its closing quote follows."""

    data: bytes
    ends: bool


@dataclass(frozen=True, slots=True)
class NoJson:
    """A stretch behind a place where the text is no JSON."""

    data: bytes


Event: TypeAlias = Window | StringPiece | NoJson


@dataclass(slots=True)
class _Open:
    """A container that is open.

    Attributes:
        is_object: Else a list.
        key: What it is called in the one around it, as written, quotes included; or empty.
        members: Short values that stand in it, with their keys.
    """

    is_object: bool
    key: bytes
    members: list[bytes] = field(default_factory=list)


class JsonWindows:
    """Parts one JSON text, the same way however it comes."""

    def __init__(self, *, window: int = WINDOW) -> None:
        """Begin at its start."""
        self._least = window
        self._held = b""
        self._open: list[_Open] = []
        self._begun = False
        self._in_string = False
        self._broken = False

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Take the next bytes; give what is parted off by now."""
        for start in range(0, len(piece), 2 * self._least):
            self._held += piece[start : start + 2 * self._least]
            yield from self._events(ended=False)

    def end(self) -> Iterator[Event]:
        """Give what is left."""
        yield from self._events(ended=True)
        if self._held:
            rest, self._held = self._held, b""
            if self._in_string:
                yield StringPiece(rest, ends=False)
            elif self._broken:
                yield NoJson(rest)
            else:
                yield Window(self._before(), rest, b"")

    def _events(self, *, ended: bool) -> Iterator[Event]:
        while True:
            if self._in_string:
                event: Event | None = self._string_piece(ended=ended)
            elif len(self._held) <= 2 * self._least:
                return
            elif self._broken:
                event, self._held = NoJson(self._held), b""
            else:
                event = self._window()
            if event is None:
                return
            yield event

    def _string_piece(self, *, ended: bool) -> StringPiece | None:
        found = _STRING_ENDS.match(self._held)
        at = found.end() if found is not None else 0
        if at < len(self._held) and self._held[at : at + 1] == b'"':
            piece, self._held, self._in_string = self._held[:at], self._held[at + 1 :], False
            return StringPiece(piece, ends=True)
        if ended or len(self._held) <= self._least:
            return None
        piece, self._held = self._held[:at], self._held[at:]
        return StringPiece(piece, ends=False) if piece else None

    def _window(self) -> Event:
        at = self._level() if self._open and not self._open[-1].is_object else None
        if at is not None:
            return self._parted(at, self._before())
        return self._read()

    def _parted(self, at: int, before: bytes) -> Window:
        data, self._held, self._begun = self._held[:at], self._held[at:], True
        return Window(before, data, self._after())

    def _level(self) -> int | None:
        """Find, fast, where an item of the list that is open ends behind the least size."""
        text = self._held[: 2 * self._least]
        pure = text[: self._least]
        if b"\\" in pure:
            pure = pure.replace(b"\\\\", b"").replace(b'\\"', b"")
        outside = pure.split(b'"')
        start = self._least
        if not len(outside) % 2:  # it ends inside of a string
            start = _last_quote(text, self._least)
        brackets = b"".join(outside[::2]).translate(None, _BRACKETS)
        size = -1
        while size != len(brackets):
            size = len(brackets)
            brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if b"]" in brackets or b"}" in brackets:
            return None
        depth = len(brackets)
        for step in _STEP.finditer(text, start):
            if step[0] in {b"{", b"["}:
                depth += 1
            elif step[0] in {b"}", b"]"}:
                depth -= 1
                if depth < 0:
                    return None
            elif step[0] == b"," and not depth:
                return step.start()
        return None

    def _read(self) -> Event:
        """Read the text token by token, and part it where it nests the least."""
        text, before = self._held[: 2 * self._least], self._before()
        walk = _Walk(self._open)
        early = late = 0
        late_open: list[_Open] = []
        for place in walk.values(text, 0 if self._begun else _begins(text)):
            if place < self._least:
                early = place
            elif not late or len(walk.open) < len(late_open):
                late, late_open = place, _copied(walk.open)
        if late:
            self._open = late_open
            return self._parted(late, before)
        opens = _LONG_STRING.match(text, walk.at) if walk.at < self._least else None
        if opens is not None:
            self._open = walk.open
            data, self._held = self._held[: opens.end()], self._held[opens.end() :]
            self._begun = self._in_string = True
            return Window(before, data, STAND_IN + b'"' + self._after(), opens=True)
        if not early:
            self._broken = True
            return NoJson(b"")
        walk = _Walk(self._open)
        for _ in walk.values(text[:early], 0 if self._begun else _begins(text)):
            pass
        self._open = walk.open
        return self._parted(early, before)

    def _before(self) -> bytes:
        """Open the containers that are open, with what is known of them."""
        if not self._begun:
            return b""
        parts: list[bytes] = []
        for number, each in enumerate(self._open):
            parts.append(
                b"{" + b"".join(member + b"," for member in each.members)
                if each.is_object
                else b"["
            )
            inner = self._open[number + 1] if number + 1 < len(self._open) else None
            if each.is_object:
                parts.append(inner.key + b":" if inner is not None else b'"":')
        return b"".join((*parts, MARK))

    def _after(self) -> bytes:
        return b"".join(b"}" if each.is_object else b"]" for each in reversed(self._open))


class _Walk:
    """One way through a text, token by token.

    Attributes:
        open: The containers that are open.
        at: Where the first token begins that is not whole.
    """

    def __init__(self, around: list[_Open]) -> None:
        self.open = _copied(around)
        self.at = 0

    def values(self, text: bytes, start: int) -> Iterator[int]:
        """Give each place behind a value that stands in a container."""
        for token in TOKEN.finditer(text, start):
            group = token.lastindex
            cut_off = group == LITERAL and token.end() == len(text)
            self.at = token.start()
            if group is None or group > CLOSING or (cut_off and self.open):
                return
            if group != CLOSING and self.open and self.open[-1].is_object is (token[KEY] is None):
                return  # a key, whose value isn't whole
            if group == OPENING:
                self.open.append(_Open(token[OPENING] == b"{", token[KEY] or b""))
                continue
            if group == CLOSING:
                if not self.open:
                    return
                self.open.pop()
            elif self.open and self.open[-1].is_object:
                _remember(self.open[-1], token)
            if not self.open:
                return
            yield token.end()


def _begins(text: bytes) -> int:
    return len(BOM) if text.startswith(BOM) else 0


def _copied(around: list[_Open]) -> list[_Open]:
    return [_Open(each.is_object, each.key, [*each.members]) for each in around]


def _remember(container: _Open, token: re.Match[bytes]) -> None:
    key, value = token[KEY], token[token.lastindex or 0]
    if key is None or len(key) + len(value) > _LONGEST_MEMBER:
        return
    container.members.append(key + b":" + value)
    if len(container.members) > _MOST_MEMBERS:
        del container.members[0]


def _last_quote(text: bytes, end: int) -> int:
    """Return where the last quote stands before a place that is not escaped."""
    at = end
    while (at := text.rfind(b'"', 0, at)) > 0:
        slashes = at - len(text[:at].rstrip(b"\\"))
        if not slashes % 2:
            return at
    return 0
