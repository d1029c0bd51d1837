"""Regular expressions over URLs, as far as a path template says the same."""

from __future__ import annotations

import re

from graphtape.tape.formats.exchange import LeftOutError

# A dot in a name, as in v1.0, is one more often than it is any character.
_SPECIAL = re.compile(r"\.(?=[*+?{])|[\^$*+?{}\[\]|()\\]")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")
_QUESTION = re.compile(r"\\\?|\[\?\]")
_REST = {".*", ".+", "(.*)", "(.+)"}
_SEGMENT = re.compile(r"\(?(?:\[\^/[^\]]*\]|\[[\w\\-]+\]|\\[wd])(?:[*+]|\{[0-9,]+\})\)?")


def path_of_pattern(pattern: str, lost: list[str], *, query: bool) -> str:
    """Write a regular expression as a path template.

    Args:
        pattern: It must match the whole URL, from the path on.
        lost: What the template says less strictly is added, a line each.
        query: Whether it goes over the query, too.

    Raises:
        LeftOutError: No template comes near.
    """
    text = pattern.removeprefix("^").removesuffix("$")
    if query:
        path, *more = _QUESTION.split(text, maxsplit=1)
        if more and more[0] not in _REST:
            lost.append("its pattern of the query isn't checked")
        text = path
    segments = _split(text)
    made = []
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        plain = _ESCAPED.sub("", segment)
        if not _SPECIAL.search(plain):
            made.append(_ESCAPED.sub(r"\1", segment))
        elif segment in _REST:
            made += (["{id}"] if segment in {".+", "(.+)"} else []) + ["**"] if last else ["{id}"]
        elif _SEGMENT.fullmatch(segment):
            made.append("{id}")
        elif (
            last
            and segment.endswith((".*", "(.*)"))
            and not _SPECIAL.search(
                _ESCAPED.sub("", segment.removesuffix("(.*)").removesuffix(".*"))
            )
        ):
            name = segment.removesuffix("(.*)").removesuffix(".*")
            made += [_ESCAPED.sub(r"\1", name), "**"]
        else:
            lost.append(f"any name of segment {number + 1} of the path will do")
            made.append("{id}")
    return "/" + "/".join(made)


def _split(text: str) -> list[str]:
    """Split at slashes outside of brackets; the first one begins the path."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "|" and depth == 0:
            raise LeftOutError("no rule has alternatives of paths")
        elif char == "/" and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    if parts[0] not in {"", ".*"}:
        raise LeftOutError("its pattern doesn't begin with a slash")
    if parts[0] == ".*":
        raise LeftOutError("no rule holds for paths by their end")
    return [part for part in parts[1:] if part]
