"""How the data port is secured, if it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape.core.errors import UsageError
from graphtape.settings import Address

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from graphtape.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A port that speaks TLS.

    Attributes:
        context: Of the port.
        certificate: The local CA's, by which clients verify it; None where the user's own
            certificate is served.
        environment: Variables by which programs that are run trust it.
    """

    context: ssl.SSLContext
    certificate: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def secure(settings: Settings, *, say: Callable[[str], None]) -> Secured | None:
    """Make ready what `--tls` asks for; None where it doesn't. Works on files: not for the loop.

    Raises:
        UsageError: Options contradict each other, or name what can't be used.
        AuthorityError: The local CA can't be used.
    """
    own, key = settings.tls_cert, settings.tls_key
    if key is not None and own is None:
        raise UsageError("--tls-key names a key, and --tls-cert no certificate; give both")
    if own is None and not settings.tls:
        if settings.tls_name:
            raise UsageError("--tls-name is for --tls: give --tls too")
        return None
    # Only here: it takes longer to load than all the rest.
    from graphtape.server.tls import Authority, own_context  # noqa: PLC0415

    if own is not None:
        context = own_context(Path(own), Path(key) if key is not None else None, say=say)
        return Secured(context=context)
    authority = Authority.open(say=say)
    names = (Address.parse(settings.listen).host, *settings.tls_name)
    return Secured(
        context=authority.server_context(names),
        certificate=authority.certificate,
        environment=authority.environment(os.environ),
    )
