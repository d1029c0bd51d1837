"""What a client asks a token for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from graphtape.core.graph.cloud import GRAPH_ROOTS

DEFAULT = ".default"
GRAPH_ID = "00000003-0000-0000-c000-000000000000"
_OPEN_ID = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The permissions asked for, and of which resource.

    Attributes:
        text: As asked.
        resource: Absolute URI or id; what follows `/.default` or a permission's name is cut off.
        names: Permissions of it, `.default` among them.
        open_id: OpenID Connect's own.
    """

    text: str
    resource: str
    names: tuple[str, ...]
    open_id: frozenset[str]

    @classmethod
    def parse(cls, text: str, *, graph: str) -> Self:
        """Read a `scope`; a name without a resource is Graph's.

        Args:
            text: Names between blanks; `https://graph.microsoft.com/.default` is one.
            graph: Graph's root, for names without one.
        """
        resource, names = "", []
        for entry in text.split():
            if entry in _OPEN_ID:
                continue
            # "https://management.core.windows.net//.default": the resource ends in a slash.
            owner, _, name = entry.rpartition("/")
            resource = resource or owner
            names.append(name)
        open_id = frozenset(text.split()) & _OPEN_ID
        return cls(
            text=text, resource=resource or graph, names=tuple(names), open_id=frozenset(open_id)
        )

    @classmethod
    def of_resource(cls, resource: str, *, graph: str) -> Self:
        """Read what the first version of the protocol asks for: all of one resource."""
        return cls(
            text="", resource=resource or graph, names=(DEFAULT,), open_id=frozenset(_OPEN_ID)
        )

    @property
    def is_default(self) -> bool:
        """Whether it asks for what the app was granted beforehand."""
        return not self.names or DEFAULT in self.names

    def is_for_graph(self, base: str) -> bool:
        """Tell whether the resource is Graph; `base` counts as it, some SDKs ask for its host."""
        root = self.resource.rstrip("/").lower()
        own = base.partition("/_session/")[0].lower()
        return root in {*GRAPH_ROOTS, GRAPH_ID, own, own.rpartition(":")[0]}
