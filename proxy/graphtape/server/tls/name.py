"""Names a certificate can bear: DNS names and IP addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias, assert_never

from graphtape.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# An underscore is no host name's (RFC 952), but container services are called so.
_DNS = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_LONGEST_DNS = 253


@dataclass(frozen=True, slots=True)
class Dns:
    """A DNS name.

    Attributes:
        text: In lower case, international labels as `xn--…`; may begin with `*.`.
    """

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Ip:
    """An IP address, without the zone that only its own host understands."""

    address: IPv4Address | IPv6Address

    def __str__(self) -> str:
        return str(self.address)


Name: TypeAlias = Dns | Ip

LOOPBACK: tuple[Name, ...] = (
    Dns("localhost"),
    Ip(IPv4Address("127.0.0.1")),
    Ip(IPv6Address("::1")),
)


@dataclass(frozen=True, slots=True)
class DnsTree:
    """A DNS name and all below it (RFC 5280 section 4.2.1.10)."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class IpRange:
    """A range of IP addresses."""

    network: IPv4Network | IPv6Network

    def __str__(self) -> str:
        whole = self.network.prefixlen == self.network.max_prefixlen
        return str(self.network.network_address if whole else self.network)


Subtree: TypeAlias = DnsTree | IpRange

LOOPBACK_SUBTREES: frozenset[Subtree] = frozenset(
    {
        DnsTree("localhost"),
        IpRange(ip_network("127.0.0.0/8")),
        IpRange(ip_network("::1/128")),
    }
)


def name_of(text: str) -> Name:
    """Read a name as users write it: an address may stand in brackets, a DNS name end in a dot.

    Raises:
        UsageError: It is neither.
    """
    bare = text.strip().removeprefix("[").removesuffix("]")
    try:
        return Ip(ip_address(bare.partition("%")[0]))
    except ValueError:
        pass
    try:
        # Only what needs it: IDNA refuses underscores and wildcards.
        ascii_name = bare if bare.isascii() else bare.encode("idna").decode()
    except UnicodeError as exc:
        raise _no_name(text) from exc
    lower = ascii_name.lower().removesuffix(".")
    if _DNS.fullmatch(lower) is None or len(lower) > _LONGEST_DNS or _is_number(lower):
        raise _no_name(text)
    return Dns(lower)


def _is_number(text: str) -> bool:
    """Say whether clients would take it for an IPv4 address (WHATWG URL, host parsing)."""
    return text.rpartition(".")[2].isdigit()


def _no_name(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is no name a certificate can bear: give a host or an IP address, without "
        "scheme and port, such as graph.test, *.graph.test or 192.168.0.10"
    )


def served_names(texts: Iterable[str]) -> tuple[Name, ...]:
    """Read names and put those of loopback before them; no name twice.

    `0.0.0.0` and `::` are left out: they are listened on, and nobody's to be called by.

    Raises:
        UsageError: A text is no name.
    """
    named = [name_of(text) for text in texts]
    called = [n for n in named if not (isinstance(n, Ip) and n.address.is_unspecified)]
    return tuple(dict.fromkeys([*LOOPBACK, *called]))


def subtree_of(name: Name) -> Subtree:
    """Return the smallest subtree that holds a name; a wildcard's is what it stands below."""
    match name:
        case Dns(text):
            return DnsTree(text.removeprefix("*."))
        case Ip(address):
            return IpRange(ip_network(address))
        case _:
            assert_never(name)


def outside(names: Iterable[Name], subtrees: Collection[Subtree]) -> tuple[Name, ...]:
    """Return the names that lie in none of the subtrees."""
    return tuple(n for n in names if not any(_lies_in(n, tree) for tree in subtrees))


def _lies_in(name: Name, subtree: Subtree) -> bool:
    match name, subtree:
        case Dns(text), DnsTree(root):
            bare = text.removeprefix("*.")
            return bare == root or bare.endswith(f".{root}")
        case Ip(address), IpRange(network):
            return address in network
        case _:
            return False
