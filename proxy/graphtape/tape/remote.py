"""Cassettes that are named by a URL: read once, and kept by what they hold."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from hashlib import blake2b
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from graphtape.core.errors import CassetteError, UsageError
from graphtape.tape.store import replace_file

if TYPE_CHECKING:
    from pathlib import Path
    from urllib.parse import SplitResult

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://", re.ASCII)
_DRIVERS: Final = {
    "s3": "s3fs",
    "az": "adlfs",
    "gs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
_MOST_KEPT: Final = 32
_LONGEST_NAME: Final = 100


def is_url(name: str) -> bool:
    """Tell whether a cassette's name is a URL."""
    return _URL.match(name) is not None


def shown(url: str) -> str:
    """Return a URL as messages and reports name it: what may grant access is left out."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def fetched(url: str, folder: Path) -> Path:
    """Read a cassette from where a URL says, and keep it. Works on files: not for the loop.

    Args:
        url: As fsspec takes it.
        folder: Of what is kept; it is made.

    Returns:
        A file whose name ends as that in the URL, with the digest of what it holds before it.

    Raises:
        CassetteError: It is missing or can't be read.
        UsageError: Its scheme is another one, or what reads it isn't installed.
    """
    data = _content(url)
    name = re.sub(r"[^A-Za-z0-9._-]", "-", urlsplit(url).path.rpartition("/")[2])
    digest = blake2b(data, digest_size=16).hexdigest()
    path = folder / f"{digest}-{name[-_LONGEST_NAME:]}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            replace_file(path, [data])
            path.chmod(0o600)
        os.utime(path)
        _prune(folder)
    except OSError as exc:
        raise CassetteError(
            f"{shown(url)}: can't be kept in {folder} ({exc.strerror}); set GRAPHTAPE_CACHE_DIR to "
            "a folder that can be written"
        ) from exc
    return path


def _content(url: str) -> bytes:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    driver = _DRIVERS.get(scheme)
    if driver is None:
        known = ", ".join(f"{each}://" for each in _DRIVERS)
        raise UsageError(f"{shown(url)}: cassettes are read from {known}; download it first")
    try:
        import fsspec  # noqa: PLC0415 - few cassettes are remote

        with fsspec.open(url, "rb") as file:
            data: bytes = file.read()
    except ImportError as exc:
        missing = "fsspec" if exc.name == "fsspec" else f"fsspec with {driver}"
        raise UsageError(
            f"{shown(url)}: {missing} reads it and isn't installed; pip install 'graphtape[remote]'"
        ) from exc
    except Exception as exc:  # each driver has errors of its own
        why = _cause(exc)
        if isinstance(why, FileNotFoundError):
            raise CassetteError(f"{shown(url)}: no such cassette; check the URL") from exc
        raise CassetteError(
            f"{shown(url)}: can't be read ({_reason(why, parts)}); check the URL, the rights and "
            "the network"
        ) from exc
    return data


def _cause(exc: Exception) -> BaseException:
    """Return what went wrong: over HTTP, fsspec says of anything that there is no such file."""
    cause = exc.__cause__
    over_http = cause is not None and type(cause).__module__.startswith("aiohttp")
    if cause is None or not over_http or getattr(cause, "status", None) == HTTPStatus.NOT_FOUND:
        return exc
    return cause


def _reason(exc: BaseException, parts: SplitResult) -> str:
    """Say what went wrong in a line, without what may grant access."""
    text = " ".join(str(exc).split())
    for secret in (parts.query, parts.netloc.rpartition("@")[0], parts.password or ""):
        if secret:
            text = text.replace(secret, "…")
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


def _prune(folder: Path) -> None:
    """Forget those that were asked for longest ago."""
    with suppress(OSError):  # another process prunes as well
        found = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
        for path in found[_MOST_KEPT:]:
            path.unlink(missing_ok=True)
