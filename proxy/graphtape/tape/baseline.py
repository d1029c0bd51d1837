"""The findings a user has looked at and accepted, in a file that can be committed."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from graphtape import files
from graphtape.core.errors import UsageError
from graphtape.tape.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.tape.file_scan import LocatedFinding

BASELINE_FORMAT: Final = 1

# A longer digest would let a reader try a dictionary on it, and know when a guess is right. This
# one tells two values apart, and at most 16 bits of either.
_DIGEST_SIZE = 2
_KEY_SIZE = 16


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, order=True):
    """One accepted finding, or several of the same value in the same place of a file.

    Attributes:
        file: Relative to the baseline's folder, with `/`.
        place: As in `Finding`. Not the interaction: its index moves when others come and go.
        rule: As in `Finding`.
        digest: Keyed, of what the value is or stands in; hex.
    """

    file: str
    place: str
    rule: str
    digest: str


def is_baseline(path: Path) -> bool:
    """Tell whether a file is one, of whatever format; what can't be read isn't."""
    if path.suffix.lower() != ".json":
        return False
    try:
        msgspec.json.decode(files.content(path), type=_Mark)
    except (OSError, ValueError):  # msgspec's errors are some
        return False
    return True


class _Mark(msgspec.Struct):
    graphtape_baseline: int


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    graphtape_baseline: int
    key: str
    accepted: list[Accepted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Accepted findings.

    Attributes:
        path: The file.
        key: Of the digests, so that those of two baselines can't be compared.
        accepted: What it lists.
    """

    path: Path
    key: bytes
    accepted: frozenset[Accepted] = frozenset()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a baseline.

        Raises:
            UsageError: It is missing, or isn't one.
        """
        try:
            file = msgspec.json.decode(files.content(path), type=_File)
            key = bytes.fromhex(file.key)
        except OSError as exc:
            raise UsageError(
                f"{path}: can't be read ({exc.strerror}); write it first with --write-baseline"
            ) from exc
        except ValueError as exc:  # msgspec's errors are some
            raise UsageError(
                f"{path}: not a baseline ({exc}); write it with --write-baseline"
            ) from exc
        if file.graphtape_baseline != BASELINE_FORMAT:
            raise UsageError(
                f"{path}: found format {file.graphtape_baseline}, this Graphtape reads "
                f"{BASELINE_FORMAT}; write it anew with --write-baseline"
            )
        return cls(path=path, key=key, accepted=frozenset(file.accepted))

    @classmethod
    def begin(cls, path: Path) -> Self:
        """Make an empty baseline for a file; the key of one that is there stays, for small diffs.

        Raises:
            UsageError: The file is there and isn't a baseline.
        """
        key = cls.load(path).key if path.exists() else secrets.token_bytes(_KEY_SIZE)
        return cls(path=path, key=key)

    def entry(self, file: Path, located: LocatedFinding) -> Accepted:
        """Return what a finding is listed as."""
        digest = blake2b(located.around, key=self.key[:64], digest_size=_DIGEST_SIZE)
        return Accepted(
            file=self.name(file),
            place=located.finding.place,
            rule=located.finding.rule,
            digest=digest.hexdigest(),
        )

    def name(self, file: Path) -> str:
        """Name a file as entries do: the same from whichever folder the scan is run."""
        real, folder = files.real(file), files.real(self.path).parent
        try:
            return Path(os.path.relpath(real, folder)).as_posix()
        except ValueError:  # on Windows, another drive
            return real.as_posix()

    def write(self, accepted: Iterable[Accepted]) -> None:
        """Write the file with other entries, atomically.

        Raises:
            UsageError: It can't be written.
        """
        file = _File(
            graphtape_baseline=BASELINE_FORMAT, key=self.key.hex(), accepted=sorted(set(accepted))
        )
        text = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
        try:
            replace_file(self.path, [text])
        except OSError as exc:
            raise UsageError(
                f"{self.path}: can't be written ({exc.strerror}); check folder and rights"
            ) from exc
