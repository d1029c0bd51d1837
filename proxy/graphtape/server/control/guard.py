"""Who may speak to the control API: nobody by accident, and no page in a browser."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError, UsageError
from graphtape.core.graph.link import canonical

if TYPE_CHECKING:
    from aiohttp import web

    from graphtape.core.address import Address

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_OWN_SITE = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site (Fetch Metadata, section 2.4) of our own pages, and of no page."""

_OWN_SCHEME = "http://"

_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""What a page may post anywhere (Fetch standard, "CORS-safelisted request-header")."""

_SCHEME = "bearer "


def is_loopback(host: str) -> bool:
    """Tell whether a Host field names this machine: localhost, or a loopback address."""
    found = _HOST.fullmatch(host)
    name = found[1].strip("[]").lower() if found is not None else ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_control_address(address: Address, token: str | None) -> None:
    """Refuse to listen where others reach the control API, unless a token guards it.

    Raises:
        UsageError: It isn't a loopback address, and there is no token; or the token is none.
    """
    if token is not None:
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise UsageError(
                "--control-token is empty, or has spaces or characters that are not ASCII; "
                "send no others in an Authorization header"
            )
        return
    if not is_loopback(str(address)):
        raise UsageError(
            f"--control {address}: others than this machine could reach the control API there; "
            f"guard it with --control-token TOKEN, or listen on 127.0.0.1:{address.port}"
        )


def host_name(request: web.Request) -> str:
    """Return the host of a Host field, an IPv6 address in its brackets.

    Raises:
        RequestError: It isn't one host.
    """
    return _host(request)[1]


def _host(request: web.Request) -> re.Match[str]:
    """Return the Host field, taken apart; as `host_name`."""
    # Not request.host: without the field that asks the resolver for this machine's name.
    fields = request.headers.getall("Host", [])
    found = _HOST.fullmatch(fields[0]) if len(fields) == 1 else None
    if found is None:
        raise RequestError(
            f"Host {', '.join(fields)[:80]!r} is none; send HOST:PORT of the control port",
            code="GraphtapeHost",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Lets a request in, or says why not.

    Attributes:
        token: That each request must show; None where only this machine can ask.
    """

    token: str | None

    def check(self, request: web.Request, *, shows_token: bool = True) -> None:
        """Let a request in.

        Args:
            request: Any.
            shows_token: Whether it must show the token, where there is one.

        Raises:
            RequestError: 400, 401, 403 or 415.
        """
        self._host(request)
        _page(request)
        if shows_token:
            self._token(request)
        _media_type(request)

    def _host(self, request: web.Request) -> None:
        """Refuse a foreign Host: DNS rebinding ends in one."""
        name = host_name(request)
        if self.token is None and not is_loopback(name):
            raise RequestError(
                f"Host {name!r} is no loopback address; ask 127.0.0.1 or localhost, or start the "
                "proxy with --control-token",
                status=403,
                code="GraphtapeHost",
            )

    def _token(self, request: web.Request) -> None:
        if self.token is None:
            return
        fields = request.headers.getall("Authorization", [])
        given = fields[0] if len(fields) == 1 else ""
        scheme, shown = given[: len(_SCHEME)], given[len(_SCHEME) :].strip()
        matches = hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self.token.encode())
        if scheme.lower() != _SCHEME or not matches:
            raise RequestError(
                "the control API asks for its token; send Authorization: Bearer TOKEN, the TOKEN "
                "that --control-token has",
                status=401,
                code="GraphtapeToken",
            )


def _page(request: web.Request) -> None:
    """Refuse what a page of another origin sends, of which a browser tells the origin.

    Another port of this machine is another origin: any program can serve pages there.
    """
    own = canonical("http", _host(request)[0])
    for origin in request.headers.getall("Origin", []):
        if own is None or not _is_origin(origin, own):
            raise _foreign(f"Origin {origin[:80]!r} is not this port's, {own}")
    for site in request.headers.getall("Sec-Fetch-Site", []):
        if site.strip().lower() not in _OWN_SITE:
            raise _foreign(f"Sec-Fetch-Site is {site[:20]!r}")


def _is_origin(origin: str, own: str) -> bool:
    authority = origin.removeprefix(_OWN_SCHEME)
    return authority != origin and canonical("http", authority) == own


def _foreign(found: str) -> RequestError:
    return RequestError(
        f"{found}: a page from elsewhere sent this, and none but the control port's own may use "
        "the control API; call it from a program",
        status=403,
        code="GraphtapeOrigin",
    )


def _media_type(request: web.Request) -> None:
    """Refuse what isn't JSON: a form needs no leave to be posted across sites.

    Without a body there is nothing to be JSON: some clients name a type all the same. An empty form
    is refused nonetheless, as what a page would post to `rewind`.
    """
    media = request.content_type
    if media in _FORMS or (request.body_exists and media != "application/json"):
        raise RequestError(
            f"the body is {media[:80]!r}; send application/json",
            status=415,
            code="GraphtapeMediaType",
        )
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise RequestError(
            f"the body's Content-Encoding is {coding[:80]!r}; send it as it is",
            status=415,
            code="GraphtapeMediaType",
        )
