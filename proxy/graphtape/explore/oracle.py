"""Whether two runs of a command gave the same result."""

from __future__ import annotations

import re

_DATE = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
    r"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? \d{1,2} [A-Z][a-z]{2} \d{4}(?: \d\d:\d\d:\d\d(?: \w+)?)?"
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"
)
_GUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_COUNT = re.compile(r"(?<![\w.,:/#-])\d{1,4}(?![\w.,:/%-]*\d)(?![\w%])")
# A number beside one of these tells how the result was come by, and is not part of it.
_EFFORT = re.compile(
    r"(?i)\b(?:m?s|sec(?:ond)?s?|min(?:ute)?s?|millis(?:econds)?|ms|retr(?:y|ies)|tr(?:y|ies)|"
    r"attempts?|times?|polls?|polled|requests?|calls?|waited|waits?|took|elapsed|duration|after|"
    r"pid|port|line|slept|sleeps?|seed)\b"
)
_NEAR = 16


def normalised(text: str, base_url: str = "") -> str:
    """Write a result with what differs from run to run taken out: addresses, dates and numbers.

    Args:
        text: As printed.
        base_url: Of the run's session.
    """
    if base_url:
        text = text.replace(base_url, "<base>")
    text = _DATE.sub("<date>", text.replace("\r\n", "\n"))
    text = _GUID.sub("<id>", text)
    text = _NUMBER.sub("<n>", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def difference(before: str, now: str, *, base_url: str = "", other_url: str = "") -> str | None:
    """Return how the result of a run differs from that without a fault; None where it doesn't.

    Numbers don't count, with one exception: a count that became smaller is a result lost.

    Args:
        before: Printed by the run without faults.
        now: Printed by the other one.
        base_url: Of the first run's session.
        other_url: Of the other one's.
    """
    old, new = normalised(before, base_url), normalised(now, other_url)
    if old != new:
        return _first_difference(old, new)
    # The texts are the same but for numbers, so that these stand in the same order.
    plain = (_plain(before, base_url), _plain(now, other_url))
    for was, became in zip(*(list(_counts(text)) for text in plain), strict=False):
        if became < was:
            return f"a count of {was} became {became}"
    return None


def _plain(text: str, base_url: str) -> str:
    if base_url:
        text = text.replace(base_url, "<base>")
    return _GUID.sub("<id>", _DATE.sub("<date>", text))


def _counts(text: str) -> list[int]:
    """Return the whole numbers of a text that may count results."""
    found: list[int] = []
    for match in _COUNT.finditer(text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        line_end = text.find("\n", match.end())
        line_end = len(text) if line_end < 0 else line_end
        before = text[max(line_start, match.start() - _NEAR) : match.start()]
        after = text[match.end() : min(line_end, match.end() + _NEAR)]
        # The nearest word alone: "3 users in 2 s" counts users.
        words = (*re.findall(r"[A-Za-z]+", before)[-1:], *re.findall(r"[A-Za-z]+", after)[:1])
        if not any(_EFFORT.fullmatch(word) for word in words):
            found.append(int(match[0]))
        else:
            found.append(0)
    return found


def _first_difference(old: str, new: str) -> str:
    before, now = old.splitlines(), new.splitlines()
    for was, became in zip(before, now, strict=False):
        if was != became:
            return f"{_shown(became)} in place of {_shown(was)}"
    if len(now) < len(before):
        return f"the line {_shown(before[len(now)])} is missing"
    return f"the line {_shown(now[len(before)])} is new"


def _shown(line: str) -> str:
    return repr(line if len(line) <= 80 else f"{line[:79]}…")  # noqa: PLR2004 - characters
