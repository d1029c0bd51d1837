"""A place to listen at, as `HOST:PORT` names it."""

from __future__ import annotations

from dataclasses import dataclass

from graphtape.core.errors import UsageError
from graphtape.core.graph.link import shown


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen.

    Attributes:
        host: A name or an IP address, without brackets.
        port: 0 takes a free one.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT`; an IPv6 address stands in brackets.

        Raises:
            UsageError: It isn't that.
        """
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the largest port
            raise UsageError(f"{shown(text)!r} is no address: HOST:PORT, such as 127.0.0.1:8787")
        if ":" in host and not bracketed:
            raise UsageError(f"{shown(text)!r}: an IPv6 address stands in brackets, [::1]:8787")
        return cls(host[1:-1] if bracketed else host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
