"""The links to a next page, or to later changes, that answers gave a client."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import unquote

from graphtape.core.matching.body import Pairs, pairs_of
from graphtape.core.message import Response, is_json, media_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.verdict.call import Call

_MOST = 100_000
_TOKEN_NAMES = {"skiptoken": "$skiptoken", "deltatoken": "$deltatoken"}
# Graph documents it for clients to write: changes from now on ("Use delta query").
_LATEST = "latest"
_OK = 200
# It begins with a literal, which is searched for several times faster than alternatives.
_LINK = re.compile(rb'Link"[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)
_LOCAL = re.compile(r"\A(?:/_session/[^/?#]*)?(?:/_origin/[^/?#]*)?")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://[^/?#]*)?([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)


class PageLinks:
    """Every link with a token that answers gave; once it has missed one, it knows of none.

    Attributes:
        complete: Whether none was missed.
    """

    def __init__(self) -> None:
        """Know of none yet."""
        self._given: set[bytes] = set()
        self.complete = True

    def give(self, call: Call, response: Response) -> None:
        """Note the links of an answer, be they Graph's or point at the proxy."""
        if not self.complete:
            return
        if self._unreadable(call, response):
            self._overlook()
            return
        for url in _links(response):
            if "token" in url.lower():
                self._given.add(_digest(url))
        if len(self._given) > _MOST:
            self._overlook()

    def made_up(self, call: Call) -> str | None:
        """Return the name of the token in a URL that no answer gave."""
        url = call.request.url
        if not self.complete or "token" not in url.lower():
            return None
        name = _token_name(_split(url)[1])
        return None if name is None or _digest(url) in self._given else name

    @staticmethod
    def _unreadable(call: Call, response: Response) -> bool:
        """Tell whether an answer may hold links that can't be read here."""
        if "Content-Encoding" in response.headers:
            return True
        expected = response.status == _OK and call.request.method.upper() != "HEAD"
        return expected and not response.body and is_json(media_type(response.headers))

    def _overlook(self) -> None:
        self.complete = False
        self._given.clear()


def _links(response: Response) -> Iterator[str]:
    location = response.headers.get("Location")
    if location is not None:
        yield location
    for found in _LINK.finditer(response.body):
        if not response.body.endswith((b"next", b"delta"), 0, found.start()):
            continue
        try:
            value = json.loads(found[1])
        except ValueError:
            continue
        yield str(value)


def _split(url: str) -> tuple[str, Pairs]:
    """Return path, as it is at Graph, and the decoded query of a URL."""
    found = _URL.match(url)
    path, query = found.groups("") if found else ("", "")
    return _LOCAL.sub("", path, count=1), pairs_of(query)


def _token_name(query: Pairs) -> str | None:
    for name, value in query:
        known = _TOKEN_NAMES.get(name.lower().removeprefix("$"))
        if known is not None and value.lower() != _LATEST:
            return known
    return None


def _digest(url: str) -> bytes:
    path, query = _split(url)
    text = repr((unquote(path), query)).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()
