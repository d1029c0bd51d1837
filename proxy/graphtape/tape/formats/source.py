"""A file of another tool, and the files beside it that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape import files
from graphtape.core.errors import NotAFileError
from graphtape.tape.formats.exchange import LeftOutError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is converted.

    Attributes:
        name: What messages call it.
        path: Of the file, or of the folder of files.
        data: The whole file; empty of a folder.
    """

    name: str
    path: Path
    data: bytes = b""

    def beside(self, name: str, *folders: Path) -> bytes:
        """Read a file that this one names, in the first of the folders that has it.

        Args:
            name: Relative; it may not lead out of the folder.
            folders: Where it may be; the folder of this file unless said.

        Raises:
            LeftOutError: It isn't there, or can't be read.
        """
        for folder in folders or (self.path.parent,):
            path = folder / name.replace("\\", "/")
            root = files.real(folder)
            if files.real(path).is_relative_to(root):
                try:
                    return files.content(path)
                except FileNotFoundError:
                    continue
                except OSError as exc:
                    raise LeftOutError(
                        f"its body is in a file that can't be read ({exc.strerror})"
                    ) from exc
        raise LeftOutError("its body is in a file that isn't there")


def parts(path: Path) -> list[Path]:
    """List the JSON files of a folder of mocks, or of its own folder `mappings`, by name.

    Raises:
        NotAFileError: There are none, or it can't be listed.
    """
    inside = path / "mappings"
    folder = inside if files.is_folder(inside) else path
    try:
        found = sorted(each for each in folder.rglob("*.json") if not files.is_folder(each))
    except OSError as exc:
        raise NotAFileError(f"{folder}: can't be listed ({exc.strerror}); check the path") from exc
    if not found:
        raise NotAFileError(
            f"{path}: is a folder, and no JSON file is in it; name a file, or WireMock's root"
        )
    return found
