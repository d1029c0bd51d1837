"""One call of Graph as a client made it, alone or as a part of a batch."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import unquote

from graphtape.core.errors import RequestError
from graphtape.core.graph.actions import is_sign_in, path_of, short
from graphtape.core.graph.batch import is_batch, parts_of
from graphtape.core.graph.cloud import off_graph_origin
from graphtape.core.graph.path_template import below_version
from graphtape.core.matching.key import key_of
from graphtape.core.verdict.released import released
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Request

_LONGEST_NAME = 160
_VERSIONS = frozenset({"v1.0", "beta", "v2"})
_SCHEMES = frozenset({"bearer", "pop"})
_JUDGED = "/devicemanagement/"
"""In the path of every operation whose permissions are known."""


class About:
    """What of a call is the same however often it is made.

    Attributes:
        request: As the client sent it, secrets and all.
        part: Its place among the parts of a batch, from 1; None where it is a request itself.
        id: Of the part, by which its answer is found; '' where it is a request itself.
        carrier: Of the part, the batch it came in.
        not_in_graph: What of it Graph doesn't have, a clean line each; None until it is looked up.
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
        self.not_in_graph: tuple[str, ...] | None = None

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
    def lacks_token(self) -> bool:
        """Whether it goes without a token where Graph asks for one.

        It asks for none to describe itself (`$metadata`, the service document). What isn't below
        a version is sign-in, and URLs off Graph are pre-authenticated.
        """
        if self.part is not None:
            return False
        value = self.request.headers.get("Authorization")
        if value is not None:
            scheme, _, token = value.strip().partition(" ")
            if scheme.lower() in _SCHEMES and token.strip():
                return False
        url = self.request.url
        version, _, below = path_of(url).lstrip("/").partition("/")
        if version not in _VERSIONS or unquote(below).strip("/") in {"", "$metadata"}:
            return False
        return not is_sign_in(url) and off_graph_origin(url) is None

    @cached_property
    def lacking(self) -> str | None:
        """Which permission its token lacks, as a verdict says it; None where none is known to."""
        if _JUDGED not in self.request.url.lower():
            return None
        from graphtape.core.signin.permission import lacking  # noqa: PLC0415 - few calls need it

        return lacking(self.request, carrier=self.carrier)

    @cached_property
    def in_v1(self) -> str | None:
        """Method and path template of a call over beta that v1.0 is known to have, too."""
        if self.version != "beta" or off_graph_origin(self.request.url) is not None:
            return None
        method = self.request.method.upper()
        template = released(method, self.request.url)
        return None if template is None else f"{method} {template}"

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
