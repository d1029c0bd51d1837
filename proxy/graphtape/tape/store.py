"""Cassettes on disk: opened with a clear word when they can't be, replaced whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from graphtape import files
from graphtape.core.errors import CassetteError, NotAFileError
from graphtape.tape.vcr_format import Cassette, Metadata, dump, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from graphtape.core.message import Interaction
    from graphtape.tape.formats.exchange import Found
    from graphtape.tape.long_body import WithLongBodies
    from graphtape.tape.progress import Progress

_JSON_SUFFIX: Final = ".json"
LARGE: Final = 256 * 1024
"""Bytes of a cassette from which on it is compiled: below, it is read as fast."""

_HAR_SUFFIX: Final = ".har"
_LONGEST_NAME = 200


def open_cassette(path: Path, *, progress: Progress | None = None) -> Cassette:
    """Read a cassette file; `.json` as JSON, `.har` as HAR, any other as YAML.

    Args:
        path: Of the file.
        progress: As for `vcr_format.load`; and, however it ends, that it is over.

    Raises:
        CassetteError: It is missing, can't be read, or isn't a cassette.
    """
    if _is_har(path):
        from graphtape.tape.formats import har  # noqa: PLC0415 - few cassettes are

        return har.load(named_content(path), name=str(path))
    try:
        return load(cassette_bytes(path), name=str(path), json=_is_json(path), progress=progress)
    finally:
        if progress is not None:
            progress(1, 1)


def cassette_bytes(path: Path) -> bytes:
    """Read a cassette file as it is.

    Raises:
        CassetteError: It is missing or can't be read.
    """
    missing = f"no such cassette; record it first with `graphtape record {path}`"
    return _content(path, missing=missing)


def is_yaml(path: Path) -> bool:
    """Tell whether a cassette of this name is read as YAML."""
    return not (_is_json(path) or _is_har(path))


def is_large(path: Path) -> bool:
    """Tell whether a cassette is worth compiling; what can't be read isn't."""
    try:
        return is_yaml(path) and path.is_file() and path.stat().st_size >= LARGE
    except OSError:
        return False  # `open_cassette` says why


def open_har(path: Path) -> Found:
    """Read a HAR file, whatever its suffix.

    Raises:
        CassetteError: It is missing, can't be read, or isn't HAR.
    """
    from graphtape.tape.formats import har  # noqa: PLC0415 - few cassettes are

    return har.read(named_content(path), name=str(path))


def named_content(path: Path) -> bytes:
    """Read a file that a user names, whatever is in it.

    Raises:
        CassetteError: It is missing, or can't be read.
    """
    return _content(path, missing="no such file; check the path")


def _content(path: Path, *, missing: str) -> bytes:
    try:
        return files.content(path)
    except FileNotFoundError as exc:
        raise CassetteError(f"{path}: {missing}") from exc
    except OSError as exc:
        raise _not_a_file(path, exc) from exc


def check_file(path: Path) -> None:
    """See that a cassette can be at a path, or be made there.

    Raises:
        NotAFileError: Something else is there.
    """
    try:
        files.check_place(path)
    except OSError as exc:
        raise _not_a_file(path, exc) from exc


def _not_a_file(path: Path, exc: OSError) -> NotAFileError:
    if files.is_folder(path):
        return NotAFileError(f"{path}: is a folder; name a cassette file in it")
    name = str(path).replace("\0", r"\0")
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:80]}…"
    return NotAFileError(f"{shown}: can't be read ({exc.strerror}); check the path")


def save_cassette(
    path: Path,
    interactions: Iterable[Interaction | WithLongBodies],
    *,
    metadata: Metadata | None,
    other_metadata: Mapping[str, object] | None = None,
) -> None:
    """Write a cassette, so that at every moment the file is the whole old or the whole new one.

    Args:
        path: Its folder is made; an existing file keeps its mode, a link what it points at.
        interactions: In tape order, clean of secrets.
        metadata: As for `vcr_format.dump`.
        other_metadata: As for `vcr_format.dump`.

    Raises:
        CassetteError: It can't be written; what was there before is still there.
    """
    check_file(path)
    if _is_json(path):
        raise CassetteError(
            f"{path}: JSON cassettes are read, not written; name it {path.with_suffix('.yaml')}"
        )
    if _is_har(path):
        raise CassetteError(
            f"{path}: HAR files are read, not written; make a cassette of it with "
            f"`graphtape convert {path} {path.with_suffix('.yaml')}`"
        )
    pieces = dump(interactions, metadata=metadata, other_metadata=other_metadata)
    try:
        replace_file(path, pieces)
    except OSError as exc:
        raise CassetteError(
            f"{path}: can't be written ({exc.strerror}); check folder, rights and free space"
        ) from exc


def part_path(cassette: Path) -> Path:
    """Name the append file of a cassette: beside the file itself, not beside a link to it."""
    target = files.real(cassette)
    return target.with_name(f"{target.name}.part")


def replace_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Put `pieces`, one after the other, in a file's place, durably, or leave it as it was.

    Raises:
        OSError: Nothing changed.
    """
    # os.replace would put a file in the link's own place.
    target = files.real(path)
    files.check_place(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, since a rename is atomic only within a file system; hidden, since
    # cassettes are found by their suffix.
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        # Not tempfile: its files are 0600, and the umask can't be asked for without setting it.
        with draft.open("xb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            draft.chmod(stat.S_IMODE(target.stat().st_mode))
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename durable where the platform can: Windows opens no folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    # The file is in place; a file system that can't do this either is no reason to fail.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == _JSON_SUFFIX


def _is_har(path: Path) -> bool:
    return path.suffix.lower() == _HAR_SUFFIX
