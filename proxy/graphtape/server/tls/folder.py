"""The folder the CA lies in: for its owner alone, its files replaced whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs
from filelock import FileLock, Timeout

from graphtape.server.tls.error import AuthorityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_PUBLIC_FILE: Final = 0o644
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_PATIENCE: Final = 30.0
"""Seconds to wait for another process that makes the CA."""

_MODES = sys.platform != "win32"
"""Whether modes say who may read; on Windows the user's profile is the user's by inheritance."""


def default_folder() -> Path:
    """Return the CA's folder below the user's data folder; GRAPHTAPE_DATA_DIR moves that one."""
    given = os.environ.get("GRAPHTAPE_DATA_DIR")
    data = Path(given) if given else platformdirs.user_data_path("graphtape", appauthor=False)
    return data.absolute() / "ca"


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into one line."""
    try:
        yield
    except OSError as exc:
        what = f"{exc.filename or folder}: {exc.strerror or exc}"
        raise AuthorityError(
            f"can't use the local CA's folder ({what}); set GRAPHTAPE_DATA_DIR to a folder of "
            "yours that can be written"
        ) from exc


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Make the folder, and keep other processes from changing what lies in it.

    Raises:
        AuthorityError: Another one holds on to it.
        OSError: It can't be made or written.
    """
    folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout as exc:
        raise AuthorityError(
            f"{folder}: another graphtape has been changing the local CA for {_PATIENCE:.0f} s; "
            "stop that one"
        ) from exc
    try:
        yield
    finally:
        lock.release()


def replace(path: Path, data: bytes, *, private: bool = False) -> None:
    """Put `data` in a file's place, whole or not at all; nobody else ever reads a private one.

    Raises:
        OSError: Nothing changed.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    mode = _PRIVATE_FILE if private else _PUBLIC_FILE
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        # Not written and then narrowed: it could be read in between.
        with os.fdopen(os.open(draft, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def keep_private(key: Path, *, say: Callable[[str], None]) -> None:
    """Take the rights of others on the key and its folder away, and say so.

    Raises:
        AuthorityError: They can't be taken away.
        OSError: There is no such file.
    """
    if not _MODES:
        return
    if _narrowed(key.parent, _OTHERS_WRITE, _PRIVATE_FOLDER):
        say(f"{key.parent} could be written by others; now it is yours alone")
    if _narrowed(key, _OTHERS, _PRIVATE_FILE):
        say(
            f"the local CA's key {key} could be read by others; now it can't. If one of them may "
            f"have read it, delete {key.parent}: a new CA is made"
        )


def _narrowed(path: Path, forbidden: int, mode: int) -> bool:
    """Set a mode where one allows what is forbidden; say whether it did."""
    if not stat.S_IMODE(path.stat().st_mode) & forbidden:
        return False
    try:
        path.chmod(mode)
        refused = ""
    except OSError as exc:
        refused = exc.strerror or str(exc)
    if refused or stat.S_IMODE(path.stat().st_mode) & forbidden:
        reason = refused or "its file system keeps no modes"
        raise AuthorityError(
            f"{path} is open to other users, and can't be closed to them ({reason}): chmod it to "
            f"{mode:o}, or set GRAPHTAPE_DATA_DIR to a folder of yours"
        )
    return True
