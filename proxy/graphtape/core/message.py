"""HTTP messages as values: a request, its answer, and the two together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


HOP_BY_HOP = (
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)
"""Fields that end at each hop (RFC 9110 section 7.6.1, and those it took over from RFC 2616)."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in the order and letter case they arrived; names compare case-insensitively.

    Attributes:
        pairs: (name, value) as on the wire; a repeated field is a repeated pair. Bytes beyond
            UTF-8 are surrogate escapes.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> Self:
        """Make headers from any (name, value) pairs."""
        return cls(tuple(fields))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> str | None:
        """Return the first value of a field, or None."""
        wanted, size = name.lower(), len(name)
        for field, value in self.pairs:
            if len(field) == size and field.lower() == wanted:
                return value
        return None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field, in order."""
        wanted = name.lower()
        return tuple(value for field, value in self.pairs if field.lower() == wanted)

    def without(self, *names: str) -> Headers:
        """Leave fields out."""
        dropped = {name.lower() for name in names}
        return Headers(tuple(pair for pair in self.pairs if pair[0].lower() not in dropped))

    def set(self, name: str, value: str) -> Headers:
        """Give a field one value: where its first one stood, or else last."""
        wanted = name.lower()
        kept: list[tuple[str, str]] = []
        placed = False
        for field, old in self.pairs:
            if field.lower() != wanted:
                kept.append((field, old))
            elif not placed:
                kept.append((field, value))
                placed = True
        if not placed:
            kept.append((name, value))
        return Headers(tuple(kept))

    def add(self, name: str, value: str) -> Headers:
        """Append a field, keeping those of the same name."""
        return Headers((*self.pairs, (name, value)))

    def map(self, change: Callable[[str, str], str]) -> Headers:
        """Replace each value by `change(name, value)`."""
        return Headers(tuple((name, change(name, value)) for name, value in self.pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as Graph sees it.

    Attributes:
        method: As sent, upper case by convention.
        url: Absolute, percent-encoding as sent, at a Graph root or an off-Graph origin.
        headers: End-to-end and hop-by-hop, as sent.
        body: Decoded (no Content-Encoding).
    """

    method: str
    url: str
    headers: Headers = Headers()
    body: bytes = b""

    def with_url(self, url: str) -> Request:
        """Ask the same of another URL."""
        return replace(self, url=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer as Graph sent it.

    Attributes:
        status: 100 to 599.
        reason: The reason phrase, possibly empty.
        headers: As received.
        body: Decoded (no Content-Encoding).
    """

    status: int
    reason: str = ""
    headers: Headers = Headers()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One request and its answer."""

    request: Request
    response: Response


def media_type(headers: Headers) -> str:
    """Return `type/subtype` of the Content-Type in lower case, without parameters, or ''."""
    value = headers.get("Content-Type")
    return value.partition(";")[0].strip().lower() if value else ""


def is_json(media: str) -> bool:
    """Tell whether a media type holds JSON (RFC 6839 section 3.1 for the suffix)."""
    return media in {"application/json", "text/json"} or media.endswith("+json")


def is_preflight(request: Request) -> bool:
    """Tell whether a browser asks for leave (Fetch standard, "CORS-preflight fetch")."""
    return (
        request.method.upper() == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def end_to_end(headers: Headers) -> Headers:
    """Leave out what concerns one connection only, and what its Connection field names."""
    named = [
        name.strip()
        for value in headers.all("Connection")
        for name in value.split(",")
        if name.strip()
    ]
    return headers.without(*HOP_BY_HOP, *named)
