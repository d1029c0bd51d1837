"""JSON values whose place shows by what stands beside or around them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.json_text import scalars
from graphtape.core.json_text import text as unquoted
from graphtape.core.redaction.vocabulary import (
    JWK_MARKS,
    JWK_SECRETS,
    NAME_FIELDS,
    SECRET_ANSWERS,
    TYPED_SECRETS,
    VALUE_FIELDS,
    Place,
    folded,
)

if TYPE_CHECKING:
    from graphtape.core.json_text import Scalar
    from graphtape.core.redaction.places import Path, Rules

_ENTITY = re.compile(r"#(organization|domains)\b", re.IGNORECASE)
_NAME = "|".join(
    rf"{name[0]}{''.join(f'_?{letter}' for letter in name[1:])}" for name in sorted(NAME_FIELDS)
)
_STEMS = (
    *("secret", "password", "pwd", "passcode", "passphrase", "token", "key", "authorization"),
    *("cookie", "auth", "principal", "credential", "psk", "pin"),
)
_VALUE = re.compile(rb'(?:alue|ALUE)(?:s|String|Text|STRING|TEXT|string|text)?"\s*+:\s*+[\["]')
"""What a value-like field ends with. Literal at its start, so that a search is fast."""

_SECRET_NAME = re.compile(
    rf'"(?:{_NAME})"\s{{0,8}}:\s{{0,8}}"[^"]{{0,256}}+'.encode()
    + b"(?:%b)" % b"|".join(b"(?<=%b)" % stem.encode() for stem in _STEMS)
    + rb'"|"secret_?reference_?value_?id"\s{0,8}:\s{0,8}"',
    re.IGNORECASE,
)
_MARKS = (b"ecretSettingValue", b'"kty"', b'"k"', b"RecoveryKey", b'"credentials"')
PLAIN_VALUE = re.compile(
    r"(?i)true|false|null|none|required|optional|enabled?|disabled?|yes|no|allow(?:ed)?|block(?:ed)?"
    r"|notconfigured|userdefined|devicedefault|default|any|[0-9]{1,3}|\s*"
)
"""What a setting called `password` may be without being one."""


@dataclass(slots=True)
class _Object:
    """What was seen in one JSON object.

    Attributes:
        kind: Its `@odata.type`, folded, without the namespace.
        told: What a name in it says of the values beside.
        jwk_mark: Whether it is a JSON Web Key (RFC 7517), or is made one of.
        secret_type: Whether it is a credential whose `type` says that its value is secret.
        values: Where value-like strings start, by folded name.
        listed: Strings of its `values`.
        jwk: Where the parts of a key start that are secret in a private one.
    """

    kind: str = ""
    told: Place = Place.PLAIN
    jwk_mark: bool = False
    secret_type: bool = False
    values: dict[str, Scalar] = field(default_factory=dict)
    listed: list[Scalar] = field(default_factory=list)
    jwk: list[int] = field(default_factory=list)


def told_by_neighbours(raw: bytes, rules: Rules, *, answer: str) -> dict[int, Place]:
    """Find values by what stands beside or around them; return their places by where they start.

    Args:
        raw: JSON.
        rules: What names say.
        answer: The last segment of what was asked, lower case; empty of a request.
    """
    if not _may_tell(raw, rules, answer=answer):
        return {}
    told: dict[int, Place] = {}
    contexts: dict[Path, Place] = {}
    objects: dict[Path, _Object] = {}
    for scalar in scalars(raw):
        path = scalar.path
        last = path[-1] if path and scalar.string else None
        if isinstance(last, int) and path[-2:-1] == ("values",):
            objects.setdefault(path[:-2], _Object()).listed.append(scalar)
        if not isinstance(last, str):
            continue
        value = unquoted(raw, scalar)
        if last == "@odata.context":
            contexts[path[:-1]] = _entity(value)
            continue
        if last == "id":
            around = path[:-3] if path[-3:-2] == ("value",) else path[:-1]
            place = contexts.get(around, Place.PLAIN)
            if place is not Place.PLAIN:
                told[scalar.start] = place
        _see(objects.setdefault(path[:-1], _Object()), path, scalar, value, rules)
    for seen in objects.values():
        told.update(_told(seen, raw))
    if answer in SECRET_ANSWERS and () in objects and "value" in objects[()].values:
        told[objects[()].values["value"].start] = Place.SECRET
    return told


def _see(seen: _Object, path: Path, scalar: Scalar, value: str, rules: Rules) -> None:
    name = str(path[-1])
    key = folded(name)
    if (key in VALUE_FIELDS or key == "key") and rules.field(path) is not Place.ALLOWED:
        seen.values[key] = scalar
    if key in JWK_SECRETS:
        seen.jwk.append(scalar.start)
    if key in JWK_MARKS:
        seen.jwk_mark = True
    if key == "@odata.type":
        seen.kind = folded(value.rpartition(".")[2])
    elif key == "type" and "credentials" in path[:-1]:
        seen.secret_type = value.lower() in {"password", "secret"}
    elif key in NAME_FIELDS:
        place = rules.neighbour(key, value)
        if place is not Place.PLAIN and seen.told is not Place.ALLOWED:
            seen.told = place


def _told(seen: _Object, raw: bytes) -> dict[int, Place]:
    """Say what the values of an object are."""
    found: dict[int, Place] = {}
    typed = TYPED_SECRETS.get(seen.kind, frozenset())
    named = [*seen.values.items(), *(("values", scalar) for scalar in seen.listed)]
    for key, scalar in named:
        own = key in typed or (key == "value" and seen.secret_type)
        place = Place.SECRET if own else seen.told
        if place in {Place.PLAIN, Place.ALLOWED}:
            continue
        if key == "key" and not own:
            continue
        if own or PLAIN_VALUE.fullmatch(unquoted(raw, scalar)) is None:
            found[scalar.start] = place
    if seen.jwk_mark:
        found.update(dict.fromkeys(seen.jwk, Place.SECRET))
    return found


def _may_tell(raw: bytes, rules: Rules, *, answer: str) -> bool:
    """Tell whether a second way through a body is worth it."""
    return (
        b"#organization" in raw
        or b"#domains" in raw
        or answer in SECRET_ANSWERS
        or bool(rules.policy.headers)
        or any(map(raw.__contains__, _MARKS))
        or (_VALUE.search(raw) is not None and _SECRET_NAME.search(raw) is not None)
    )


def _entity(context: str) -> Place:
    """Say what the ids of a collection are, by its metadata's name."""
    entity = _ENTITY.search(context)
    if entity is None:
        return Place.PLAIN
    return Place.TENANT if entity[1].lower() == "organization" else Place.DOMAIN
