"""URLs: what is secret or tells who, in the host, the path and the query."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from graphtape.core.redaction import percent, secrets, shapes
from graphtape.core.redaction.identities import DOCUMENTATION_DOMAINS, GUID, is_domain
from graphtape.core.redaction.sweep import DEEPEST, Rule
from graphtape.core.redaction.vocabulary import Place

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

GRAPH_HOSTS = frozenset(
    {
        "graph.microsoft.com",
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
    }
)
_LOGIN_HOST = re.compile(r"(?:login|sts)\.", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}:)?//", re.IGNORECASE)
_DOMAIN_PATH = re.compile(
    r"(?:/domains(?:/|\('|\(%27)|\(domainName=(?:'|%27))([\w-]++(?:\.[\w-]++)++)", re.IGNORECASE
)

_ONEDRIVE = re.compile(r"(/personal/)([^/?#]++)", re.IGNORECASE)
_NOBODY = tuple("_" + name.replace(".", "_") for name in (*DOCUMENTATION_DOMAINS, "example"))

_SHORTEST_OPAQUE = 20
_TOKEN_TEXT = re.compile(r"[\w!~.=+/%-]{20,}")
_TURNS = re.compile(r"[a-z](?=[A-Z0-9])|[0-9](?=[A-Za-z])|[A-Z](?=[0-9])")
_TOKEN = re.compile(r"(?<=[?&])(token=)([^&]++)", re.IGNORECASE)
_PASSCODE = re.compile(r"(?<=[?&])(p=)([^&]++)")
_DELTA = re.compile(r"/(?:microsoft\.graph\.)?delta(?:\(\)?|\Z)", re.IGNORECASE)
_GUIDS = re.compile(rf"[^0-9a-fA-F]{{0,3}}(?:{GUID}[^0-9a-fA-F]{{0,3}})+")
_FILE_NAME = re.compile(r".{1,200}\.[A-Za-z][A-Za-z0-9]{1,4}")


def url(sweep: Sweep, text: str, *, link: bool) -> str:
    """Redact a URL, absolute or relative; percent-encoding stays as it was.

    Args:
        sweep: The message's.
        text: The URL.
        link: Whether it is asked or followed, so that off Graph, where no token goes along, what
            looks random in it may be what lets one in. That becomes a stable fake: the same in
            the answer that names the URL and in the request that follows it.
    """
    if text in sweep.rules.allowed_values:
        return text
    start, host, path, query, fragment = _parts(text)
    foreign = bool(host) and not _is_known(host.rpartition("@")[2].partition(":")[0].lower())
    base = sweep.place
    sweep.place = (*base, "path")
    if sweep.rules.identities and ".sharepoint." in host.lower():
        path = _ONEDRIVE.sub(lambda m: m[1] + _owner(sweep, m[2]), path)
    path = _path(sweep, path, opaque=link and foreign)
    sweep.place = (*base, "query")
    query = query[:1] + parameters(sweep, query[1:], foreign=foreign, opaque=link and foreign)
    if "token=" in query.lower() and _DELTA.search(path) is None:
        query = _TOKEN.sub(lambda m: _token(sweep, m), query)
    if path.startswith("/meet/"):  # Teams: the passcode of a meeting
        query = _PASSCODE.sub(lambda m: m[1] + sweep.fake(m[2]), query)
    sweep.place = (*base, "fragment")
    fragment = fragment[:1] + _fragment(sweep, fragment[1:])
    sweep.place = (*base, "host")
    host = _authority(sweep, host) if host else ""
    sweep.place = base
    return _tenants(sweep, f"{start}{host}{path}{query}{fragment}")


def parameters(sweep: Sweep, query: str, *, foreign: bool, opaque: bool) -> str:
    """Redact `a=b&c=d`, percent-encoding as it was."""
    if not query:
        return query
    base = sweep.place
    pieces: list[str] = []
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if not value:
            pieces.append(shapes.encoded(sweep, name, plus=True) + equals)
            continue
        known = percent.decode(name, plus=True)
        sweep.place = (*base, known)
        pieces.append(f"{name}={_parameter(sweep, known, value, foreign=foreign, opaque=opaque)}")
    sweep.place = base
    return "&".join(pieces)


def is_opaque(value: str) -> bool:
    """Tell whether a text looks random: a token or key, not words, a file name or GUIDs."""
    if (
        len(value) < _SHORTEST_OPAQUE
        or secrets.MASK in value
        or _TOKEN_TEXT.fullmatch(value) is None
    ):
        return False
    if _GUIDS.fullmatch(value) is not None or not any(map(str.isdigit, value)):
        return False
    if _FILE_NAME.fullmatch(value) is not None and not secrets.is_jwt(value):
        return False
    return len(_TURNS.findall(value)) * 5 >= len(value)


def _parts(text: str) -> tuple[str, str, str, str, str]:
    """Part scheme with slashes, authority, path, query with `?`, and fragment with `#`."""
    begins = _ABSOLUTE.match(text)
    start = begins[0] if begins is not None else ""
    rest, mark, fragment = text[len(start) :].partition("#")
    rest, question, query = rest.partition("?")
    host, slash, path = rest.partition("/") if start else ("", "", rest)
    return start, host, slash + path, question + query, mark + fragment


def _fragment(sweep: Sweep, fragment: str) -> str:
    if "=" in fragment:  # an authorization answer (response_mode=fragment)
        return parameters(sweep, fragment, foreign=False, opaque=False)
    return _path(sweep, fragment, opaque=False)


def _tenants(sweep: Sweep, text: str) -> str:
    """Replace what only the whole URL tells: tenants by host or path, domains by path."""
    if not sweep.rules.identities:
        return text
    text = shapes.tenants(sweep, text)
    if "/domains" in text or "domainName=" in text:
        text = _DOMAIN_PATH.sub(lambda m: _domain_named(sweep, m), text)
    return text


def _is_known(host: str) -> bool:
    return host in GRAPH_HOSTS or _LOGIN_HOST.match(host) is not None


def _authority(sweep: Sweep, authority: str) -> str:
    user, at, host = authority.rpartition("@")
    if at and user != secrets.MASK:
        user = sweep.note(Rule.URL_PASSWORD, user, secrets.MASK)
    return user + at + shapes.plain(sweep, host)


def _path(sweep: Sweep, path: str, *, opaque: bool) -> str:
    segments = path.split("/")
    for n, segment in enumerate(segments):
        if len(segment) < 5:  # noqa: PLR2004 - shorter than any rule's shape
            continue
        if segment.startswith(("u!", "u%21")):
            segments[n] = _shared(sweep, segment)
            continue
        if opaque and not secrets.is_fake(segment):
            decoded = percent.decode(segment, plus=False)
            if is_opaque(decoded) or secrets.is_jwt(decoded):
                segments[n] = sweep.fake(decoded)
                continue
        segments[n] = shapes.encoded(sweep, segment, plus=False)
    return "/".join(segments)


def _shared(sweep: Sweep, segment: str) -> str:
    """Redact a sharing URL in base64 (Graph: "Access shared items")."""
    packed = segment.partition("!" if "!" in segment else "%21")[2]
    try:
        raw = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except ValueError:
        return segment
    swept = url(sweep, raw, link=True)
    if swept == raw:
        return segment
    new = urlsafe_b64encode(swept.encode()).decode("ascii").rstrip("=")
    return segment[: len(segment) - len(packed)] + new


def _parameter(sweep: Sweep, name: str, value: str, *, foreign: bool, opaque: bool) -> str:
    place = sweep.rules.parameter(name, query=True)
    decoded = percent.decode(value, plus=True)
    match place:
        case Place.ALLOWED:
            return value
        case Place.SECRET:
            secret = percent.decode(value, plus=False)
            new = sweep.fake(secret) if foreign else sweep.mask(Rule.SECRET, decoded)
            return value if new == secret else new
        case Place.TENANT if sweep.rules.identities:
            new = tenant(sweep, decoded)
        case _:
            if opaque and (is_opaque(decoded) or secrets.is_jwt(decoded)):
                return sweep.fake(percent.decode(value, plus=False))
            if "://" in decoded and _ABSOLUTE.match(decoded) and sweep.depth < DEEPEST:
                new = sweep.deeper(lambda: url(sweep, decoded, link=opaque))
            else:
                new = shapes.plain(sweep, decoded)
    return value if new == decoded else percent.encode(new, like=value, plus=True)


def _token(sweep: Sweep, found: re.Match[str]) -> str:
    """Replace a random `token=`, by a fake: it may tell one page of a list from the next."""
    secret = percent.decode(found[2], plus=False)
    allowed = sweep.rules.parameter("token", query=True) is Place.ALLOWED
    random = is_opaque(secret) or secrets.is_jwt(secret)
    return found[1] + sweep.fake(secret) if random and not allowed else found[0]


def tenant(sweep: Sweep, value: str) -> str:
    """Redact what stands where a tenant is named: its id, or one of its domains."""
    if re.fullmatch(GUID, value):
        return sweep.tenant(value)
    return sweep.domain(value) if is_domain(value) else shapes.plain(sweep, value)


def _owner(sweep: Sweep, name: str) -> str:
    """Replace whom a OneDrive is of: a UPN with `_` for every `@` and `.`."""
    if name.lower().endswith(_NOBODY):
        return name
    return sweep.note(Rule.MAIL, name, sweep.names.owner(name))


def _domain_named(sweep: Sweep, found: re.Match[str]) -> str:
    return found[0][: found.start(1) - found.start()] + sweep.domain(found[1])
