"""Server contexts: of leaves made anew before they end, or of the user's own certificate."""

from __future__ import annotations

import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from graphtape import files
from graphtape.core.errors import GraphtapeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.server.tls.issuer import Leaf

_AGAIN: Final = timedelta(hours=1)
"""When a renewal that failed is tried again."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Nothing else: a client that offers h2 too takes this, and would wait for h2 without it.
    context.set_alpn_protocols(["http/1.1"])
    return context


def context_of(leaf: Leaf) -> ssl.SSLContext:
    """Make a context that shows a leaf."""
    context = _server_context()
    # `ssl` reads certificates from files alone; this folder is its owner's, and gone at once.
    with tempfile.TemporaryDirectory(prefix="graphtape-") as folder:
        path = Path(folder, "leaf.pem")
        path.write_bytes(leaf.pem)
        context.load_cert_chain(path)
    return context


class LeafContext:
    """A context whose leaf is made anew, while it serves, before it ends.

    Attributes:
        context: To listen with; each handshake may be handed to a newer one.
    """

    def __init__(
        self, make: Callable[[], Leaf], *, clock: Callable[[], datetime], say: Callable[[str], None]
    ) -> None:
        self._make = make
        self._clock = clock
        self._say = say
        self._busy = threading.Lock()
        self._leaf = make()
        self._renew_at = self._leaf.renew_at
        self.context = context_of(self._leaf)
        self._newest = self.context
        # Called for clients that name no host as well, as those that call an address.
        self.context.sni_callback = self._greet

    def _greet(
        self, connection: ssl.SSLSocket | ssl.SSLObject, server_name: str | None, _: ssl.SSLContext
    ) -> None:
        """Take the newest context for a handshake, and see to it that one is made in time."""
        del server_name
        now = self._clock()
        if now >= self._leaf.ends:
            # The machine slept through the time there was; this handshake needs the new one.
            self._renew()
        elif now >= self._renew_at and not self._busy.locked():
            # In a thread, for it writes a file.
            threading.Thread(target=self._renew, name="graphtape-leaf", daemon=True).start()
        connection.context = self._newest

    def _renew(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            if self._clock() < self._renew_at:  # done by another thread in between
                return
            leaf = self._make()
            self._newest = context_of(leaf)
            self._leaf, self._renew_at = leaf, leaf.renew_at
        except (OSError, GraphtapeError) as exc:
            self._renew_at = self._clock() + _AGAIN
            self._say(
                f"the TLS certificate ends on {self._leaf.ends:%Y-%m-%d}, and a new one can't be "
                f"made ({exc}); it is tried again in an hour, or restart the proxy"
            )
        finally:
            self._busy.release()


def own_context(
    cert: Path, key: Path | None = None, *, say: Callable[[str], None]
) -> ssl.SSLContext:
    """Make a context of the user's own certificate.

    Args:
        cert: PEM: the server's certificate, then those that lead from it to a root.
        key: PEM, unencrypted; None where it stands in `cert`.
        say: Told where clients will refuse the certificate for its time.

    Raises:
        UsageError: They can't be read, or don't belong together.
    """
    chain = _chain(cert)
    place = key if key is not None else cert
    flag = "--tls-key" if key is not None else "--tls-cert"
    if chain.public_key() != _public_key(place, flag):
        raise UsageError(
            f"{flag} {str(place)!r} is not the key of --tls-cert {str(cert)!r}, whose first "
            f"certificate is that of {chain.subject.rfc4514_string() or 'no subject'!r}; name the "
            "two that belong together, the server's certificate first"
        )
    now = utc_now()
    if now > chain.not_valid_after_utc:
        say(f"--tls-cert {cert} expired on {chain.not_valid_after_utc:%Y-%m-%d}; clients refuse it")
    elif now < chain.not_valid_before_utc:
        say(
            f"--tls-cert {cert} is valid from {chain.not_valid_before_utc:%Y-%m-%d} only; clients "
            "refuse it until then"
        )
    context = _server_context()
    try:
        # A password of ours, or OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert, place, password="")
    except (ssl.SSLError, OSError) as exc:
        raise UsageError(
            f"--tls-cert {str(cert)!r} can't be served with: OpenSSL says {_reason(exc)!r}"
        ) from exc
    return context


def _chain(cert: Path) -> x509.Certificate:
    data = _content(cert, "--tls-cert")
    try:
        return x509.load_pem_x509_certificates(data)[0]
    except ValueError as exc:
        raise UsageError(
            f"--tls-cert {str(cert)!r} holds no certificate in PEM; a .pfx or .p12 becomes one by "
            "`openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem`"
        ) from exc


def _public_key(place: Path, flag: str) -> object:
    data = _content(place, flag)
    try:
        return serialization.load_pem_private_key(data, password=None).public_key()
    except TypeError as exc:
        raise UsageError(
            f"{flag} {str(place)!r} is encrypted; write it without a passphrase, such as by "
            f"`openssl pkey -in {place} -out plain.key`"
        ) from exc
    except ValueError as exc:
        raise UsageError(
            f"{flag} {str(place)!r} holds no private key in PEM; name the file that does with "
            "--tls-key"
        ) from exc


def _content(path: Path, flag: str) -> bytes:
    try:
        return files.content(path)
    except OSError as exc:
        raise UsageError(
            f"{flag} {str(path)!r} can't be read ({exc.strerror}); check the path"
        ) from exc


def _reason(exc: OSError) -> str:
    return getattr(exc, "reason", None) or exc.strerror or str(exc)
