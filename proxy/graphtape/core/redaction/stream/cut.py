"""Where a long text may be parted, so that no rule of redaction reaches over the cut."""

from __future__ import annotations

import re

from graphtape.core.redaction import packed

AHEAD = 256
"""Bytes behind a place that are looked at, to tell whether the text may be parted there."""

LONGEST_CANDIDATE = 140
"""Bytes of what stands before a place where a text may be parted: a tag."""

_NEAR = 128
_CURL_REACHES = 1024
_AS_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_BLANKS = b" \t\r\n"
# Between lines, and in XML without lines where an element begins behind the end of another one.
_CANDIDATE = re.compile(rb"\n|(?:/>|</[\w:.-]{1,128}\s{0,8}>)(?=<[A-Za-z_])")
# What goes on in the next line: an assignment, a pipe, the block of a YAML text.
_GOES_ON = re.compile(rb"(?:[=:|]|=>|[ \t]>[+-]?[0-9]?)[\"'\\]{0,8}\Z")
_GONE_ON = re.compile(rb"[=:|\]]")
_YAML_BLOCK = re.compile(rb":[ \t]{1,8}[|>][+-]?[0-9]?[ \t]*\r?\n")
# Commands whose words may stand in several lines.
_COMMAND = re.compile(rb"securestring|/v|/d\s|\buser\b", re.IGNORECASE)
_TENANT_WORD = re.compile(rb"tenant|directory|tid|realm|organi[sz]ation", re.IGNORECASE)
_GUID = re.compile(rb"[0-9A-Fa-f]{8}-")
_PERSON_NAMED = re.compile(rb"(?:,|\b(?:eq|ne|ge|gt|le|lt))\Z")
_BASE64_RUN = re.compile(rb"(?<![\w+/.-])(?![0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-)[A-Za-z0-9+/_-]{20,}+")
_BASE64_LINES = re.compile(_BASE64_RUN.pattern + rb"(?:\r?\n[ \t]{0,16}[A-Za-z0-9+/_-]++)+")
_TAG_ENDS = re.compile(rb"</[\w:.-]{1,128}[^<>]*>|<[A-Za-z_](?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*/>")
_CDATA = b"<![CDATA["
_TAG_BEGINS = re.compile(rb"</?[A-Za-z_!]")
_MOST_LESS_THANS = 64


def find_cut(text: bytes, *, least: int, quoted: bool, personal: bool) -> int | None:
    """Return the first place from `least` on where a text may be parted; None if there is none yet.

    What is found depends on nothing beyond `AHEAD` bytes behind it: the same place is found again
    in a longer text.

    Args:
        text: From the last cut on.
        least: Bytes before the cut.
        quoted: Whether it is a table whose cells may hold line breaks between quotes.
        personal: Whether names of people are looked for.
    """
    refused = 0  # up to there
    for found in _CANDIDATE.finditer(text, least, max(least, len(text) - AHEAD)):
        at = found.end()
        if at < refused or not _may_part(text, at, personal=personal):
            continue
        if quoted and text.count(b'"', 0, at) % 2:
            continue
        refused = _base64_ends(text, at)
        if not refused:
            return at
    return None


def forced_cut(text: bytes, *, most: int) -> int:
    """Return where a text is parted that can't be parted well: at a line, a blank, or anywhere."""
    for mark in (b"\n", b" ", b","):
        at = text.rfind(mark, most // 2, most) + 1
        if at:
            return at
    at = most
    while at > 1 and text[at] & 0xC0 == 0x80:  # noqa: PLR2004 - inside of a character of UTF-8
        at -= 1
    return at


def _may_part(text: bytes, at: int, *, personal: bool) -> bool:
    """Tell whether no rule reaches over a place behind a line or an element."""
    near = text[max(0, at - _NEAR) : at]
    before = near.rstrip(_BLANKS)
    ahead = text[at : at + AHEAD]
    after = ahead.lstrip(_BLANKS)
    if _GOES_ON.search(before) is not None or _GONE_ON.match(after) is not None:
        return False
    if ahead[:1] in {b" ", b"\t"} and _YAML_BLOCK.search(text, 0, at) is not None:
        return False
    if personal and _PERSON_NAMED.search(before) is not None:
        return False
    if (
        _COMMAND.search(near) is not None
        or text.rfind(b"curl", max(0, at - _CURL_REACHES), at) >= 0
    ):
        return False
    if _TENANT_WORD.search(near) is not None and _GUID.search(ahead, 0, _NEAR) is not None:
        return False
    return not (_in_key(text, at) or _in_markup(text, at))


def _in_key(text: bytes, at: int) -> bool:
    """Tell whether a private key or a certificate in PEM has begun and not ended."""
    begins = text.rfind(b"-----BEGIN", 0, at)
    return begins >= 0 and text.find(b"-----END", begins, at) < 0


def _in_markup(text: bytes, at: int) -> bool:
    """Tell whether an element without elements in it, a tag or CDATA has begun and not ended."""
    cdata = text.rfind(_CDATA, 0, at)
    if cdata >= 0 and text.find(b"]]>", cdata, at) < 0:
        return True
    tag = at
    for _ in range(_MOST_LESS_THANS):
        tag = text.rfind(b"<", 0, tag)
        if tag < 0:
            return False
        if cdata >= 0 and text.find(b"]]>", cdata) > tag:
            tag, cdata = cdata, text.rfind(_CDATA, 0, cdata)
            continue
        if _TAG_BEGINS.match(text, tag) is None:
            continue
        ends = _TAG_ENDS.match(text, tag)
        if ends is None or ends.end() > at:
            return True
        if ends[0].startswith(b"</"):
            return False
    return True


def _base64_ends(text: bytes, at: int) -> int:
    """Return where lines of base64 end that open as a text does and go on at a place; 0 if none."""
    if text[at - 1 : at] != b"\n" or text[at : at + 17].lstrip(b" \t")[:1] not in _BASE64_BYTES:
        return 0
    start = len(text[:at].rstrip(_AS_BASE64 + _BLANKS))
    for run in _BASE64_RUN.finditer(text, max(0, start - 1), at):
        lines = _BASE64_LINES.match(text, run.start())
        if lines is not None and at < lines.end() and packed.may_begin(run[0]):
            return lines.end()
    return 0


_BASE64_BYTES = frozenset(bytes((each,)) for each in _AS_BASE64)
