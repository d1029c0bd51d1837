"""How the data port is secured, if it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape.core.address import Address
from graphtape.core.errors import UsageError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from graphtape.server.tls import Authority
    from graphtape.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """What there is of TLS.

    Attributes:
        context: Of the port; None where it speaks plain http, and only tunnels that end here are
            secured.
        authority: The local CA where tunnels end here, permitted to sign for their hosts; else
            None.
        certificate: The local CA's, by which clients verify it; None where the user's own
            certificate is served.
        environment: Variables by which programs that are run trust it.
    """

    context: ssl.SSLContext | None
    authority: Authority | None = None
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
        if not settings.forward:
            return None
    # Only here: it takes longer to load than all the rest.
    from graphtape.server.tls import Authority, own_context  # noqa: PLC0415
    from graphtape.server.tunnel import FORWARD_HOSTS  # noqa: PLC0415

    context = None
    if own is not None:
        if settings.tls_name:
            raise UsageError(
                "--tls-name is for certificates of the local CA, and --tls-cert gives your own, "
                "which names whom it serves; leave one out"
            )
        context = own_context(Path(own), Path(key) if key is not None else None, say=say)
        if not settings.forward:
            return Secured(context=context)
    authority = Authority.open(say=say)
    if settings.forward:
        authority.permit(FORWARD_HOSTS)
    if own is None and settings.tls:
        names = (Address.parse(settings.listen).host, *settings.tls_name)
        context = authority.server_context(names)
    return Secured(
        context=context,
        authority=authority if settings.forward else None,
        certificate=authority.certificate,
        environment=authority.environment(os.environ),
    )
