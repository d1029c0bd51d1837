"""Secrets and identities that show by their shape or by the words around, in any text."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from graphtape.core.redaction import assignments, percent, provider_keys, secrets
from graphtape.core.redaction.assignments import around, assigned, shaped
from graphtape.core.redaction.identities import GUID, is_domain, mail_domain
from graphtape.core.redaction.sweep import Rule
from graphtape.core.redaction.vocabulary import (
    AUTHENTICATION_SCHEMES,
    PERSONAL,
    Place,
)

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

# What a value must hold for any rule here to apply; all but a few are turned away at this.
_HINT = re.compile(
    r"@|%40|eyJ|PRIVATE|MII|MIG|MHcC|#EXT#|%23EXT%23|onmicrosoft|onmschina|sharepoint"
    r"|tenant|directory|organi[sz]ation|\btid|realm|login\.|sts\.|/v2/|oauth2|Bearer |cookie"
    r"|authorization|key|secret|pass|pwd|psk|securestring|token|assertion|tempauth|sig|credentials|client_?state"
    r"|\d{6}-\d{6}-|\bpw|basic |curl|net1?(?:\.exe)? user|ticket"
    r"|[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}-",
    re.IGNORECASE,
)
_PERSONAL_HINT = re.compile("|".join(PERSONAL), re.IGNORECASE)

_LOCAL = r"\w.!#$&*+~^{|}-"
# Starts only where a run of such characters starts, and takes it whole: linear, whatever comes.
_MAIL = re.compile(
    rf"(?<![{_LOCAL}])(?<![{_LOCAL}]')(?<![{_LOCAL}]'')"
    rf"([{_LOCAL}]++(?:'{{1,2}}[{_LOCAL}]++)*+)@"
    r"([^\W_](?:[^\W_]|-)*+(?:\.[^\W_](?:[^\W_]|-)*+)++)"
)
_LONGEST_DOMAIN = 255
# `endswith(mail,'@contoso.com')`
_BARE_DOMAIN = re.compile(
    r"(?:(?<=[\s'\"(,])|\A)@([^\W_](?:[^\W_]|-)*+(?:\.[^\W_](?:[^\W_]|-)*+)++)"
)
_GUEST = re.compile(rf"(?<![{_LOCAL}])([{_LOCAL}]++)(?<=#EXT#)(?!@)", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w.-])[\w-]++(?:\.[\w-]++)++")
_TENANT_SUFFIXES = (".onmicrosoft.com", ".onmicrosoft.us", ".onmschina.cn", ".onmicrosoft.de")
_SITE = re.compile(r"[\w-]+\.sharepoint\.(?:com|us|cn|de)", re.IGNORECASE)

_LOGIN = (
    r"login\.(?:microsoftonline\.(?:com|us|de)|microsoftonline-p\.com|windows\.net|microsoft\.com"
    r"|chinacloudapi\.cn|partner\.microsoftonline\.cn)|sts\.(?:windows\.net|chinacloudapi\.cn)"
)
_GUID = re.compile(rf"(?:(?<![\w-])|(?<=%2[0278]))(?:{GUID})(?![\w-])")
_BEFORE = 64  # characters in which the word must stand that makes a GUID a tenant's
_TENANT_BEFORE = re.compile(
    rf"(?:/v2/|@|(?:{_LOGIN})/|(?:tenant(?:[_-]?id)?s?|directory|(?<![a-z])(?:sk|u)?tid|realm"
    r"|organi[sz]ation(?:[_-]?id)?s?)(?:[\W_]|%2[0278]|%3[ad]|eq|is|with|id){1,12})\Z",
    re.IGNORECASE,
)
_TENANT_AFTER = re.compile(r"/(?:oauth2|v2\.0|saml2|discovery|wsfed|kerberos|federationmetadata)\b")
_LOGIN_DOMAIN = re.compile(rf"(?:{_LOGIN})/([\w-]++(?:\.[\w-]++)++)", re.IGNORECASE)
_SIGN_IN_DOMAIN = re.compile(r"/([\w-]++(?:\.[\w-]++)++)(?=/oauth2/)")

_HEADER_LINE = re.compile(
    r"(?<![\w-])(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|ocp-apim-subscription-key)"
    r"""["'\\]{0,4}\s{0,4}:\s{0,4}["'\\]{0,4}([^\r\n"'\\]++)""",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"\bBearer ((?=[\w.~+/-]{0,64}[0-9])[\w.~+/-]{16,}+=*+)(?![\"'])", re.IGNORECASE
)
_RECOVERY_DASHES = 5
_RECOVERY_KEY = re.compile(  # of BitLocker, and of FileVault
    r"(?<![\d-])\d{6}(?:-\d{6}){7}(?![\d-])"
    r"|(?<![\w-])[A-Z0-9]{4}(?:-[A-Z0-9]{4}){5}(?![\w-])"
)
_BASIC = re.compile(r"\bBasic ([A-Za-z0-9+/]{6,}+={0,2})", re.IGNORECASE)
_USER_AND_PASSWORD = re.compile(rb"[ -~]*:[ -~\x80-\xff]+")
_MASKED_LINE = re.compile(r"(?:[\w-]{1,32} )?REDACTED")
_GAPS = re.compile(r"(REDACTED[0-9a-f]{0,20})")
_AT_OR_GUEST = re.compile(r"@|%40|(?:#|%23)EXT(?:#|%23)", re.IGNORECASE)
_PERSONAL = re.compile(
    rf"\b({'|'.join(PERSONAL)})(?:\s{{0,4}},\s{{0,4}}|\s{{1,4}}(?:eq|ne|ge|gt|le|lt)\s{{1,4}})"
    r"'((?:[^']|'')*+)'",
    re.IGNORECASE,
)


def plain(sweep: Sweep, text: str) -> str:
    """Redact a decoded text in which URLs were seen to."""
    rules = sweep.rules
    if text in rules.allowed_values:
        return text
    keys = not sweep.no_provider_keys and provider_keys.hinted(text)
    if keys or _HINT.search(text) is not None:
        text = credentials(sweep, text)
        if rules.identities:
            text = _people(sweep, text)
            text = _domains(sweep, text)
            text = tenants(sweep, text)
    if rules.personal and _PERSONAL_HINT.search(text) is not None:
        if "%" in text:
            text = percent.in_parts(text, _PERSONAL_HINT, lambda part: _personal(sweep, part))
        text = _personal(sweep, text)
    return patterns(sweep, text) if rules.patterns else text


def credentials(sweep: Sweep, text: str) -> str:
    """Mask tokens, keys and values whose name says secret."""
    text = secrets.replace_keys(text, lambda key: _key(sweep, key))
    if not sweep.no_provider_keys:
        text = provider_keys.replaced(text, lambda key: sweep.mask(Rule.SECRET, key))
    if "eyJ" in text:
        text = secrets.replace_jwts(
            text, lambda jwt: shaped(sweep, Rule.JWT, jwt, secrets.FAKE_JWT)
        )
    if ":" in text:
        text = _HEADER_LINE.sub(lambda m: _header_line(sweep, m), text)
    text = assignments.swept(sweep, text)
    if text.count("-") >= _RECOVERY_DASHES:
        text = _RECOVERY_KEY.sub(lambda m: shaped(sweep, Rule.SECRET, m[0], secrets.MASK), text)
    if "asic " in text or "ASIC " in text:
        text = _BASIC.sub(lambda m: _basic(sweep, m), text)
    if "earer " in text or "EARER " in text:
        text = _BEARER.sub(lambda m: assigned(sweep, m, 1), text)
    return text


def tenants(sweep: Sweep, text: str) -> str:
    """Replace tenant ids and domains where the words around say they are a tenant's."""
    if "-" in text:
        text = _GUID.sub(lambda m: _guid(sweep, m), text)
    if "login." in text or "sts." in text:
        text = _LOGIN_DOMAIN.sub(lambda m: _login_domain(sweep, m), text)
    if "/oauth2/" in text:
        text = _SIGN_IN_DOMAIN.sub(lambda m: _login_domain(sweep, m), text)
    return text


def patterns(sweep: Sweep, text: str) -> str:
    """Mask what the user's own expressions match, but no mask again."""
    for pattern in sweep.rules.patterns:
        if pattern.search(text) is not None:
            pieces = _GAPS.split(text)
            pieces[::2] = [
                pattern.sub(lambda m: sweep.note(Rule.PATTERN, m[0], secrets.MASK), piece)
                for piece in pieces[::2]
            ]
            text = "".join(pieces)
    return text


def person(sweep: Sweep, place: Place, value: str) -> str:
    """Replace a value of a personal field."""
    match place:
        case Place.PHONE:
            new = sweep.names.phone(value)
        case Place.DEVICE | Place.SERIAL:
            new = sweep.names.person(value, place.value)
        case _:
            new = sweep.names.person(value, "name")
    return sweep.note(Rule.PERSONAL, value, new)


def encoded(sweep: Sweep, raw: str, *, plus: bool) -> str:
    """Redact one percent-encoded segment or value, keeping what was encoded encoded.

    Args:
        sweep: The message's.
        raw: As it stands in the URL or form.
        plus: Whether `+` is a space.
    """
    decoded = percent.decode(raw, plus=plus) if "%" in raw or (plus and "+" in raw) else raw
    swept = plain(sweep, decoded)
    return raw if swept == decoded else percent.encode(swept, like=raw, plus=plus)


def _people(sweep: Sweep, text: str) -> str:
    # What is encoded comes first: undecoded, the 23 of `%23EXT%23` would be part of a name.
    if "%" in text and _AT_OR_GUEST.search(text) is not None:
        text = percent.in_parts(text, _AT_OR_GUEST, lambda part: _named_people(sweep, part))
    return _named_people(sweep, text)


def _named_people(sweep: Sweep, text: str) -> str:
    if "@" in text:
        text = _MAIL.sub(lambda m: _mail(sweep, m), text)
        text = _BARE_DOMAIN.sub(lambda m: _bare_domain(sweep, m), text)
    if "#EXT#" in text or "#ext#" in text:
        text = _GUEST.sub(lambda m: _guest(sweep, m), text)
    return text


def _personal(sweep: Sweep, text: str) -> str:
    return _PERSONAL.sub(lambda m: _quoted_person(sweep, m), text)


def _mail(sweep: Sweep, found: re.Match[str]) -> str:
    escape = _escape(found)
    local, domain = found[1][len(escape) :], found[2]
    if (local and secrets.masked(local)) or len(domain) > _LONGEST_DOMAIN:
        return found[0]
    name = mail_domain(domain)
    if not name:
        return found[0]
    address = local.lstrip(".'" if escape else ".")  # an ellipsis before it
    new = sweep.mail(f"{address}@{name}") if address else f"@{sweep.domain(name)}"
    return escape + local[: len(local) - len(address)] + new + domain[len(name) :]


def _guest(sweep: Sweep, found: re.Match[str]) -> str:
    escape = _escape(found)
    local = found[0][len(escape) :]
    return escape + sweep.note(Rule.MAIL, local, sweep.names.guest(local))


def _escape(found: re.Match[str]) -> str:
    """Return what of a percent-escape a match begins inside of: no name starts with it."""
    begins = percent.ESCAPE.match(found.string, max(0, found.start() - 1))
    return begins[0][1:] if begins is not None and found[0][:1] != "%" else ""


def _bare_domain(sweep: Sweep, found: re.Match[str]) -> str:
    return f"@{sweep.domain(found[1])}" if is_domain(found[1]) else found[0]


def _domains(sweep: Sweep, text: str) -> str:
    if "on" in text and ("onmicrosoft" in text.lower() or "onmschina" in text.lower()):
        text = _NAME.sub(lambda m: _tenant_domain(sweep, m), text)
    if "sharepoint." in text.lower():
        text = _NAME.sub(lambda m: _site(sweep, m), text)
    return text


def _tenant_domain(sweep: Sweep, found: re.Match[str]) -> str:
    name = found[0]
    return sweep.domain(name) if name.lower().endswith(_TENANT_SUFFIXES) else name


def _site(sweep: Sweep, found: re.Match[str]) -> str:
    return sweep.domain(found[0]) if _SITE.fullmatch(found[0]) else found[0]


def _guid(sweep: Sweep, found: re.Match[str]) -> str:
    guid, text = found[0], found.string
    start, end = found.span()
    before = text[max(0, start - _BEFORE) : start]
    if (
        _TENANT_BEFORE.search(before) is not None
        or (before.endswith("/") and _TENANT_AFTER.match(text, end) is not None)
        # …/v2/TENANT/directoryObjects/TENANT/…: its organization has the tenant's id.
        or before.lower().endswith(f"/v2/{guid.lower()}/directoryobjects/")
    ):
        return sweep.tenant(guid)
    return guid


def _login_domain(sweep: Sweep, found: re.Match[str]) -> str:
    before, name, after = around(found, 1)
    return before + (sweep.domain(name) if is_domain(name) else name) + after


def _basic(sweep: Sweep, found: re.Match[str]) -> str:
    """Mask user and password (RFC 7617)."""
    bare = found[1].rstrip("=")
    try:
        raw = binascii.a2b_base64(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return found[0]
    return assigned(sweep, found, 1) if _USER_AND_PASSWORD.fullmatch(raw) else found[0]


def _header_line(sweep: Sweep, found: re.Match[str]) -> str:
    before, value, after = around(found, 1)
    if _MASKED_LINE.fullmatch(value.strip()):
        return found[0]
    scheme, space, secret = value.strip().partition(" ")
    kept = f"{scheme} " if space and secret and scheme.lower() in AUTHENTICATION_SCHEMES else ""
    sweep.note(Rule.AUTHORIZATION, value.strip(), secrets.MASK)
    return before + kept + secrets.MASK + after


def _quoted_person(sweep: Sweep, found: re.Match[str]) -> str:
    before, value, after = around(found, 2)
    place = PERSONAL[found[1].lower()]
    return before + person(sweep, place, value.replace("''", "'")) + after


def _key(sweep: Sweep, key: str) -> str:
    fake = secrets.FAKE_KEY if key.startswith("-") else secrets.MASK
    return shaped(sweep, Rule.PRIVATE_KEY, key, fake)
