"""The local CA: made once in the user's data folder, and asked for contexts."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from graphtape import files
from graphtape.core.errors import RequestError, UsageError
from graphtape.server.tls.bundle import beneath, blocks_of, bundle_at
from graphtape.server.tls.context import LeafContext, utc_now
from graphtape.server.tls.folder import default_folder, replace, translated
from graphtape.server.tls.issuer import CA_MARGIN
from graphtape.server.tls.name import LOOPBACK, name_of, outside, served_names
from graphtape.server.tls.store import CERTIFICATE, opened
from graphtape.server.tls.truststore import truststore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from graphtape.server.tls.issuer import Issuer, Leaf
    from graphtape.server.tls.name import Name

_HOSTS: Final = 256
"""Contexts kept for hosts; a name has a subtree of others below it."""

_IN_PLACE_OF_ROOTS: Final = {
    "SSL_CERT_FILE": ("SSL_CERT_FILE",),
    "REQUESTS_CA_BUNDLE": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    "CURL_CA_BUNDLE": ("CURL_CA_BUNDLE", "SSL_CERT_FILE"),
}
"""Variables that name all the roots, each with those its readers go by; the first that is set."""

_BESIDE_ROOTS: Final = "NODE_EXTRA_CA_CERTS"
"""What it names is trusted besides Node's own roots."""


@dataclass(slots=True, kw_only=True, eq=False)
class Authority:
    """The local CA.

    All of its methods read or write files, and belong before the loop or in a thread. The contexts
    it gives don't, but once where a machine slept for weeks.

    Attributes:
        folder: Where its files lie.
    """

    folder: Path
    _issuer: Issuer
    _say: Callable[[str], None]
    _clock: Callable[[], datetime]
    _hosts: dict[Name, LeafContext] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(
        cls,
        folder: Path | None = None,
        *,
        say: Callable[[str], None],
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Open the CA, or make it where there is none yet.

        Args:
            folder: Its own; None for `ca` in the user's data folder.
            say: Told what the user should know, a line each; perhaps from another thread.
            clock: The time, with its zone.

        Raises:
            AuthorityError: Its files are broken or open to others, or can't be written.
        """
        place = folder.absolute() if folder is not None else default_folder()
        with translated(place):
            issuer = opened(place, LOOPBACK, now=clock(), say=say)
        return cls(folder=place, _issuer=issuer, _say=say, _clock=clock)

    @property
    def certificate(self) -> Path:
        """The CA's certificate, as PEM."""
        return self.folder / CERTIFICATE

    @property
    def ends(self) -> datetime:
        """From when on clients refuse it."""
        return self._issuer.certificate.not_valid_after_utc

    @property
    def permitted(self) -> tuple[str, ...]:
        """What it may sign for: DNS names, with all below them, and addresses."""
        return tuple(sorted(map(str, self._issuer.permitted)))

    def permit(self, names: Collection[str]) -> None:
        """Let it sign for further names, from now on: its certificate is made anew, and it is said.

        Raises:
            UsageError: A text is no name.
            AuthorityError: The certificate can't be written.
        """
        self._permit(served_names(names))

    def _permit(self, names: Collection[Name]) -> None:
        if outside(names, self._issuer.permitted):
            with translated(self.folder):
                self._issuer = opened(self.folder, names, now=self._clock(), say=self._say)

    def server_context(self, names: Collection[str] = ()) -> ssl.SSLContext:
        """Make a context for the data port, for loopback and the names given.

        It speaks TLS 1.2 and 1.3 and HTTP/1.1, and renews its leaf by itself.

        Args:
            names: Hosts and addresses, `*.` allowed; those the CA may not sign for yet are
                permitted to it.

        Raises:
            UsageError: A text is no name.
            AuthorityError: The certificate can't be written.
        """
        served = served_names(names)
        self._permit(served)
        return self._context(served).context

    def context_for(self, host: str) -> ssl.SSLContext:
        """Return the context for a host that a client means to reach through the proxy.

        Made once for each, in some milliseconds and with a file: in a thread, from the loop.

        Raises:
            RequestError: It is no name, or none the CA was permitted to sign for; a client's wish
                doesn't make it one.
        """
        try:
            name = name_of(host)
        except UsageError as exc:
            raise RequestError(str(exc), code="GraphtapeOrigin") from exc
        if outside([name], self._issuer.permitted):
            raise RequestError(
                f"the local CA signs for {', '.join(self.permitted)}, and not for {host!r}; name "
                "it with --tls-name",
                status=403,
                code="GraphtapeForeignHost",
            )
        with self._making:
            if name not in self._hosts:
                while len(self._hosts) >= _HOSTS:
                    del self._hosts[next(iter(self._hosts))]
                self._hosts[name] = self._context((name,))
            return self._hosts[name].context

    def _context(self, names: tuple[Name, ...]) -> LeafContext:
        def leaf() -> Leaf:
            now = self._clock()
            if now > self.ends - CA_MARGIN:  # at start it had more: the proxy has run for months
                with translated(self.folder):
                    self._issuer = opened(self.folder, names, now=now, say=self._say)
            return self._issuer.leaf(names, now=now)

        return LeafContext(leaf, clock=self._clock, say=self._say)

    def bundle(self, base: str | None = None) -> Path:
        """Return a file of the CA and the roots trusted besides; up to date as of this call.

        Args:
            base: A file or folder of roots, in place of what SSL_CERT_FILE names and, where it
                is unset, of the public roots.

        Raises:
            AuthorityError: It can't be read or written.
        """
        with translated(self.folder):
            roots = base or os.environ.get("SSL_CERT_FILE")
            return bundle_at(self.folder, roots, say=self._say)

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that make clients trust the CA, each over what it names already.

        Args:
            environ: The user's; where he runs on a bundle of ours, it stays over the same roots.

        Raises:
            AuthorityError: A bundle can't be read or written.
        """
        variables: dict[str, str] = {}
        with translated(self.folder):
            for name, read in _IN_PLACE_OF_ROOTS.items():
                base = next((environ[each] for each in read if environ.get(each)), None)
                variables[name] = str(bundle_at(self.folder, base, say=self._say))
            own = beneath(self.folder, environ.get(_BESIDE_ROOTS))
            bundle = bundle_at(self.folder, own, say=self._say) if own else self.certificate
        return {**variables, _BESIDE_ROOTS: str(bundle)}

    def write_truststore(self, path: Path) -> None:
        """Write what `bundle` holds as a PKCS#12 truststore, for Java.

        Raises:
            UsageError: It can't be written.
            AuthorityError: The bundle can't be.
        """
        roots = blocks_of(self.bundle().read_bytes())
        try:
            files.check_place(path)
            replace(path, truststore(self._issuer.certificate, roots))
        except OSError as exc:
            raise UsageError(
                f"can't write {str(path)!r} ({exc.strerror}); name a file in a folder that can be "
                "written"
            ) from exc
