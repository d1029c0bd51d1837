"""One call of Graph as a client made it, alone or as a part of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from graphtape.core.batch import is_batch, parts_of
from graphtape.core.errors import RequestError
from graphtape.core.graph import path_of, short
from graphtape.core.matching import key_of
from graphtape.core.path_template import below_version
from graphtape.core.verdict.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Request
    from graphtape.core.verdict.verdict import Kind

_LONGEST_NAME = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, and how a verdict may speak of it.

    Attributes:
        number: Of the request that carried it.
        request: As the client sent it, secrets and all.
        clean: Takes secrets and identities out of a URL.
        part: Its place among the parts of a batch, from 1; None where it is a request itself.
        id: Of the part, by which its answer is found; '' where it is a request itself.
        carrier: Of the part, the batch it came in.
    """

    number: int
    request: Request
    clean: Callable[[str], str]
    part: int | None = None
    id: str = ""
    carrier: Request | None = None

    @classmethod
    def all_of(cls, number: int, request: Request, clean: Callable[[str], str]) -> tuple[Self, ...]:
        """Return the call a request is, and those its batch carries."""
        whole = cls(number=number, request=request, clean=clean)
        if not is_batch(request):
            return (whole,)
        try:
            parts = parts_of(request)
        except RequestError:  # Graph refuses such a batch as a whole
            return (whole,)
        carried = (
            cls(
                number=number,
                request=part.request,
                clean=clean,
                part=place,
                id=part.id,
                carrier=request,
            )
            for place, part in enumerate(parts, 1)
        )
        return (whole, *carried)

    @property
    def who(self) -> str:
        """Name the request by its number."""
        part = "" if self.part is None else f"part {self.part} of "
        return f"{part}request {self.number}"

    @property
    def what(self) -> str:
        """Name the operation: method and path, clean. A query may hold what nobody masks."""
        url = self.request.url.partition("#")[0].partition("?")[0]
        name = f"{self.request.method} {short(self.clean(url))}"
        return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"

    @property
    def path(self) -> tuple[str, ...]:
        """Its path below the version, lower case: Graph ignores case."""
        return tuple(segment.lower() for segment in below_version(self.request.url))

    @property
    def version(self) -> str:
        """Return the first segment of its path."""
        return path_of(self.request.url).lstrip("/").partition("/")[0]

    def identity(self) -> bytes:
        """Return what two calls of the same key share: a digest, so that no secret is kept."""
        key = repr(key_of(self.request)).encode("utf-8", "surrogatepass")
        return blake2b(key, digest_size=16).digest()

    def verdict(self, kind: Kind, text: str) -> Verdict:
        """Say something about it; `text` follows its name."""
        return Verdict(kind=kind, number=self.number, text=f"{self.who} {text}")
