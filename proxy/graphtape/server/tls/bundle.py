"""Bundles: the CA, and the roots a client trusts besides, in one file."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import certifi

from graphtape.server.tls.folder import replace
from graphtape.server.tls.store import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", re.ASCII)
# Text outside the blocks is a comment to whoever reads PEM (RFC 7468 section 2).
_NOTE: Final = b"# Graphtape's CA, then the roots of: "
_PUBLIC: Final = b"the public"

_SYSTEM: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def bundle_at(folder: Path, base: str | None, *, say: Callable[[str], None]) -> Path:
    """Write the bundle of a CA over other roots, where it isn't written yet.

    Args:
        folder: The CA's.
        base: What the user's own variable names: a file of roots, a folder of such, or one of our
            bundles, which then stays over the same roots. None for the public roots: certifi's,
            and the system's, where a company keeps its own.
        say: Told where `base` is no help.

    Raises:
        OSError: It can't be written.
    """
    base = beneath(folder, base)
    roots = list(_own_roots(Path(base))) if base is not None else []
    if base is not None and not roots:
        say(f"{base!r} holds no certificates; the bundle has the public roots instead")
        base = None
    path = folder / ("bundle.pem" if base is None else f"bundle-{_digest(base)}.pem")
    note = _NOTE + (_PUBLIC if base is None else base.encode("utf-8", "surrogateescape"))
    own = blocks_of((folder / CERTIFICATE).read_bytes())
    blocks = dict.fromkeys([*own, *(roots or public_roots())])
    data = b"\n".join([note, *blocks, b""])
    # Compared whole each time: certifi is updated, and so is the system.
    if not path.is_file() or path.read_bytes() != data:
        replace(path, data)
    return path


def public_roots() -> Iterator[bytes]:
    """Return certifi's roots and the system's, as PEM."""
    yield from blocks_of(Path(certifi.where()).read_bytes())
    for place in (ssl.get_default_verify_paths().openssl_cafile, *_SYSTEM):
        if (file := Path(place)).is_file():
            yield from blocks_of(file.read_bytes())
            return


def beneath(folder: Path, base: str | None) -> str | None:
    """Return what a bundle of ours was made over, where `base` is one; else `base`."""
    if not base:
        return None
    # The variable may be read in another folder than this one.
    path = Path(base).absolute()
    if path.parent.resolve() != folder.resolve():
        return str(path)
    if not path.is_file() or path.name == CERTIFICATE:
        return None
    first = path.read_bytes().partition(b"\n")[0].removeprefix(_NOTE)
    return None if first == _PUBLIC else first.decode("utf-8", "surrogateescape")


def _own_roots(place: Path) -> Iterator[bytes]:
    files: Iterable[Path] = sorted(place.iterdir()) if place.is_dir() else [place]
    for file in files:
        if file.is_file():
            yield from blocks_of(file.read_bytes())


def blocks_of(pem: bytes) -> list[bytes]:
    """Return the certificates of a PEM file, each as it stands there."""
    return [block.replace(b"\r\n", b"\n") for block in _BLOCK.findall(pem)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
