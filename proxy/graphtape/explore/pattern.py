"""Which calls a user means by `--calls`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from graphtape.core.errors import UsageError
from graphtape.core.graph.path_template import PathTemplate, below_version

if TYPE_CHECKING:
    from graphtape.explore.call import Call

_VERSION = re.compile(r"^/(?:v1\.0|beta|v2)(?=/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A method and a path, as in `POST /users/{id}` or `GET /**`.

    Attributes:
        method: None for any.
    """

    method: str | None
    path: PathTemplate

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one; without a method it means every method.

        Raises:
            UsageError: It is none.
        """
        first, _, rest = text.strip().rpartition(" ")
        method = first.strip()
        if method and not (method.isascii() and method.isalpha()):
            raise UsageError(f"--calls: {method!r} is no method; write 'POST /users/{{id}}'")
        try:
            path = PathTemplate.parse(_VERSION.sub("", rest) or "/")
        except ValueError as exc:
            raise UsageError(f"--calls: {exc}") from exc
        return cls(method=method.upper() or None, path=path)

    def matches(self, call: Call) -> bool:
        """Tell whether a call, or a part of it, is meant."""
        return any(
            self.method in {None, each.method}
            and self.path.matches(below_version(each.exchange.request.url))
            for each in (call, *call.parts)
        )
