"""Read the secret-bearing names out of Graph's own model, for `core.redaction.graph_names`.

    pip install msgraph-sdk msgraph-beta-sdk
    python tools/graph_names.py

It writes that module anew: names that were classified keep their class, a new one gets
`Kind.UNCLASSIFIED`, and the test of the module fails until somebody has looked at it.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MODULE = Path(__file__).parents[1] / "proxy/graphtape/core/redaction/graph_names.py"
PACKAGES = {"msgraph-sdk": "msgraph", "msgraph-beta-sdk": "msgraph_beta"}

# As kiota writes them: the field's name in JSON, and how its value is read.
_FIELD = re.compile(
    r'^ {12}"([^"]+)": lambda n : setattr\(self, \'\w+\', n\.'
    r"(?:get_str_value\(\)|get_bytes_value\(\)|get_collection_of_primitive_values\((?:str|bytes)\))",
    re.MULTILINE,
)
_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_STEM = re.compile(
    r"passw(?:or)?d|pwd|secret|key|token|\bpin|pin\b|Pin|passcode|passphrase|psk|credential|code"
    r"|ticket|challenge|blob|sas(?=[A-Z]|\b)|bypass|recovery|otp|certificate|signature|assertion"
    r"|encrypt|cookie|nonce|buffer|(?:upload|download|join|launch|join.?web|signup)ur[li]|payload"
    r"|scriptcontent|rawcontent|omauri|configurationfile|settingxml|filecontent|qrcode",
    re.IGNORECASE,
)


def names(packages: Iterable[str] = PACKAGES.values()) -> dict[str, set[str]]:
    """Return the names that could mean a secret, each with the types that have it."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in packages:
        spec = find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            sys.exit(f"{package} is not installed: pip install {' '.join(PACKAGES)}")
        for place in spec.submodule_search_locations:
            for file in Path(place).rglob("*.py"):
                text = file.read_text(encoding="utf-8")
                owner = _CLASS.search(text)
                if owner is not None:
                    for field in _FIELD.finditer(text):
                        if _STEM.search(field[1]):
                            found[field[1]].add(owner[1])
    return found


def main() -> None:
    """Write the module."""
    from graphtape.core.redaction.graph_names import NAMES  # noqa: PLC0415 - may be missing at first

    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    known = {name: kind.name for name, kind in NAMES.items()}
    lines = [
        f"    {name!r}: Kind.{known.get(name, 'UNCLASSIFIED')},"
        for name in sorted(names(), key=str.lower)
    ]
    head = MODULE.read_text(encoding="utf-8")
    head = re.sub(r"^# Read from .*$", f"# Read from {versions}.", head, flags=re.MULTILINE)
    start, _, rest = head.partition("NAMES: dict[str, Kind] = {\n")
    _, _, end = rest.partition("\n}\n")
    body = "\n".join(lines).replace("'", '"')
    MODULE.write_text(f"{start}NAMES: dict[str, Kind] = {{\n{body}\n}}\n{end}", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(MODULE)], check=False)
    print(f"{len(lines)} names; {len(lines) - sum(n in known for n in names())} to classify")  # noqa: T201 - for who runs it


if __name__ == "__main__":
    main()
