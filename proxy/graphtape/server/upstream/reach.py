"""Which addresses may be connected to: the one guard of every way out.

It is asked about the address a connection is about to go to, not about a name: a name may resolve
to another address the next time.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from yarl import URL

from graphtape.core.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Collection


class Range(StrEnum):
    """Where an address lies, as messages call it."""

    PUBLIC = "a public network"
    LOOPBACK = "loopback, this machine itself"
    PRIVATE = "a private network"
    LINK_LOCAL = "link-local"
    METADATA = "a cloud's metadata service"


class Toward(StrEnum):
    """What a connection goes to: it says who chose the host."""

    UPSTREAM = "upstream"
    CORPORATE_PROXY = "corporate proxy"
    OTHER = "other"


_NETWORKS = tuple(
    (kind, tuple(map(ip_network, networks.split())))
    for kind, networks in (  # the first that fits
        (
            # AWS and most others are link-local; Alibaba, Azure, Oracle, AWS and Google by IPv6.
            Range.METADATA,
            "169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::/32 fd20:ce::254",
        ),
        (Range.LINK_LOCAL, "169.254.0.0/16 fe80::/10"),
        (Range.LOOPBACK, "127.0.0.0/8 0.0.0.0/8 ::1 ::"),
        (
            # RFC 1918, RFC 6598, RFC 4193, and RFC 3879's old ones.
            Range.PRIVATE,
            "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7 fec0::/10",
        ),
    )
)
_METADATA_NAMES = frozenset(
    (
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.tencentyun.com",
    )
)
_EMBEDDING = tuple(map(ip_network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96")))
"""IPv6 networks whose last 32 bits are an IPv4 address (RFC 4291 section 2.5.5, RFC 6052)."""

_LOOKUP = 2.0
"""Seconds for a name that a corporate proxy is asked for: perhaps only it knows the name."""


def range_of(address: str) -> Range:
    """Say where an address lies; an IPv4 address inside an IPv6 one counts."""
    found = _embedded(ip_address(address.partition("%")[0]))
    for kind, networks in _NETWORKS:
        if any(found in network for network in networks):
            return kind
    return Range.PUBLIC


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address.sixtofour is not None:
            return address.sixtofour
        last = int(address) & 0xFFFFFFFF
        if last > 1 and any(address in network for network in _EMBEDDING):
            return IPv4Address(last)
    return address


@dataclass(slots=True, kw_only=True, eq=False)
class Reach:
    """Says whether an address may be connected to.

    Attributes:
        own_ports: This proxy's: never reached through itself.
        open: Ranges that any host may lie in: upstream's own are added.
    """

    own_ports: Collection[int]
    open: set[Range] = field(default_factory=lambda: {Range.PUBLIC})
    _upstream: tuple[str | None, int | None] | None = None

    def allow_private(self) -> None:
        """Let any host lie on loopback or in a private network."""
        self.open |= {Range.LOOPBACK, Range.PRIVATE}

    def upstream_is(self, root: str) -> None:
        """Say where upstream is: other hosts may lie in its range."""
        url = URL(root)
        self._upstream = (url.host, url.port)
        try:
            self.open.add(range_of(url.host or ""))
        except ValueError:  # a name; its range is learnt once it is connected to
            if url.host == "localhost":
                self.open.add(Range.LOOPBACK)

    def toward(self, host: str | None, port: int | None) -> Toward:
        """Say what a host is; a corporate proxy is known to who asks for it."""
        return Toward.UPSTREAM if (host, port) == self._upstream else Toward.OTHER

    def check(self, address: str, port: int, *, host: str, toward: Toward) -> None:
        """Let a connection be made.

        Args:
            address: That is about to be connected to.
            port: Likewise.
            host: As it was asked for.
            toward: What it is.

        Raises:
            RequestError: 403; it must not be.
        """
        where = range_of(address)
        if port in self.own_ports and (where is Range.LOOPBACK or _is_local(address)):
            raise _refused(
                "GraphtapeOwnPort",
                f"{host}:{port} is this proxy itself, which is not reached through itself; put "
                f"{host} in NO_PROXY, or ask it directly",
            )
        if where in {Range.LINK_LOCAL, Range.METADATA}:
            raise _refused(
                "GraphtapeLinkLocal",
                f"{host}:{port} is not reached: {address} is {where}, and no such address is ever "
                "asked through this proxy; ask it directly",
            )
        if toward is Toward.UPSTREAM:
            self.open.add(where)
        elif toward is Toward.OTHER and where not in self.open:
            raise _refused(
                "GraphtapePrivateOrigin",
                f"{host}:{port} is not reached: {address} is {where}, and upstream is not there; "
                "start with --allow-private-origins to let this proxy reach such hosts",
            )

    async def check_name(self, host: str, port: int, *, toward: Toward) -> None:
        """Let a corporate proxy be asked for a host: what it will connect to can't be seen.

        Raises:
            RequestError: As from `check`, for what the name is here.
        """
        if host.lower().rstrip(".") in _METADATA_NAMES:
            self.check("169.254.169.254", port, host=host, toward=toward)
        # Upstream is the user's own choice: no lookup for each request to it.
        flags = socket.AI_NUMERICHOST if toward is Toward.UPSTREAM else 0
        try:
            async with asyncio.timeout(_LOOKUP):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_STREAM, flags=flags
                )
        except (OSError, UnicodeError):  # a timeout too: only the corporate proxy knows the name
            return
        for each in found:
            self.check(str(each[4][0]), port, host=host, toward=toward)


def _refused(code: str, message: str) -> RequestError:
    return RequestError(message, status=403, code=code)


def _is_local(address: str) -> bool:
    """Tell whether an address is this machine's: no other can be listened on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
