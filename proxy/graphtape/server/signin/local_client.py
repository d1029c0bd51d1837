"""Who may use the data port while the proxy adds a token to what passes.

Programs of this machine, and no page in a browser: the call this proxy exists for is a POST without
a body, which a page of any site may send without asking (Fetch standard, "simple" requests).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError, UsageError
from graphtape.server.control import is_loopback
from graphtape.server.http.request import standing_of

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from graphtape.core.address import Address

_OWN_SITE = frozenset({"", "same-origin", "none"})
"""Values of Sec-Fetch-Site that no other site's page sends (Fetch Metadata, section 2.4)."""


def check_listen_address(address: Address) -> None:
    """Refuse to listen where others would be given this machine's token.

    Raises:
        UsageError: It isn't a loopback address.
    """
    if not is_loopback(str(address)):
        raise UsageError(
            f"--listen {address}: --token-command adds your token to every request, and others "
            f"than this machine could send one there; listen on 127.0.0.1:{address.port}"
        )


def check_client(http: BaseRequest) -> None:
    """Let a request in.

    Raises:
        RequestError: 403; a browser sent it for a page, or its Host isn't this machine: DNS
            rebinding ends in such a Host.
    """
    hosts = http.headers.getall("Host", [])
    # Inside a tunnel the host is Graph's: who reaches the port at all was looked at before.
    if standing_of(http) is None and (len(hosts) != 1 or not is_loopback(hosts[0])):
        raise _refused(f"Host {', '.join(hosts)[:80]!r} is no loopback address")
    origin = http.headers.get("Origin")
    if origin is not None:
        raise _refused(f"Origin {origin[:80]!r}: a page in a browser sent this")
    site = http.headers.get("Sec-Fetch-Site", "").strip().lower()
    if site not in _OWN_SITE:
        raise _refused(f"Sec-Fetch-Site {site[:20]!r}: a page of another site sent this")


def _refused(found: str) -> RequestError:
    return RequestError(
        f"{found}; while --token-command adds a token, only programs of this machine may use "
        "this port, at 127.0.0.1 or localhost",
        status=403,
        code="GraphtapeNotLocal",
    )
