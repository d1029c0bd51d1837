"""One recording at a time for a cassette, between processes."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, SoftFileLock, Timeout

from graphtape import files
from graphtape.core.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 0.2
"""Seconds to wait for another: it may be just ending."""

# The lock itself lies on the first byte, which Windows lets nobody else read.
_NOTE_AT = 1
_held: set[Path] = set()
"""The lock files that this process holds; a number alone names another process in a container."""

_NOTE = re.compile(rb"pid ([0-9]+)")


def lock_path(cassette: Path) -> Path:
    """Name the lock file of a cassette: hidden beside the file, and there only while it is held.

    Not in a folder for temporary files: two users, hosts or containers that share the cassette
    each have their own.
    """
    target = files.real(cassette)
    return target.with_name(f".{target.name}.lock")


def held_here(cassette: Path) -> bool:
    """Tell whether this process records into a cassette."""
    return lock_path(cassette) in _held


@contextmanager
def locked(cassette: Path) -> Iterator[None]:
    """Keep other processes from recording into a cassette. Waits a moment: not for the loop.

    The system frees the lock of a process that is killed, and the next one takes its file over.

    Raises:
        CassetteError: Another one holds it.
        OSError: There can be no lock file; then there can be no append file either, in the same
            folder.
    """
    path = lock_path(cassette)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not per thread: a server may be stopped from another thread than it was started in.
    lock = FileLock(path, timeout=_PATIENCE, thread_local=False)
    try:
        lock.acquire(poll_interval=_PATIENCE / 4)
    except Timeout as exc:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "no lock file can be made", str(path)) from exc
        raise CassetteError(f"{cassette}: {_taken(path)}") from exc
    # Where a file system has no locks filelock falls back to a file that is one by being there.
    real = not isinstance(lock, SoftFileLock)
    try:
        if real:
            _sign(path)
        _held.add(path)
        yield
    finally:
        _held.discard(path)
        if real:
            # While the lock is still held: who opened the file before sees that it is gone. On
            # Windows filelock does it itself.
            with suppress(OSError):
                path.unlink()
        lock.release()


def _taken(path: Path) -> str:
    """Say who holds a lock, and what to do."""
    if path in _held:
        return (
            "another session of this proxy is recording into it; DELETE that one first, or name "
            "another file"
        )
    holder = _holder(path)
    who = f"another graphtape (process {holder})" if holder else "another graphtape"
    return f"{who} is recording into it; stop that one, or record into another file"


def _sign(path: Path) -> None:
    """Leave word who holds the lock; a name in a message isn't worth failing for."""
    with suppress(OSError), path.open("r+b", buffering=0) as file:
        file.seek(_NOTE_AT)
        file.write(b"pid %d\n" % os.getpid())
        file.truncate()


def _holder(path: Path) -> int | None:
    with suppress(OSError), path.open("rb", buffering=0) as file:
        file.seek(_NOTE_AT)
        note = _NOTE.match(file.read(64))
        return int(note[1]) if note else None
    return None
