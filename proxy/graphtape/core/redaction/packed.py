"""Base64 in a text: what it holds is redacted, and packed again in the same form."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

from graphtape.core.redaction.sweep import DEEPEST

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_SHORTEST = 20
# Standard and URL-safe, padded or not, in lines or not. What stands between dots is a JWT's.
_BASE64 = re.compile(
    r"(?<![\w+/.-])(?![0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-)"
    r"[A-Za-z0-9+/_-]{20,}+(?:\r?\n[ \t]{0,16}[A-Za-z0-9+/_-]++)*+={0,2}(?!\.[\w-])"
)
_BREAK = re.compile(r"(\r?\n[ \t]{0,16})")
_STANDARD = str.maketrans("-_", "+/")
_URL_SAFE = str.maketrans("+/", "-_")
_SAMPLE = 32
_PLAIN = rb"[\t\n\r -~]"
_OPENS = re.compile(
    rb"\x1f\x8b\x08|x[\x9c\xda]|\xef\xbb\xbf|(?:\xff\xfe(?:\0\0)?|\xfe\xff|\0\0\xfe\xff)[\0-\x7f]{2}"
    rb"|(?:%b|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){6,}+"
    rb"[\x80-\xff]{0,3}\Z|(?:%b\0){4,}|(?:\0%b){4,}|(?:%b\0\0\0){3,}|(?:\0\0\0%b){3,}"
    % ((_PLAIN,) * 5)
)
"""How text begins, in any of its codings, or gzip. Chance doesn't write a dozen such bytes."""


def may_begin(run: bytes) -> bool:
    """Tell whether a run of base64's characters may be base64 of a text."""
    return len(run) >= _SHORTEST and _opens(run[:_SAMPLE])


def opened(sweep: Sweep, text: str) -> str:
    """Redact what stands in a text as base64."""
    if len(text) < _SHORTEST or sweep.depth > DEEPEST:
        return text
    return _BASE64.sub(lambda found: _block(sweep, found[0]), text)


def _block(sweep: Sweep, block: str) -> str:
    """Redact lines of base64, as far as they are of one width."""
    if not _opens(block[:_SAMPLE].partition("\n")[0].rstrip("\r").encode()):
        return block
    lines = _BREAK.split(block)
    width, count = len(lines[0]), 1
    while count < len(lines) and len(lines[count - 1]) == width and len(lines[count + 1]) <= width:
        count += 2
    rest = "".join(lines[count:])
    run = "".join(lines[:count:2])
    swept = _run(sweep, run)
    if swept == run:
        return block
    breaks = lines[1] if count > 1 else ""
    pieces = [swept[at : at + width] for at in range(0, len(swept), width)] if breaks else [swept]
    return breaks.join(pieces) + rest


def _run(sweep: Sweep, run: str) -> str:
    bare = run.rstrip("=")
    try:
        raw = binascii.a2b_base64(bare.translate(_STANDARD) + "=" * (-len(bare) % 4))
    except binascii.Error:
        return run
    if _OPENS.match(raw) is None:
        return run
    swept = sweep.open(raw)
    if swept == raw:
        return run
    new = b64encode(swept).decode("ascii")
    if len(run) == len(bare) and len(bare) % 4:
        new = new.rstrip("=")
    return new.translate(_URL_SAFE) if "-" in run or "_" in run else new


@lru_cache(maxsize=4096)
def _opens(sample: bytes) -> bool:
    """Tell by the first characters of a run whether it may be base64 of a text."""
    even = sample.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    even = even[: len(even) // 4 * 4]
    try:
        return _OPENS.match(binascii.a2b_base64(even)) is not None
    except binascii.Error:
        return False
