"""Installs the npm packages that tests use, once for all who share the tree."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

FOLDER = Path(__file__).parent / "node"
_SECONDS = 300


@functools.cache
def installed() -> Path:
    """Return the folder `node_modules` as `tests/node/package-lock.json` has it.

    Raises:
        AssertionError: npm can't install them.
        pytest.skip.Exception: There is no node or no npm.
    """
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("needs node 18.13 or later and npm on the PATH: apt-get install nodejs npm")
    modules = FOLDER / "node_modules"
    stamp = modules / ".installed-from"
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    # npm ci begins by deleting what others may be using: only one does it, and only where it must.
    with FileLock(FOLDER / ".npm-ci.lock", timeout=_SECONDS):
        if not stamp.exists() or stamp.read_text() != lock:
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts"],
                cwd=FOLDER,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"npm ci in {FOLDER} failed:\n{done.stderr}"
            stamp.write_text(lock)
    return modules
