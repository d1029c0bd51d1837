"""The file that a recording goes into: what it may be called, and what it may replace."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from graphtape import files
from graphtape.core.errors import CassetteError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_WRITTEN = frozenset({".yaml", ".yml"})
_INTERACTIONS = re.compile(rb"""(?m)^(?:\{\s*)?["']?interactions["']?\s*:""")
_EMPTY = b"\0 \t\r\n"
"""What a file may consist of and be empty all the same: NUL is what a power loss leaves."""


def check_name(path: Path) -> None:
    """See that a name is one of a YAML file.

    Raises:
        UsageError: It isn't: what is there is no cassette, or one that is only read.
    """
    if path.suffix.lower() not in _WRITTEN:
        yaml = path.with_suffix(".yaml") if path.name else path / "NAME.yaml"
        raise UsageError(
            f"{path}: only YAML cassettes are written, as .yaml or .yml; record into {yaml}"
        )


def check_replaceable(path: Path) -> None:
    """See that a file which can't be opened was a cassette once: nothing else is replaced.

    Raises:
        CassetteError: It is something else.
    """
    try:
        data = files.content(path)
    except OSError as exc:
        raise CassetteError(
            f"{path}: can't be read ({exc.strerror}), and mode all would replace it; record into "
            "another file"
        ) from exc
    text = data.removeprefix(codecs.BOM_UTF8).strip(_EMPTY)
    # A write that was cut short may have left less than the first key.
    if text and not _INTERACTIONS.search(text) and not b"interactions:".startswith(text):
        raise CassetteError(
            f"{path}: is no cassette, since nothing in it says `interactions`, and mode all would "
            "replace it; record into another file, or delete it first"
        )
