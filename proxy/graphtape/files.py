"""Files that a user names: read where they are regular files, else refused with the reason.

A named pipe or a device would be waited for without end.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check(path: Path) -> None:
    """See that a path is a regular file's, or leads to one.

    Raises:
        FileNotFoundError: Nothing is there.
        OSError: Something else is there, or nothing can be; its `strerror` says what.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as exc:
        raise OSError(errno.EINVAL, "its name holds a NUL") from exc
    if not stat.S_ISREG(mode):
        kind = next((name for fits, name in _KINDS if fits(mode)), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")


def check_place(path: Path) -> None:
    """See that a regular file is at a path, or nothing yet.

    Raises:
        OSError: As from `check`.
    """
    with suppress(FileNotFoundError, NotADirectoryError):  # writing says what a folder lacks
        check(path)


def content(path: Path) -> bytes:
    """Read a regular file.

    Raises:
        FileNotFoundError: Nothing is there.
        OSError: As from `check`, or it can't be read.
    """
    try:
        check(path)
    except FileNotFoundError as exc:
        if path.is_symlink():
            raise OSError(errno.EINVAL, "it is a link to what isn't there") from exc
        raise
    return path.read_bytes()


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder's; one that can't be looked at isn't."""
    try:
        return path.is_dir()
    except OSError:  # a name too long
        return False


def real(path: Path) -> Path:
    """Return a path without links; a loop of links stays. `Path.resolve` raises at one."""
    return Path(os.path.realpath(path))
