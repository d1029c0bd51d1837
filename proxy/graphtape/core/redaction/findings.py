"""What a message still holds that redaction would take out, and what merely looks secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import last_segment
from graphtape.core.redaction import bodies, headers, secrets, shapes, urls
from graphtape.core.redaction.identities import Pseudonyms
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.randomness import random_values
from graphtape.core.redaction.sweep import Rule, Sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.message import Headers, Interaction
    from graphtape.core.redaction.places import Path
    from graphtape.core.redaction.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that should not be on a tape.

    Attributes:
        place: `request.header.Authorization`, `response.body.value[0].secretText`.
        rule: The `Rule` it breaks.
        excerpt: Its beginning and its length: enough to find it by, not to use it.
    """

    place: str
    rule: str
    excerpt: str


def find(interaction: Interaction, policy: Policy) -> Iterator[Finding]:
    """List what redaction would change, and long random values and known vendors' keys beside.

    Masked values, fakes and pseudonyms are no findings, whatever salt they were made with. GUIDs,
    ETags, thumbprints, images and certificates aren't taken for random; nor are `$skiptoken` and
    `$deltatoken`, which open nothing without an access token.
    """
    rules = rules_of(policy)
    allowed = frozenset(text.lower() for text in (*policy.allow_domains, *policy.allow_values))
    names = Pseudonyms(salt="", allow=allowed, lenient=True)
    request, response = interaction.request, interaction.response
    for side in ("request", "response"):
        sweep = Sweep(rules, names, answer=side == "response", body=bodies.body)
        if side == "request":
            sweep.place = (side, "url")
            urls.url(sweep, request.url, link=True)
            _look(sweep, side, request.headers, request.body)
        else:
            sweep.action = last_segment(request.url).lower()
            _look(sweep, side, response.headers, response.body)
        yield from _changed(sweep)
        if sweep.unopened:
            rule = Rule.UNOPENED.value
            yield Finding(place=f"{side}.body", rule=rule, excerpt=sweep.unopened)
    seen: set[Finding] = set()
    for place, value in random_values(rules, interaction):
        finding = _found(place, value)
        if finding not in seen:
            seen.add(finding)
            yield finding


def find_in_text(text: str, policy: Policy) -> list[tuple[str, Rule]]:
    """List tokens, keys and values assigned to the name of a secret, in a text of any form."""
    names = Pseudonyms(salt="", allow=frozenset(), lenient=True)
    sweep = Sweep(rules_of(policy), names, answer=True, body=bodies.body)
    shapes.credentials(sweep, text)
    return [
        (each.before, each.rule)
        for each in sweep.changes
        if each.rule is not Rule.AUTHORIZATION and not secrets.masked(each.before)
    ]


def _look(sweep: Sweep, side: str, fields: Headers, body: bytes) -> None:
    for name, value in fields:
        sweep.place = (side, "header", name)
        headers.header(sweep, name, value)
    sweep.place = (side, "body")
    bodies.body(sweep, body, fields.get("Content-Type") or "")


def _changed(sweep: Sweep) -> Iterator[Finding]:
    seen: set[Finding] = set()
    for change in sweep.changes:
        if secrets.masked(change.before) or secrets.is_fake(change.before):
            continue
        finding = Finding(
            place=_written(change.place), rule=change.rule.value, excerpt=_excerpt(change.before)
        )
        if finding not in seen:
            seen.add(finding)
            yield finding


def _found(place: Path, value: str) -> Finding:
    return Finding(place=_written(place), rule=Rule.OPAQUE.value, excerpt=_excerpt(value))


def _excerpt(value: str) -> str:
    shown = min(4, len(value) // 6)  # of a short one more would be too much
    return f"{value[:shown]}… ({len(value)} characters)"


def _written(place: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)[1:]
