"""Fetch anew what the web console vendors, if it is what was noted: `python -m tools.vendor`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "proxy" / "graphtape" / "console" / "vendor"


def fetched(package: str, version: str, member: str) -> bytes:
    """Return a file of a package of npm."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"{package}@{version}"],  # noqa: S607 - from the PATH
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            file = packed.extractfile(member)
            if file is None:
                raise FileNotFoundError(member)
            return file.read()


def main() -> int:
    """Write each file that is what was noted; return 1 where one isn't."""
    wrong = 0
    for each in tomllib.loads((FOLDER / "VENDOR.toml").read_text(encoding="utf-8"))["file"]:
        data = fetched(each["package"], each["version"], each["member"])
        found = hashlib.sha256(data).hexdigest()
        if found != each["sha256"]:
            wrong = 1
            sys.stderr.write(f"{each['name']}: sha256 is {found}, noted is {each['sha256']}\n")
        else:
            (FOLDER / each["name"]).write_bytes(data)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
