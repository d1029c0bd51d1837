"""What a client made up, handed back to it: values it sends anew in each run.

A field that takes no part in matching may differ from run to run: a name, a GUID, a date. Where the
recorded answer repeats what was recorded, the client expects what it sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote as percent_encoded
from urllib.parse import unquote

from graphtape.core.graph.link import LINK_HEADERS
from graphtape.core.json_text import NotJsonError, quote, scalars, splice, text
from graphtape.core.matching.body import FORM, IgnoredPaths, Steps, ignored_paths, pairs_of
from graphtape.core.message import Request, Response, media_type
from graphtape.core.redaction.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_SHORTEST_NAMED = 4
_SHORTEST_ANYWHERE = 8
_DIGIT = re.compile(r"[0-9]")
_URL = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
# users('alex') and members(id='alex'), as OData addresses an entity by its key.
_KEY = re.compile(r"([^()']*\((?:[A-Za-z_]\w*=)?(?:'|%27))(.*)((?:'|%27)\))", re.DOTALL)
_PATH_END = re.compile(r"[?#]|\Z")
_NO_SEGMENT = frozenset({"", ".", ".."})  # another path, once resolved
_LITERALS = frozenset({"true", "false", "null"})

Place: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Value:
    """A string or number of a JSON body; a number as it is written."""

    text: str
    string: bool

    @property
    def written(self) -> bytes:
        return quote(self.text) if self.string else self.text.encode()


@dataclass(slots=True)
class _Echoes:
    """What stands for a recorded value; itself where it must stay.

    Attributes:
        at: By its place in the body.
        named: By the name it stands under, and itself.
        anywhere: By itself.
    """

    at: dict[Place, tuple[_Value, _Value]] = field(default_factory=dict)
    named: dict[tuple[str | int, _Value], _Value] = field(default_factory=dict)
    anywhere: dict[_Value, _Value] = field(default_factory=dict)
    differ: bool = False

    def learn(self, place: Place, recorded: _Value, asked: _Value) -> None:
        """Note what was sent at one place; of two that disagree about a value, it stays."""
        self.at[place] = (recorded, asked)
        for name in place[-1:]:
            known = self.named.setdefault((name, recorded), asked)
            if known != asked:
                self.named[name, recorded] = recorded
        self.keep(recorded, asked)
        self.differ = self.differ or recorded != asked

    def keep(self, recorded: _Value, asked: _Value) -> None:
        """Note what stands for a value at other places than where it was sent."""
        if self.anywhere.setdefault(recorded, asked) != asked:
            self.anywhere[recorded] = recorded

    def of(self, place: Place, answered: _Value) -> _Value:
        """Return what is to be answered; the nearest to where it was sent decides."""
        was, now = self.at.get(place, (None, None))
        if was == answered and now is not None:
            return now
        if not answered.string:
            return answered
        length = len(answered.text)
        if place and length >= _SHORTEST_NAMED and (place[-1], answered) in self.named:
            return self.named[place[-1], answered]
        return self.other(answered)

    def other(self, answered: _Value) -> _Value:
        """Return what stands for a string at a place of its own."""
        if len(answered.text) < _SHORTEST_ANYWHERE or not _DIGIT.search(answered.text):
            return answered
        now = self.anywhere.get(answered, answered)
        return now if now.string else answered


def echoed(
    recorded: Request, asked: Request, answer: Response, ignore: tuple[str, ...]
) -> Response:
    """Put what the client sent in an ignored field where the answer repeats what was recorded.

    Strings and numbers, as whole JSON values: any at the very place they were sent; strings of 4
    characters or more under the same name; strings of 8 or more with a digit in them anywhere, and
    as a path segment or OData key of a URL. A value that another field of the request holds as well
    stays, but for those at the same place or name: which of them the answer repeats can't be told.
    Masked secrets stay.

    Args:
        recorded: As it stands on tape.
        asked: As the client sent it.
        answer: As it stands on tape.
        ignore: As `MatchOptions.ignore_body`.
    """
    if not ignore or not recorded.body or recorded.body == asked.body:
        return answer
    echoes = _echoes(recorded, asked, ignore)
    if not echoes.differ:
        return answer
    body = _body(answer.body, echoes)
    headers = answer.headers.map(
        lambda name, value: _url(value, echoes) if name.lower() in LINK_HEADERS else value
    )
    return replace(answer, headers=headers, body=body)


def _echoes(recorded: Request, asked: Request, ignore: tuple[str, ...]) -> _Echoes:
    paths = ignored_paths(ignore)
    echoes = _Echoes()
    now = _values(asked)
    for place, value in _values(recorded).items():
        sent = now.get(place)
        if sent is None or MASK in value.text or not _is_ignored(place, paths):
            sent = value
        echoes.learn(place, value, sent)
    if echoes.differ:
        # What stands in the URL is matched: the client sent it as it was recorded.
        for segment in re.split(r"[/?&=#()',]", recorded.url):
            value = _Value(unquote(segment), string=True)
            echoes.keep(value, value)
    return echoes


def _values(request: Request) -> Mapping[Place, _Value]:
    """Return the strings and numbers of a body by their places."""
    if media_type(request.headers) == FORM:
        pairs = pairs_of(request.body.decode("utf-8", "surrogateescape"))
        return {(name,): _Value(value, string=True) for name, value in pairs}
    try:
        return dict(_json_values(request.body))
    except NotJsonError:
        return {}


def _json_values(body: bytes) -> Iterator[tuple[Place, _Value]]:
    for scalar in scalars(body):
        value = text(body, scalar)
        if scalar.string or value not in _LITERALS:
            yield scalar.path, _Value(value, string=scalar.string)


def _is_ignored(place: Place, paths: IgnoredPaths) -> bool:
    return any(_begins(place, path) for path in paths.rooted) or any(
        _begins(place[start:], path) for path in paths.anywhere for start in range(len(place))
    )


def _begins(place: Place, path: Steps) -> bool:
    return len(path) <= len(place) and all(
        step is None or step == own for step, own in zip(path, place, strict=False)
    )


def _body(body: bytes, echoes: _Echoes) -> bytes:
    try:
        return splice(body, [*_edits(body, echoes)])
    except NotJsonError:
        return body


def _edits(body: bytes, echoes: _Echoes) -> Iterator[tuple[int, int, bytes]]:
    for scalar in scalars(body):
        value = _Value(text(body, scalar), string=scalar.string)
        now = echoes.of(scalar.path, value)
        if now == value and value.string and _URL.match(value.text):
            now = _Value(_url(value.text, echoes), string=True)
        if now != value:
            yield scalar.start, scalar.end, now.written


def _url(url: str, echoes: _Echoes) -> str:
    """Replace whole segments of a URL's path, or the keys in them."""
    found = _URL.match(url)
    start = found.end() if found else 0
    rest = _PATH_END.search(url, start)
    end = rest.start() if rest else len(url)
    segments = (_segment(segment, echoes) for segment in url[start:end].split("/"))
    return url[:start] + "/".join(segments) + url[end:]


def _segment(segment: str, echoes: _Echoes) -> str:
    if key := _KEY.fullmatch(segment):
        was = unquote(key[2], errors="surrogateescape").replace("''", "'")
        now = echoes.other(_Value(was, string=True)).text
        written = percent_encoded(now.replace("'", "''"), safe="'", errors="surrogatepass")
        return segment if now == was else f"{key[1]}{written}{key[3]}"
    was = unquote(segment, errors="surrogateescape")
    now = echoes.other(_Value(was, string=True)).text
    if now == was or now in _NO_SEGMENT:
        return segment
    return percent_encoded(now, safe="", errors="surrogatepass")
