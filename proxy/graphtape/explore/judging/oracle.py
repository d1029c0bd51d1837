"""Whether two runs of a command gave the same result."""

from __future__ import annotations

import re
from collections import Counter

_DATE = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
    r"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? \d{1,2} [A-Z][a-z]{2} \d{4}(?: \d\d:\d\d:\d\d(?: \w+)?)?"
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"
)
_GUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:[.,]\d+)*")
_SESSION = re.compile(r"/_session/[A-Za-z0-9._-]+")
_COUNT = re.compile(r"(?<![\w.,:/#-])\d{1,4}(?![\w.,:/%-]*\d)(?![\w%])")
# A number beside one of these tells how the result was come by, and is not part of it.
_EFFORT = re.compile(
    r"(?i)\b(?:m?s|sec(?:ond)?s?|min(?:ute)?s?|millis(?:econds)?|ms|retr(?:y|ies)|tr(?:y|ies)|"
    r"attempts?|times?|polls?|polled|requests?|calls?|waited|waits?|took|elapsed|duration|after|"
    r"pid|port|line|slept|sleeps?|seed)\b"
)
_NEAR = 16
_LONGEST = 80
_REPEATS = re.compile(
    r"(?i)\b(?:retry(?:ing)?|retries|retried|again|wait(?:ing|ed|s)?|sleep(?:ing|s)?|slept|"
    r"back(?:ing)?[ -]?off|attempts?|tr(?:y|ies|ying)|throttl\w*)\b"
)


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
    text = _NUMBER.sub("<n>", _SESSION.sub("", text))
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def difference(
    before: str, now: str, *, base_url: str = "", other_url: str = "", repeated: bool = False
) -> str | None:
    """Return how the result of a run differs from that without a fault; None where it doesn't.

    The order of lines doesn't count: what is asked at once is answered in any order. Nor do
    numbers, with one exception: a count that became smaller is a result lost.

    Args:
        before: Printed by the run without faults.
        now: Printed by the other one.
        base_url: Of the first run's session.
        other_url: Of the other one's.
        repeated: Whether a request came again: lines that are new and tell of that don't count.
    """
    old, new = _lines(before, base_url), _lines(now, other_url)
    missing = Counter(line for line, _ in old) - Counter(line for line, _ in new)
    added = Counter(line for line, _ in new) - Counter(line for line, _ in old)
    if repeated:
        told = {line for line in added if _REPEATS.search(line)}
        old, new = ([each for each in lines if each[0] not in told] for lines in (old, new))
        added = Counter({line: times for line, times in added.items() if line not in told})
    if missing and added:
        was, became = next(iter(missing)), next(iter(added))
        pairs = enumerate(zip(was, became, strict=False))
        place = next((place for place, (one, other) in pairs if one != other), 0)
        return f"{_shown(became, place)} in place of {_shown(was, place)}"
    if missing:
        return f"the line {_shown(next(iter(missing)))} is missing"
    if added:
        return f"the line {_shown(next(iter(added)))} is new"
    for (_, counts), (_, others) in zip(sorted(old), sorted(new), strict=False):
        for count, other in zip(counts, others, strict=False):
            if other < count:
                return f"a count of {count} became {other}"
    return None


def _lines(text: str, base_url: str) -> list[tuple[str, list[int]]]:
    """Return the lines of a result, normalised, each with the numbers that may count something."""
    if base_url:
        text = text.replace(base_url, "<base>")
    plain = _GUID.sub("<id>", _DATE.sub("<date>", text.replace("\r\n", "\n")))
    return [(normalised(line), _counts(line)) for line in plain.split("\n") if line.strip()]


def _counts(line: str) -> list[int]:
    """Return the whole numbers of a line that may count results; 0 for one that tells of effort."""
    found: list[int] = []
    for match in _COUNT.finditer(line):
        before = line[max(0, match.start() - _NEAR) : match.start()]
        after = line[match.end() : match.end() + _NEAR]
        # The nearest word alone: "3 users in 2 s" counts users.
        words = (*re.findall(r"[A-Za-z]+", before)[-1:], *re.findall(r"[A-Za-z]+", after)[:1])
        found.append(0 if any(map(_EFFORT.fullmatch, words)) else int(match[0]))
    return found


def _shown(line: str, place: int = 0) -> str:
    """Quote a line; of a long one what stands around a place."""
    start = max(0, min(place - _LONGEST // 4, len(line) - _LONGEST))
    shown = line[start : start + _LONGEST]
    return repr("…" * (start > 0) + shown + "…" * (start + _LONGEST < len(line)))
