"""XML, HTML and property lists in a text: values change where they stand.

Its own reader of tags: no parser says where in the text a value stands, and one that resolves
entities would be open to attack. Entities of a document's own are never resolved.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING

from graphtape.core.redaction import assignments, secrets
from graphtape.core.redaction.elements import Elements
from graphtape.core.redaction.neighbours import PLAIN_VALUE
from graphtape.core.redaction.sweep import Rule
from graphtape.core.redaction.vocabulary import NAME_FIELDS, VALUE_FIELDS, Place, folded

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_TAG = re.compile(
    r"<(/?)([A-Za-z_][\w:.-]{0,127})((?:[^<>\"']|\"[^\"<]*+\"|'[^'<]*+')*+)>",
)
_ATTRIBUTE = re.compile(
    r"([\w:.-]{1,128})\s{0,8}=\s{0,8}"
    r"(?:\"([^\"<]*+)\"|'([^'<]*+)'|([^\s\"'<>=`]++))"
)
_CDATA, _CDATA_ENDS = "<![CDATA[", "]]>"
_NAMES = NAME_FIELDS | {"locuri", "key", "uri", "td", "th", "dt"}
_VALUES = VALUE_FIELDS | {"content", "data", "string", "plaintext", "td", "dd"}
_PLIST_VALUES = frozenset({"string", "data", "integer", "real"})
_NUMBERS = frozenset({"integer", "real"})
_DEEPEST = 1000
_NAME_REACHES = 4  # leaves after the one that holds a name


class _Reader:
    """One way through a text of tags."""

    def __init__(self, sweep: Sweep, text: str, before: Elements) -> None:
        self.sweep = sweep
        self.text = text
        self.edits: list[tuple[int, int, str]] = []
        self.around = [*before.around]
        self.key = before.key
        self.keyed_from = before.keyed_from
        self.told = before.told
        self.leaves = before.leaves
        self._no_cdata = False

    def elements(self) -> Elements:
        """Return what was read so far; of elements that nest too deep the innermost."""
        left = max(0, len(self.around) - _DEEPEST)
        return Elements(
            around=tuple(self.around[left:]),
            key=self.key,
            keyed_from=max(0, self.keyed_from - left),
            told=self.told,
            leaves=max(0, self.leaves),
        )

    def read(self) -> str:
        """Return the text with its secrets masked."""
        text = self.text
        open_name, open_at = "", -1
        entry = False
        at = text.find("<")
        while at >= 0:
            if text.startswith(_CDATA, at):
                at = self._skip_cdata(at)
                continue
            tag = _TAG.match(text, at)
            if tag is None:
                at = text.find("<", at + 1)
                continue
            name = folded(tag[2].rpartition(":")[2])
            if tag[1]:
                if name == open_name and open_at >= 0:
                    self._leaf(name, open_at, at, entry=entry)
                self._close(name)
                open_at = -1
            else:
                entry = self._attributes(name, tag) if tag[3] else False
                if not tag[3].rstrip().endswith("/"):
                    self.around.append(name)
                    if self.key and name == "array" and not self.keyed_from:
                        self.keyed_from = len(self.around)
                    elif self.key and name == "dict" and not self.keyed_from:
                        self.key = ""
                    open_name, open_at = name, tag.end()
            at = text.find("<", tag.end())
        return self._spliced()

    def _skip_cdata(self, at: int) -> int:
        end = -1 if self._no_cdata else self.text.find(_CDATA_ENDS, at)
        if end < 0:
            self._no_cdata = True
            return self.text.find("<", at + 1)
        return self.text.find("<", end)

    def _close(self, name: str) -> None:
        if self.around and self.around[-1] == name:
            self.around.pop()
        if len(self.around) < self.keyed_from:
            self.key, self.keyed_from = "", 0

    def _attributes(self, name: str, tag: re.Match[str]) -> bool:
        """Mask attributes; tell whether one names what stands inside of the element."""
        rules = self.sweep.rules
        told = Place.PLAIN
        values: list[re.Match[str]] = []
        for pair in _ATTRIBUTE.finditer(tag[3]):
            key = folded(pair[1].rpartition(":")[2])
            value = pair[pair.lastindex or 0]
            if rules.field((key,)) is Place.SECRET and key != "token":
                self._mask(tag.start(3) + pair.start(pair.lastindex or 0), value)
            elif key in _NAMES:
                place = rules.neighbour(key, value)
                if name == "input" and place is Place.PLAIN:
                    place = rules.parameter(value, query=False)
                told = place if place is not Place.PLAIN else told
            elif key in _VALUES:
                values.append(pair)
        if told is not Place.SECRET:
            return False
        for pair in values:
            group = pair.lastindex or 0
            self._mask(tag.start(3) + pair.start(group), pair[group])
        return not values

    def _leaf(self, name: str, start: int, end: int, *, entry: bool) -> None:
        value = self.text[start:end]
        rules = self.sweep.rules
        self.leaves -= 1
        if name == "key" and self.keyed_from == 0:
            self.key = value
            self._tell(name, value)
            return
        if self.key:
            place = rules.field((self.key,))
            keyed = place if place is not Place.PLAIN else rules.neighbour("key", self.key)
            if name in _PLIST_VALUES and keyed is Place.SECRET:
                self._mask(start, value, number=name in _NUMBERS)
                self._forget_key()
                return
            self._forget_key()
        around = self.around[-2] if len(self.around) > 1 else ""
        secret = entry or rules.field((name,)) is Place.SECRET
        if name in _VALUES and not secret:
            secret = rules.field((around,)) is Place.SECRET or (
                self.told is Place.SECRET and self.leaves > 0
            )
        if secret:
            self._mask(start, value)
            return
        if name in _NAMES:
            self._tell(name, value)
        self._inside(start, value)

    def _forget_key(self) -> None:
        if not self.keyed_from:
            self.key = ""

    def _tell(self, name: str, value: str) -> None:
        self.told = self.sweep.rules.neighbour(name, value.strip().rstrip(":"))
        self.leaves = _NAME_REACHES

    def _inside(self, start: int, value: str) -> None:
        """Redact what stands as text in an element."""
        if value.startswith(_CDATA) and value.endswith(_CDATA_ENDS):
            inner = value[len(_CDATA) : -len(_CDATA_ENDS)]
            swept = self._opened(inner)
            if swept != inner:
                at = start + len(_CDATA)
                self.edits.append((at, at + len(inner), swept))
        elif "&" in value:
            inner = unescape(value)
            swept = self._opened(inner)
            if swept != inner:
                new = escape(swept, quote="&quot;" in value or "&#" in value)
                self.edits.append((start, start + len(value), new))
        elif ":" in value:
            swept = assignments.lines(self.sweep, value)
            if swept != value:
                self.edits.append((start, start + len(value), swept))

    def _opened(self, inner: str) -> str:
        raw = inner.encode("utf-8", "surrogatepass")
        return self.sweep.open(raw).decode("utf-8", "surrogatepass")

    def _mask(self, start: int, value: str, *, number: bool = False) -> None:
        bare = value
        if bare.startswith(_CDATA) and bare.endswith(_CDATA_ENDS):
            start += len(_CDATA)
            bare = bare[len(_CDATA) : -len(_CDATA_ENDS)]
        stripped = bare.strip()
        if not stripped or secrets.masked(stripped) or PLAIN_VALUE.fullmatch(stripped):
            return
        new = self.sweep.mask(Rule.SECRET, unescape(stripped))
        self.edits.append((start, start + len(bare), "0" if number else new))

    def _spliced(self) -> str:
        pieces: list[str] = []
        done = 0
        for start, end, new in sorted(self.edits):
            if start >= done:
                pieces += (self.text[done:start], new)
                done = end
        return "".join((*pieces, self.text[done:]))


def swept(sweep: Sweep, text: str) -> str:
    """Redact elements, attributes and CDATA by their names."""
    if _TAG.search(text) is None:
        return text
    before = None if sweep.depth else sweep.elements
    reader = _Reader(sweep, text, before or Elements())
    clean = reader.read()
    if before is not None:
        sweep.elements = reader.elements()
    return clean
