"""One call of Graph as a client made it, alone or as a part of a batch."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Self

from graphtape.core.errors import RequestError
from graphtape.core.graph.actions import path_of, short
from graphtape.core.graph.batch import is_batch, parts_of
from graphtape.core.graph.path_template import below_version
from graphtape.core.matching.key import key_of
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Request

_LONGEST_NAME = 160


class About:
    """What of a call is the same however often it is made.

    Attributes:
        request: As the client sent it, secrets and all.
        part: Its place among the parts of a batch, from 1; None where it is a request itself.
        id: Of the part, by which its answer is found; '' where it is a request itself.
        carrier: Of the part, the batch it came in.
    """

    def __init__(
        self,
        request: Request,
        clean: Callable[[str], str],
        *,
        part: int | None = None,
        id: str = "",  # noqa: A002 - a part's own word
        carrier: Request | None = None,
    ) -> None:
        """Take a request; `clean` takes secrets and identities out of a URL."""
        self.request = request
        self.part = part
        self.id = id
        self.carrier = carrier
        self._clean = clean

    @classmethod
    def all_of(cls, request: Request, clean: Callable[[str], str]) -> tuple[Self, ...]:
        """Return the call a request is, and those its batch carries."""
        whole = cls(request, clean)
        if not is_batch(request):
            return (whole,)
        try:
            parts = parts_of(request)
        except RequestError:  # Graph refuses such a batch as a whole
            return (whole,)
        carried = (
            cls(part.request, clean, part=place, id=part.id, carrier=request)
            for place, part in enumerate(parts, 1)
        )
        return (whole, *carried)

    @cached_property
    def what(self) -> str:
        """Name the operation: method and path, clean. A query may hold what nobody masks."""
        url = self.request.url.partition("#")[0].partition("?")[0]
        name = f"{self.request.method} {short(self._clean(url))}"
        return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"

    @cached_property
    def path(self) -> tuple[str, ...]:
        """Its path below the version, lower case: Graph ignores case."""
        return tuple(segment.lower() for segment in below_version(self.request.url))

    @cached_property
    def version(self) -> str:
        """The first segment of its path."""
        return path_of(self.request.url).lstrip("/").partition("/")[0]

    @cached_property
    def identity(self) -> bytes:
        """What two calls of the same key share: a digest, so that no secret is kept."""
        key = repr(key_of(self.request)).encode("utf-8", "surrogatepass")
        return blake2b(key, digest_size=16).digest()


class Call(NamedTuple):
    """One call, and how a verdict may speak of it.

    Attributes:
        number: Of the request that carried it.
        about: What is the same each time.
    """

    number: int
    about: About

    @property
    def request(self) -> Request:
        """The request, as the client sent it."""
        return self.about.request

    @property
    def path(self) -> tuple[str, ...]:
        """Its path below the version, lower case."""
        return self.about.path

    @property
    def what(self) -> str:
        """Name the operation, clean."""
        return self.about.what

    @property
    def who(self) -> str:
        """Name the request by its number."""
        part = self.about.part
        return f"{'' if part is None else f'part {part} of '}request {self.number}"

    def verdict(self, kind: Kind, text: str) -> Verdict:
        """Say something about it; `text` follows its name."""
        return Verdict(kind=kind, number=self.number, text=f"{self.who} {text}")
