"""The user's cache folder: compiled tapes kept in it, believed only where they are whole.

Nothing here fails: what can't be read is compiled again, what can't be written isn't kept.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec
import platformdirs
from msgspec import msgpack

from graphtape.tape.cache.compiled import Compiled, Head

log = logging.getLogger("graphtape")

FORMAT: Final = b"graphtape tape 2\n"
"""Stands first in a file; its number goes up with each change to what follows."""

_CHECKSUM: Final = 32
_LENGTH: Final = 8
_SUFFIX: Final = ".tape"
_DRAFT_SUFFIX: Final = ".draft"
_MOST_FILES: Final = 32
_MOST_BYTES: Final = 1024**3
_DRAFT_LIFETIME: Final = 3600.0  # seconds; a draft that old was left by a process that died
_HEAD: Final = msgpack.Decoder(Head)


class _DamagedError(Exception):
    """A file isn't what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where compiled tapes are kept; safe to delete at any time.

    Attributes:
        path: Needn't exist.
    """

    path: Path

    @classmethod
    def of_user(cls) -> Folder:
        """Return `GRAPHTAPE_CACHE_DIR`, or where the platform keeps caches."""
        named = os.environ.get("GRAPHTAPE_CACHE_DIR")
        if named:
            return cls(path=Path(named))
        return cls(path=Path(platformdirs.user_cache_dir("graphtape", appauthor=False)))

    def find(self, identity: bytes) -> Compiled | None:
        """Return what was kept under an identity; None where nothing is, or it is damaged."""
        path = self._file(identity)
        try:
            data = _own_bytes(path)
            compiled = _read(data, identity)
        except FileNotFoundError:
            return None
        except (OSError, _DamagedError, msgspec.MsgspecError) as exc:
            log.debug("%s: not used, the cassette is read instead: %s", path, exc)
            return None
        with suppress(OSError):
            os.utime(path)  # so that what is in use is pruned last
        return compiled

    def keep(self, identity: bytes, compiled: Compiled) -> None:
        """Keep a compiled tape; of several writers of one, any is as good as another."""
        path = self._file(identity)
        draft = path.with_name(f"{path.stem}.{secrets.token_hex(4)}{_DRAFT_SUFFIX}")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write(draft, identity, compiled)
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            self._prune()
        except (OSError, OverflowError, ValueError) as exc:
            # msgpack holds no more than 4 GiB in a value.
            log.debug("%s: not kept: %s", path, exc)

    def _file(self, identity: bytes) -> Path:
        return self.path / f"{identity.hex()}{_SUFFIX}"

    def _prune(self) -> None:
        """Remove the least recently used where there is too much, and drafts of dead processes."""
        kept: list[tuple[float, int, Path]] = []
        for path in self.path.iterdir():
            if path.suffix not in {_SUFFIX, _DRAFT_SUFFIX}:
                continue
            with suppress(FileNotFoundError):  # another process prunes as well
                found = path.lstat()
                if path.suffix == _SUFFIX:
                    kept.append((found.st_mtime, found.st_size, path))
                elif found.st_mtime < time.time() - _DRAFT_LIFETIME:
                    path.unlink()
        kept.sort(reverse=True)
        sizes = accumulate(size for _, size, _ in kept)
        for number, (size, (_, _, path)) in enumerate(zip(sizes, kept, strict=True)):
            if number and (number >= _MOST_FILES or size > _MOST_BYTES):
                path.unlink(missing_ok=True)


def _own_bytes(path: Path) -> bytes:
    """Read a file that nobody else can have written.

    Raises:
        OSError: It can't be read.
        _DamagedError: It isn't the user's own.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | _NO_LINKS)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _DamagedError("it is no regular file")
        if hasattr(os, "geteuid") and (
            found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise _DamagedError("others can write it")
        return file.read()


# Neither is known on Windows. Without the second, opening a pipe would wait for its writer.
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _write(draft: Path, identity: bytes, compiled: Compiled) -> None:
    head = msgpack.encode(compiled.head)
    length = len(head).to_bytes(_LENGTH, "little")
    checksum = _checksum(identity, length, head, compiled.buffer)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(draft, flags, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
        # Not synced: what a crash of the machine leaves of it shows in the checksum.
        file.writelines((FORMAT, checksum, length, head, compiled.buffer))


def _read(data: bytes, identity: bytes) -> Compiled:
    if not data.startswith(FORMAT):
        raise _DamagedError("it is of another format")
    rest = memoryview(data)[len(FORMAT) :]
    checksum, rest = rest[:_CHECKSUM], rest[_CHECKSUM:]
    # Before anything is read from it.
    if checksum != _checksum(identity, rest):
        raise _DamagedError("its checksum is wrong")
    end = _LENGTH + int.from_bytes(rest[:_LENGTH], "little")
    head = _HEAD.decode(rest[_LENGTH:end])
    buffer = rest[end:]
    if len(buffer) != head.size:
        raise _DamagedError(f"it holds {len(buffer)} bytes of interactions, not {head.size}")
    return Compiled(head=head, buffer=buffer)


def _checksum(*parts: bytes | memoryview) -> bytes:
    whole = blake2b(digest_size=_CHECKSUM)
    for part in parts:
        whole.update(part)
    return whole.digest()
