"""One message's way through the redactor: the rules it goes by, and what was changed."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from graphtape.core.redaction import secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.redaction.elements import Elements
    from graphtape.core.redaction.identities import Pseudonyms
    from graphtape.core.redaction.places import Path, Rules


class Rule(enum.StrEnum):
    """Why a value was changed, or found."""

    AUTHORIZATION = "authorization"
    COOKIE = "cookie"
    SECRET = "secret"  # noqa: S105 - a name
    """The name of its header, field or parameter."""
    JWT = "jwt"
    PRIVATE_KEY = "private-key"
    LINK = "link"
    """A part of a URL that is followed without a token."""
    URL_PASSWORD = "url-password"  # noqa: S105 - a name
    MAIL = "mail"
    DOMAIN = "domain"
    TENANT = "tenant"
    PERSONAL = "personal"
    PATTERN = "pattern"
    """A regular expression of the user's."""
    UNOPENED = "unopened"
    """Packed so that it can't be looked into: found by `scan`."""
    OPAQUE = "opaque"
    """Long and random: found by `scan`, never changed."""


IDENTITY_RULES = frozenset({Rule.MAIL, Rule.DOMAIN, Rule.TENANT, Rule.PERSONAL})


@dataclass(frozen=True, slots=True)
class Change:
    """A value that was replaced.

    Attributes:
        place: Names and indexes from the message down; a query's or a form's parameters included.
        before: As it stood, decoded.
    """

    place: Path
    rule: Rule
    before: str
    after: str


Text = TypeVar("Text", str, bytes)

_ROUNDS = 4
DEEPEST = 8
"""How many packings, one inside of the other, are opened."""


def settled(redact: Callable[[Text], Text], value: Text) -> Text:
    """Redact until nothing changes, so that redacting twice is redacting once.

    What comes in one value's place may join what stood apart before.
    """
    for _ in range(_ROUNDS):
        before, value = value, redact(value)
        if value == before:
            break
    return value


class Sweep:
    """What one message is redacted with, and what was changed in it so far.

    Attributes:
        answer: Whether it is a response. In a request a secret's place always gets a mask, so
            that any two match; in a response a token keeps a token's form.
        place: Of the value at hand; kept by who walks the message, for `changes`.
        action: Of a response: the last segment of what was asked, lower case.
        unguessable: Tells whether a secret is too random to be guessed.
        harmless: Texts in which nothing was found before, in messages of this kind.
        no_provider_keys: Whether the body at hand holds no key in the shape of a provider.
        depth: How many packings the text at hand is inside of: base64, gzip, JSON in a string,
            parts of a message.
        known: Texts that were changed before in this message, what they became, and why.
        unopened: Why something couldn't be looked into; empty if all was.
        elements: Of a text that comes in pieces, what its tags were up to this one; else None.
        prose: Whether the text at hand is a person's to read (a log line) and may quote
            any URL.
    """

    __slots__ = (
        *(
            "action",
            "answer",
            "changes",
            "elements",
            "harmless",
            "names",
            "place",
            "prose",
            "rules",
        ),
        *("_body", "depth", "known", "no_provider_keys", "unguessable", "unopened"),
    )

    def __init__(
        self,
        rules: Rules,
        names: Pseudonyms,
        *,
        answer: bool,
        harmless: set[str] | None = None,
        unguessable: Callable[[str], bool] = lambda _: False,
        body: Callable[[Sweep, bytes, str], bytes],
    ) -> None:
        self.rules = rules
        self.names = names
        self.answer = answer
        self.harmless = set() if harmless is None else harmless
        self.unguessable = unguessable
        self.action = ""
        self.no_provider_keys = False
        self.depth = 0
        self.known: dict[str, tuple[str, tuple[Change, ...]]] = {}
        self.unopened = ""
        self._body = body
        self.prose = False
        self.elements: Elements | None = None
        self.place: Path = ()
        self.changes: list[Change] = []

    def open(self, raw: bytes, content_type: str = "") -> bytes:
        """Redact a body that was packed inside of another one.

        Beyond `DEEPEST` it is looked through as text, and noted as unopened.
        """
        if self.depth > DEEPEST:
            return raw
        keys, self.no_provider_keys = self.no_provider_keys, False
        try:
            return self.deeper(lambda: self._body(self, raw, content_type))
        finally:
            self.no_provider_keys = keys

    def deeper(self, redact: Callable[[], Text]) -> Text:
        """Redact what stands one packing deeper."""
        self.depth += 1
        try:
            return redact()
        finally:
            self.depth -= 1

    def leave_unopened(self) -> None:
        """Note that something nests too deep."""
        self.unopened = f"something is packed more than {DEEPEST} times over"

    def settled(self, redact: Callable[[Text], Text], value: Text) -> Text:
        """Redact until nothing changes; what is packed settles with what is around it."""
        return redact(value) if self.depth else settled(redact, value)

    def note(self, rule: Rule, before: str, after: str) -> str:
        """Remember a change and return what comes in place."""
        if before != after:
            self.changes.append(Change(self.place, rule, before, after))
        return after

    def mask(self, rule: Rule, secret: str, *, keyed: bool = True) -> str:
        """Replace a secret.

        Args:
            rule: Why.
            secret: Decoded.
            keyed: Whether it may tell one request from another: nobody can guess it then.
        """
        if not secret or secret in self.rules.allowed_values:
            return secret
        if self.answer:
            if secrets.masked(secret):
                return secret
            if secrets.is_jwt(secret):
                return self.note(rule, secret, secrets.FAKE_JWT)
        elif keyed and rule is Rule.SECRET:
            if secrets.is_keyed(secret):
                return secret
            if self.unguessable(secret):
                return self.note(rule, secret, self.names.keyed(secret))
        return self.note(rule, secret, secrets.MASK)

    def fake(self, secret: str) -> str:
        """Replace a secret of a URL by a stable fake."""
        if not secret or secrets.is_fake(secret) or secret in self.rules.allowed_values:
            return secret
        return self.note(Rule.LINK, secret, self.names.fake(secret))

    def mail(self, address: str) -> str:
        """Replace a mail address or UPN."""
        return self.note(Rule.MAIL, address, self.names.mail(address))

    def domain(self, name: str) -> str:
        """Replace a domain."""
        return self.note(Rule.DOMAIN, name, self.names.domain(name))

    def tenant(self, guid: str) -> str:
        """Replace a tenant id."""
        return self.note(Rule.TENANT, guid, self.names.tenant(guid))
