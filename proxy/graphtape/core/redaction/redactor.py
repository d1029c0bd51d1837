"""The one way into redaction."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote as percent_encoded

from graphtape.core.graph.actions import last_segment
from graphtape.core.json_text import quote
from graphtape.core.message import Headers, Request, Response
from graphtape.core.redaction import bodies, headers, json_bodies, mime, urls
from graphtape.core.redaction.gate import Gate
from graphtape.core.redaction.identities import GUID, Pseudonyms
from graphtape.core.redaction.long_lists import LONG, taken_apart
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.policy import Policy
from graphtape.core.redaction.randomness import is_unguessable
from graphtape.core.redaction.secrets import MASK
from graphtape.core.redaction.stream.choose import STREAMED, Form, form_of
from graphtape.core.redaction.stream.json_body import JsonBody
from graphtape.core.redaction.stream.multipart_body import MultipartBody
from graphtape.core.redaction.stream.opaque import OpaqueBody
from graphtape.core.redaction.stream.string_body import StringBody
from graphtape.core.redaction.stream.text_body import TextBody
from graphtape.core.redaction.sweep import IDENTITY_RULES, Change, Sweep, settled
from graphtape.core.redaction.text import text as free_text
from graphtape.core.redaction.vocabulary import PERSONAL, SECRET_ANSWERS, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphtape.core.redaction.stream.streamed import Streamed

_REMEMBERED = 4096
_LONGEST_REMEMBERED = 8192
_KEPT = re.compile(
    rb'"(?:' + "|".join(PERSONAL).encode() + rb')"\s{0,8}:\s{0,8}[\["]', re.IGNORECASE
)
_PERSONAL = tuple(f'"{name}"'.encode() for name in PERSONAL)
_ID = re.compile(GUID)
_MARKS = {
    "request-id": _ID,
    "client-request-id": _ID,
    "content-length": re.compile("[0-9]{1,12}"),
    "date": re.compile("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"),
}
"""Fields that would fill any memory of known values."""
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class RedactedRequest:
    """A request that can be stored and matched.

    Attributes:
        request: Secrets masked, identities replaced.
        sent: Pseudonym to identity as the client wrote it, decoded; for `Redactor.restore`.
        masked: Secrets of URL and body that no mask tells apart. Never to be kept.
    """

    request: Request
    sent: Mapping[str, str]
    masked: tuple[str, ...] = field(default=(), repr=False)


class Redactor:
    """Takes secrets and identities out of messages, the same way every time.

    Redacting twice is redacting once. A message decides alone: nothing is carried from one to
    the next, so a request at replay gets the form it got when it was recorded. Not for use by
    several threads at once.

    Attributes:
        salt: Of the pseudonyms.
        policy: What the user wants.
        unopened: Why something in the message that was redacted last couldn't be looked into;
            empty if all was.
    """

    def __init__(self, *, salt: str, policy: Policy = Policy()) -> None:  # noqa: B008 - frozen
        self.salt = salt
        self.policy = policy
        self._rules = rules_of(policy)
        allowed = frozenset(text.lower() for text in (*policy.allow_domains, *policy.allow_values))
        self._names = Pseudonyms(salt=salt, allow=allowed, lenient=False)
        self.unopened = ""
        self._gate = Gate(self._rules)
        # A header of the user's own, or a pattern, may stand for any value.
        self._unmarked = not policy.headers and not policy.patterns
        self._fields: dict[tuple[str, str, bool], tuple[str, tuple[Change, ...]]] = {}
        self._naming: dict[int, tuple[Headers, bool]] = {}
        self._urls: dict[str, tuple[str, tuple[Change, ...]]] = {}
        self._harmless: dict[bool, set[str]] = {True: set(), False: set()}
        self._counts = {"secrets": 0, "identities": 0, "personal": 0}

    @property
    def counts(self) -> Mapping[str, int]:
        """How many `secrets` and `identities` were replaced, and `personal` fields seen but kept.

        Values, not distinct ones, in requests and responses.
        """
        return MappingProxyType(self._counts)

    def request(self, request: Request) -> RedactedRequest:
        """Redact a request."""
        sweep = self._sweep(answer=False)
        url = self._url(sweep, request.url)
        body = self._body(sweep, request.body, _type(request.headers))
        self.unopened = sweep.unopened
        masked = tuple(each.before for each in sweep.changes if each.after == MASK)
        redacted = Request(
            method=request.method,
            url=url,
            headers=self._headers(sweep, request.headers),
            body=body,
        )
        self.count(sweep.changes, request.body)
        if not sweep.changes:
            return RedactedRequest(request=redacted, sent=_NOTHING)
        sent: dict[str, str] = {}
        for change in sweep.changes:
            if change.rule in IDENTITY_RULES:
                sent.setdefault(change.after, change.before)
        return RedactedRequest(request=redacted, sent=sent, masked=masked)

    def names_somebody(self, fields: Headers) -> bool:
        """Tell whether the header fields of a request hold an identity."""
        known = self._naming.get(id(fields))  # many requests share them
        if known is not None and known[0] is fields:
            return known[1]
        sweep = self._sweep(answer=False)
        self._headers(sweep, fields)
        named = any(change.rule in IDENTITY_RULES for change in sweep.changes)
        if len(self._naming) >= _REMEMBERED:
            self._naming.clear()
        self._naming[id(fields)] = fields, named
        return named

    def response(self, response: Response, *, url: str) -> Response:
        """Redact an answer.

        Args:
            response: The answer; its body decoded.
            url: Of its request: a few actions answer a secret that only their name tells.
        """
        sweep = self._sweep(answer=True)
        sweep.action = last_segment(url).lower()
        redacted = Response(
            status=response.status,
            reason=free_text(sweep, response.reason),
            headers=self._headers(sweep, response.headers),
            body=self._body(sweep, response.body, _type(response.headers)),
        )
        self.count(sweep.changes, response.body)
        self.unopened = sweep.unopened
        return redacted

    def field(self, name: str, value: str, *, answer: bool) -> tuple[str, tuple[Change, ...]]:
        """Redact one header field, for who puts a message together himself.

        Returns:
            The value, and what was changed in it: for `count`, each time it is used.
        """
        if self._unmarked and is_mark(name, value):
            return value, ()
        sweep = self._sweep(answer=answer)
        return self._header(sweep, name, value), tuple(sweep.changes)

    def location(self, url: str) -> tuple[str, tuple[Change, ...]]:
        """Redact the URL of a request; as `field`."""
        known = self._urls.get(url)
        return known if known is not None else self._located(url)

    def _located(self, url: str) -> tuple[str, tuple[Change, ...]]:
        sweep = self._sweep(answer=False)
        return self._url(sweep, url), tuple(sweep.changes)

    def content(
        self, body: bytes, content_type: str, *, answer: bool, action: str = ""
    ) -> tuple[bytes, Sequence[Change]]:
        """Redact the body of a message; as `field`.

        Args:
            body: Decoded.
            content_type: Of its header, or empty.
            answer: Whether the message is an answer.
            action: The last segment of what was asked, lower case.
        """
        sweep = self._sweep(answer=answer)
        sweep.action = action
        clean = self._body(sweep, body, content_type)
        self.unopened = sweep.unopened
        return clean, sweep.changes

    def in_pieces(
        self, begins: bytes, content_type: str, *, answer: bool, url: str = ""
    ) -> Streamed | None:
        """Take a body in pieces; the same comes out as for the whole.

        Args:
            begins: Its first bytes, more than `STREAMED`; they are fed again.
            content_type: Of its message, or empty; its body must be decoded.
            answer: Whether that is a response.
            url: Of its request, as for `response`.

        Returns:
            None where it must be redacted as a whole, by `request` or `response`.
        """
        if answer and last_segment(url).lower() in SECRET_ANSWERS:
            return None

        def passed(sweep: Sweep, piece: bytes) -> None:
            self.count(sweep.changes, piece)
            sweep.changes.clear()

        return self._streamed(self._sweep(answer=answer), begins, content_type, passed)

    def _streamed(
        self,
        sweep: Sweep,
        begins: bytes,
        content_type: str,
        passed: Callable[[Sweep, bytes], None] | None = None,
    ) -> Streamed | None:
        match form_of(begins, content_type):
            case Form.OPAQUE:
                return OpaqueBody(sweep, passed)
            case Form.TEXT:
                return TextBody(sweep, self._gate, content_type, passed)
            case Form.JSON:
                return JsonBody(
                    sweep,
                    lambda sweep, text: self._sifted(sweep, text, "application/json"),
                    text=lambda: TextBody(sweep, self._gate, content_type),
                    string=lambda: StringBody(
                        sweep, self._gate, lambda begins: self._streamed(sweep, begins, "")
                    ),
                    passed=passed,
                )
            case Form.MULTIPART:
                delimiter = mime.boundary(begins[:STREAMED], content_type) or b""
                return MultipartBody(
                    sweep,
                    delimiter,
                    lambda begins, kind: self._streamed(sweep, begins, kind),
                    passed,
                )
            case Form.WHOLE:
                return None
            case form:
                assert_never(form)

    def text(self, text: str) -> str:
        """Redact a text for people: a log line, a miss message, a journal entry."""
        sweep = self._sweep(answer=True)
        sweep.prose = True
        return settled(lambda line: free_text(sweep, line), text)

    def url(self, url: str) -> str:
        """Redact a URL as that of a request is."""
        return self._url(self._sweep(answer=False), url)

    def restore(self, body: bytes, sent: Mapping[str, str]) -> bytes:
        """Put a client's own identities back into a body that is answered to it."""
        found = [(pseudonym, own) for pseudonym, own in sent.items() if _mark(pseudonym) in body]
        if not found:
            return body
        own: dict[bytes, bytes] = {}
        for pseudonym, identity in found:
            written = quote(identity)[1:-1]
            if b"\\" in written:
                continue  # how often it would have to be escaped shows only where it stands
            own[pseudonym.encode()] = written
            own[percent_encoded(pseudonym, safe="").encode()] = percent_encoded(
                identity, safe="", errors="surrogatepass"
            ).encode()
        names = b"|".join(re.escape(name) for name in sorted(own, key=len, reverse=True))
        # A domain stays as it is where it is part of somebody else's address.
        starts = rb"(?:(?<![\w.@-])|(?<=%(?!40)[0-9A-Fa-f]{2}))"
        whole = re.compile(starts + rb"(?:" + names + rb")(?![\w-])") if own else None
        return whole.sub(lambda m: own[m[0]], body) if whole else body

    def restore_text(self, text: str, sent: Mapping[str, str]) -> str:
        """Put a client's own identities back into a text, such as a header's value."""
        if not sent:
            return text
        raw = text.encode("utf-8", "surrogateescape")
        return self.restore(raw, sent).decode("utf-8", "surrogateescape")

    def _sweep(self, *, answer: bool) -> Sweep:
        harmless = self._harmless[answer]
        return Sweep(
            self._rules,
            self._names,
            answer=answer,
            harmless=harmless,
            unguessable=is_unguessable,
            body=bodies.body,
        )

    def _url(self, sweep: Sweep, url: str) -> str:
        known = self._urls.get(url)
        if known is None:
            known = _watched(
                sweep, lambda: settled(lambda text: urls.url(sweep, text, link=True), url)
            )
            if len(url) < _LONGEST_REMEMBERED:
                if len(self._urls) >= _REMEMBERED:
                    self._urls.clear()
                self._urls[url] = known
        else:
            sweep.changes += known[1]
        return known[0]

    def _headers(self, sweep: Sweep, fields: Headers) -> Headers:
        known, answer = self._fields, sweep.answer
        clean: list[tuple[str, str]] = []
        for pair in fields.pairs:
            name, value = pair
            found = known.get((name, value, answer))
            untouched = found is not None and not found[1]
            if untouched or (self._unmarked and is_mark(name, value)):
                clean.append(pair)
            else:
                clean.append((name, self._header(sweep, name, value)))
        return Headers(tuple(clean))

    def _header(self, sweep: Sweep, name: str, value: str) -> str:
        key = (name, value, sweep.answer)
        known = self._fields.get(key)
        if known is None:
            known = _watched(
                sweep, lambda: settled(lambda text: headers.header(sweep, name, text), value)
            )
            if len(value) < _LONGEST_REMEMBERED:
                if len(self._fields) >= _REMEMBERED:
                    self._fields.clear()
                self._fields[key] = known
        else:
            sweep.changes += known[1]
        return known[0]

    def _body(self, sweep: Sweep, body: bytes, content_type: str) -> bytes:
        if not body:
            return body
        if sweep.action in SECRET_ANSWERS:
            return bodies.body(sweep, body, content_type)
        streamed = self._streamed(sweep, body, content_type) if len(body) > STREAMED else None
        if streamed is not None:
            return streamed.feed(body) + streamed.end()
        clean = self._in_pieces(sweep, body) if len(body) >= LONG else None
        return self._sifted(sweep, body, content_type) if clean is None else clean

    def _sifted(self, sweep: Sweep, body: bytes, content_type: str) -> bytes:
        """Redact a body, the whole of it only where that is needed."""
        if self._gate.lets_by(body):
            return body
        clean = json_bodies.addresses(sweep, body, self._gate.lets_by)
        return bodies.body(sweep, body, content_type) if clean is None else clean

    def _in_pieces(self, sweep: Sweep, body: bytes) -> bytes | None:
        """Redact a long collection by items: most of them show nothing. None if it is none."""
        rules = self._rules
        if rules.has_paths or rules.field(("value",)) is not Place.PLAIN:
            return None
        taken = taken_apart(body)
        if taken is None or b"#organization" in taken.around or b"#domains" in taken.around:
            return None  # what their ids are shows by what is around
        around = self._sifted(sweep, taken.around, "application/json")
        items: list[bytes] = []
        done = taken.pieces[0][0]
        for start, end in taken.pieces:
            piece = self._sifted(sweep, b"[%b]" % body[start:end], "application/json")
            items += (body[done:start], piece[1:-1])
            done = end
        return taken.joined(around, b"".join(items))

    def count(self, changes: Sequence[Change], *bodies: bytes) -> None:
        """Count what was changed, and the personal fields that stay in those bodies."""
        for change in changes:
            kind = "identities" if change.rule in IDENTITY_RULES else "secrets"
            self._counts[kind] += 1
        if not self.policy.personal:
            self._counts["personal"] += sum(map(_kept, bodies))


def _watched(sweep: Sweep, redact: Callable[[], str]) -> tuple[str, tuple[Change, ...]]:
    """Redact one value and tell what was changed in it."""
    noted = len(sweep.changes)
    value = redact()
    return value, tuple(sweep.changes[noted:])


def _kept(body: bytes) -> int:
    """Count the personal fields of a body."""
    low = body.lower()
    return len(_KEPT.findall(body)) if any(map(low.__contains__, _PERSONAL)) else 0


def _type(fields: Headers) -> str:
    return fields.get("Content-Type") or ""


def is_mark(name: str, value: str) -> bool:
    """Tell of a field that is another one in every message that no rule can find anything in it."""
    shape = _MARKS.get(name.lower())
    return shape is not None and shape.fullmatch(value) is not None


def _mark(pseudonym: str) -> bytes:
    """Return the part of a pseudonym that no coding changes."""
    return pseudonym.partition("@")[0].partition("#")[0].encode()
