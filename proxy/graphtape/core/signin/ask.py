"""One request of sign-in, with what its answer depends on."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from graphtape.core.graph.cloud import CLOUDS, origin_of
from graphtape.core.signin.terms import CLIENT, Terms
from graphtape.core.signin.token import claims_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.message import Request
    from graphtape.core.signin.place import Place

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked of the authority.

    Attributes:
        base: The data port's own address, session prefix included, without a slash at the end.
        now: Unix time in seconds.
        fields: Of the form, or of the query where there is none.
    """

    request: Request
    place: Place
    base: str
    now: float
    terms: Terms
    fields: Mapping[str, str]

    @property
    def tenant(self) -> str:
        """The tenant's id: a GUID as it stands in the path, the fake one for any other name."""
        name = self.place.tenant
        return name if _GUID.fullmatch(name) else self.terms.tenant

    @property
    def issuer(self) -> str:
        """Who issues: this proxy, in the form that the version of the protocol has."""
        return f"{self.base}/{self.tenant}/{'v2.0' if self.place.two else ''}"

    @property
    def graph(self) -> str:
        """Root of Graph in the cloud that is asked."""
        origin = origin_of(self.request.url)
        roots = (cloud.graph for cloud in CLOUDS if origin in {cloud.graph, cloud.login})
        return next(roots, CLOUDS[0].graph)

    @property
    def client(self) -> str:
        """The app's id, wherever the protocol lets it say it; '' where it doesn't."""
        return self.fields.get("client_id") or self._basic()[0] or self._asserted() or ""

    @property
    def client_or_fake(self) -> str:
        """The app's id, or the fake one's."""
        return self.client or CLIENT

    @property
    def proves_client(self) -> bool:
        """Whether the app shows a secret or an assertion; which one doesn't matter here."""
        named = self.fields.get("client_secret") or self.fields.get("client_assertion")
        return bool(named or self._basic()[1])

    def _basic(self) -> tuple[str, str]:
        """Return id and secret from an Authorization field (RFC 6749 section 2.3.1)."""
        value = self.request.headers.get("Authorization") or ""
        scheme, _, coded = value.partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            client, _, secret = b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        return unquote_plus(client), unquote_plus(secret)

    def _asserted(self) -> str | None:
        claims = claims_of(self.fields.get("client_assertion", ""))
        subject = claims.get("sub") if claims is not None else None
        return subject if isinstance(subject, str) else None
