"""Where in a redacted text masks and pseudonyms stand, and which rule put them there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from graphtape.core.redaction import secrets
from graphtape.core.redaction.identities import TENANT_MARK
from graphtape.core.redaction.sweep import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABEL = r"[a-z2-7]{8}"
_SHAPES: tuple[tuple[Rule, str], ...] = (
    (Rule.JWT, re.escape(secrets.FAKE_JWT)),
    (Rule.PRIVATE_KEY, re.escape(secrets.FAKE_KEY)),
    (Rule.LINK, rf"{secrets.MASK}[0-9a-f]{{16}}(?![0-9a-f])"),
    (Rule.SECRET, rf"{secrets.MASK}(?:[0-9a-f]{{20}}(?![0-9a-f]))?"),
    (Rule.MAIL, rf"\buser-{_LABEL}(?:(?:@|%40|_)[\w.-]*\w|#EXT#|%23EXT%23)?"),
    (Rule.TENANT, rf"\b{TENANT_MARK}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\b"),
    (Rule.DOMAIN, rf"\b{_LABEL}(?:-\w+)?(?:\.sharepoint)?\.example\b"),
    (Rule.PERSONAL, rf"\b(?:name|device|serial)-{_LABEL}\b|\+000[0-9]{{8}}\b"),
)
_MARK = re.compile(
    "|".join(f"(?P<r{number}>{shape})" for number, (_, shape) in enumerate(_SHAPES)),
    re.IGNORECASE,
)
_SECRETS = frozenset({Rule.JWT, Rule.PRIVATE_KEY, Rule.LINK, Rule.SECRET})
_BY_HEADER = {
    "authorization": Rule.AUTHORIZATION,
    "cookie": Rule.COOKIE,
    "set-cookie": Rule.COOKIE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mask or a pseudonym in a text.

    Attributes:
        place: Of the text: `request.url`, `response.header.Location`, `response.body`.
        start: Its first character in that text.
        end: The one after its last.
        rule: Why the value was replaced.
        kind: Of value.
    """

    place: str
    start: int
    end: int
    rule: str
    kind: Literal["secret", "pseudonym"]


def marks(place: str, text: str) -> Iterator[Mark]:
    """Find the masks and pseudonyms of a text; known by their form, whatever salt made them.

    Args:
        place: Of the text.
        text: Redacted.
    """
    header = place.rpartition(".header.")[2].lower()
    for found in _MARK.finditer(text):
        rule = _SHAPES[int(str(found.lastgroup)[1:])][0]
        kind: Literal["secret", "pseudonym"] = "secret" if rule in _SECRETS else "pseudonym"
        if kind == "secret":
            rule = _BY_HEADER.get(header, rule)
        yield Mark(place=place, start=found.start(), end=found.end(), rule=rule.value, kind=kind)
