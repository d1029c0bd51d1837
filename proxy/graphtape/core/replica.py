"""Which of several proxies a session belongs to: its id begins with the name of one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphtape.core.errors import UsageError

PASSED_ON = "Graphtape-Passed-On"
"""Field of a control call that one replica has passed on: no other one passes it on again."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URL = re.compile(r"https?://[^/?#@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One of several proxies that sessions are divided among.

    Attributes:
        name: The ids of its sessions begin with it and a dot.
        default_at: Where the session of requests that name none is; None where it is here.
    """

    name: str
    default_at: str | None = None

    @property
    def default_id(self) -> str:
        """By which its default session is known elsewhere."""
        return f"{self.name}.default"

    def own_id(self, session_id: str) -> str:
        """Return an id as one of its own, which it may be already."""
        return session_id if name_in(session_id) == self.name else f"{self.name}.{session_id}"


def name_in(session_id: str) -> str | None:
    """Return the name of the replica that a session's id says; None where it says none."""
    name, dot, rest = session_id.partition(".")
    return name if dot and rest and _NAME.fullmatch(name) else None


def check_name(name: str, flag: str) -> str:
    """Return a replica's name.

    Raises:
        UsageError: It is none.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{flag} {name[:80]!r}: a replica's name is 1 to 32 letters, digits, hyphens and "
            "underscores"
        )
    return name


def check_url(url: str, flag: str) -> str:
    """Return a URL that ends with host or port, without a slash at its end.

    Raises:
        UsageError: It is another kind of URL, or none.
    """
    found = url.removesuffix("/")
    if _URL.fullmatch(found) is None:
        raise UsageError(
            f"{flag} {url[:200]!r}: give a scheme, a host and a port alone, such as "
            "http://r1.test:8787"
        )
    return found
