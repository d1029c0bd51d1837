"""Free text: the URLs in it, and everything that shows by its shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.redaction import assignments, markup, packed, shapes
from graphtape.core.redaction.sweep import Change
from graphtape.core.redaction.urls import url

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_URL = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}+://[^\s\"<>\\^`{|}]++", re.IGNORECASE)
_RELATIVE = re.compile(r"/(?!/)[^\s\"<>\\^`{|}]++")
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 256
_AFTER = "'.,;:)]*"


def text(sweep: Sweep, value: str) -> str:
    """Redact a decoded text of no known format."""
    if value in sweep.harmless:
        return value
    known = sweep.known.get(value)
    if known is not None:
        sweep.changes += [
            Change(sweep.place, each.rule, each.before, each.after) for each in known[1]
        ]
        return known[0]
    noted = len(sweep.changes)
    swept = _swept(sweep, value)
    if sweep.unopened:
        return swept  # it may hold what is opened where it stands less deep
    if swept == value and len(value) < _LONGEST_REMEMBERED and not sweep.prose:
        if len(sweep.harmless) >= _REMEMBERED:
            sweep.harmless.clear()
        sweep.harmless.add(value)
    elif len(value) < _LONGEST_REMEMBERED:
        if len(sweep.known) >= _REMEMBERED:
            sweep.known.clear()
        sweep.known[value] = swept, tuple(sweep.changes[noted:])
    return swept


def _swept(sweep: Sweep, value: str) -> str:
    swept = value
    if "\n" in value:
        swept = assignments.lines(sweep, swept)
    if "<" in value:
        swept = markup.swept(sweep, swept)
    if "://" in value:
        swept = _around_urls(sweep, swept)
    elif value[:1] == "/" and ("?" in value or "%" in value) and _RELATIVE.fullmatch(value):
        swept = url(sweep, value, link=False)  # so that it stays the URL that will be asked
    else:
        swept = packed.opened(sweep, swept)
    return shapes.plain(sweep, swept)


def _around_urls(sweep: Sweep, value: str) -> str:
    """Redact URLs as they are when they are asked, and open what is packed between them."""
    pieces: list[str] = []
    done = 0
    for found in _URL.finditer(value):
        pieces += (packed.opened(sweep, value[done : found.start()]), _url(sweep, found[0]))
        done = found.end()
    return "".join((*pieces, packed.opened(sweep, value[done:])))


def _url(sweep: Sweep, found: str) -> str:
    """Redact a URL in running text, without the punctuation that follows it."""
    address = found.rstrip(_AFTER)
    return url(sweep, address, link=sweep.prose) + found[len(address) :]
