"""Paths below Graph's version, and templates of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from graphtape.core.graph.actions import local_name, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VERSIONS = frozenset({"v1.0", "beta", "v2"})
_VARIABLE = re.compile(r"\{[^{}]+\}")
_REST = "**"
_KEY_IN_PARENTHESES = re.compile(r"([^()]+)\((?:'([^']*)'|([^()'=,]+))\)")


def below_version(url: str) -> tuple[str, ...]:
    """Return the segments of a URL's path below the version, decoded, actions by local names."""
    segments = [unquote(segment) for segment in path_of(url).split("/") if segment]
    if segments[:1] and segments[0] in _VERSIONS:
        del segments[0]
    return tuple(local_name(segment) for segment in segments)


def keys_apart(segments: Iterable[str]) -> tuple[str, ...]:
    """Return segments with `settings('x')` as two, as OData lets it be written."""
    return tuple(piece for segment in segments for piece in _with_key(segment))


def _with_key(segment: str) -> tuple[str, ...]:
    found = _KEY_IN_PARENTHESES.fullmatch(segment)
    return (segment,) if found is None else (found[1], found[2] or found[3] or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTemplate:
    """A path below the version; `{id}` is one segment, a last `/**` any number of them.

    Attributes:
        segments: None for a variable one.
        open: Whether more may follow.
    """

    text: str
    segments: tuple[str | None, ...]
    open: bool

    @classmethod
    def parse(cls, text: str) -> PathTemplate:
        """Read a template.

        Raises:
            ValueError: It isn't one.
        """
        if not text.startswith("/") or "?" in text or "#" in text:
            raise ValueError(
                f"{text!r} is no path; write it from a slash, without version and query, "
                "as in /users/{id}"
            )
        names = [unquote(name) for name in text.split("/") if name]
        more = names[-1:] == [_REST]
        names = names[:-1] if more else names
        if names and names[0] in _VERSIONS:
            raise ValueError(f"{text!r} names a version; leave {names[0]} out, rules hold for all")
        for name in names:
            if "**" in name or ("{" in name and _VARIABLE.fullmatch(name) is None):
                raise ValueError(
                    f"{text!r}: {{name}} stands for a whole segment, ** only at the end"
                )
        variables = (None if name.startswith("{") else local_name(name) for name in names)
        return cls(text=text, segments=tuple(variables), open=more)

    def matches(self, segments: Sequence[str]) -> bool:
        """Tell whether a path's segments fit; the reason is the template itself."""
        if len(segments) < len(self.segments) or (
            len(segments) > len(self.segments) and not self.open
        ):
            return False
        pairs = zip(self.segments, segments, strict=False)
        return all(wanted is None or wanted == given for wanted, given in pairs)
