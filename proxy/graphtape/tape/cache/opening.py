"""A cassette opened to be played: from its compiled form where there is one."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape import __version__
from graphtape.core.redaction import Redactor
from graphtape.tape.cache.compiler import Compiler, salt_digest
from graphtape.tape.cache.folder import FORMAT, Folder
from graphtape.tape.loaded import Loaded
from graphtape.tape.store import cassette_bytes, is_large
from graphtape.tape.vcr_format import Cassette, Metadata, load, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.matching.key import MatchOptions
    from graphtape.core.redaction import Policy
    from graphtape.tape.cache.compiled import Compiled

_READING = 4
_PARTS = 5
"""How much of the time reading takes; making the keys takes the rest."""

_SALT_VARIABLE = "GRAPHTAPE_SALT"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Play:
    """How a cassette is to be played; attributes as the arguments of `load_compiled`."""

    path: Path
    name: str
    policy: Policy
    salt: Callable[[Metadata | None], str]
    options: MatchOptions
    progress: Callable[[int, int], None]

    def redactor(self, salt: str) -> Redactor:
        return Redactor(salt=salt, policy=self.policy)


def load_compiled(
    path: Path,
    *,
    name: str,
    policy: Policy,
    salt: Callable[[Metadata | None], str],
    options: MatchOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Loaded | None:
    """Open a large YAML cassette to be played: it is compiled, and opens at once afterwards.

    None where it isn't worth compiling, or can't be looked at.

    Args:
        path: Of the cassette.
        name: What messages call it.
        policy: What is redacted before matching.
        salt: Returns the cassette's own salt, that of `GRAPHTAPE_SALT`, or a new one, in whose
            place the one it was compiled with is used.
        options: What takes part in matching.
        progress: Told how much is done of how much, in no unit of its own; and, however it ends,
            that it is over.

    Raises:
        CassetteError: It is missing, can't be read, or isn't a cassette.
    """
    play = _Play(
        path=path, name=name, policy=policy, salt=salt, options=options,
        progress=progress or (lambda _done, _total: None),
    )  # fmt: skip
    content = _content(path)
    if content is None:
        return None
    folder = Folder.of_user()
    kept = folder.find(_identity(content, play))
    try:
        if kept is None:
            return _compile(play, folder, play.salt)
        asked = salt(kept.head.metadata)
        used = kept.head.made_up_salt or asked
        if salt_digest(used) == kept.head.salt_digest:
            return _opened(kept, play, used)
        return _compile(play, folder, lambda _: asked)
    finally:
        play.progress(1, 1)


def _compile(play: _Play, folder: Folder, salt: Callable[[Metadata | None], str]) -> Loaded:
    data = cassette_bytes(play.path)
    # Of what is read now: the file may have changed since it was looked for.
    identity = _identity(blake2b(data).digest(), play)
    about, compiler = _read(data, play)
    del data  # as large as what follows
    used = salt(about.metadata)
    compiled = compiler.compiled(
        about,
        redactor=play.redactor(used),
        options=play.options,
        made_up_salt=used if _is_made_up(about.metadata) else "",
        progress=lambda done, total: play.progress(_READING * total + done, _PARTS * total),
    )
    folder.keep(identity, compiled)
    return _opened(compiled, play, used)


def _read(data: bytes, play: _Play) -> tuple[Cassette, Compiler]:
    compiler = Compiler()
    about = stream(
        data,
        compiler.add,
        name=play.name,
        progress=lambda done, total: play.progress(_READING * done, _PARTS * total),
    )
    if about is None:
        about, compiler = load(data, name=play.name), Compiler()
        for interaction in about.interactions:
            compiler.add(interaction)
    return about, compiler


def _opened(compiled: Compiled, play: _Play, salt: str) -> Loaded:
    head = compiled.head
    return Loaded(
        recording=compiled.recording(
            name=play.name, redactor=play.redactor(salt), options=play.options
        ),
        metadata=head.metadata,
        edited=head.edited,
    )


def _content(path: Path) -> bytes | None:
    """Digest a file that is worth compiling; None where it isn't, or can't be read."""
    if not is_large(path):
        return None
    try:
        with path.open("rb") as file:
            return file_digest(file, blake2b).digest()
    except OSError:
        return None  # who reads it says why


def _identity(content: bytes, play: _Play) -> bytes:
    """Digest all that a compiled tape depends on.

    Of a salt from the environment as well: what it was stays out of the name and out of the file.
    """
    salt = os.environ.get(_SALT_VARIABLE, "")
    whole = blake2b(content, digest_size=32)
    for part in (FORMAT, sys.byteorder, __version__, _code(), salt, play.policy, play.options):
        whole.update(blake2b(repr(part).encode("utf-8", "surrogatepass")).digest())
    return whole.digest()


@cache
def _code() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when Graphtape is changed in place, under one version."""
    root = Path(__file__).parents[2]
    files = sorted(file for part in ("core", "tape") for file in (root / part).rglob("*.py"))
    found = ((file, file.stat()) for file in files)
    return tuple((str(file.relative_to(root)), s.st_size, s.st_mtime_ns) for file, s in found)


def _is_made_up(metadata: Metadata | None) -> bool:
    return not (metadata is not None and metadata.salt) and not os.environ.get(_SALT_VARIABLE)
