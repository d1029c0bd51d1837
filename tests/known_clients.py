"""The clients of Graph that tests/clients drives, and how each is had."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import platformdirs
import pytest
from filelock import FileLock

import node_packages
from client_jobs import UPLOADED, Job, outcomes
from client_runs import Client, needed, node_app, python_app

if TYPE_CHECKING:
    from pathlib import Path

AZURE_CLI = "2.91.0"
_INSTALL_SECONDS = 600


def _npm_version(package: str) -> str:
    lock = json.loads((node_packages.FOLDER / "package-lock.json").read_text("utf-8"))
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def _curl_version() -> str:
    said = subprocess.run(
        [needed("curl"), "--version"], capture_output=True, text=True, timeout=10, check=True
    ).stdout
    return said.split()[1]


def _curl_app() -> list[str]:
    needed("curl")
    return python_app("with_curl")


@functools.cache
def azure_cli() -> Path:
    """Return the program `az`, installed once into a venv of its own in the user's cache.

    Raises:
        pytest.skip.Exception: The run isn't a full one.
        AssertionError: pip can't install it.
    """
    if not os.environ.get("GRAPHTAPE_FULL"):
        pytest.skip("NOT TESTED: azure-cli takes 750 MB; `.ci/run --full` tests it")
    folder = platformdirs.user_cache_path("graphtape-tests") / f"azure-cli-{AZURE_CLI}"
    folder.mkdir(parents=True, exist_ok=True)
    programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    with FileLock(folder / ".install.lock", timeout=_INSTALL_SECONDS):
        if not (folder / "installed").exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder / "venv"))
            pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
            _run(*pip, f"azure-cli=={AZURE_CLI}")
            (folder / "installed").touch()
    return programs / ("az.cmd" if sys.platform == "win32" else "az")


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr


def _az_app() -> list[str]:
    return [*python_app("with_az"), str(azure_cli())]


MSGRAPH = Client(
    name="msgraph-beta-sdk (Python)",
    version=lambda: version("msgraph-beta-sdk"),
    command=lambda: python_app("with_msgraph"),
    expected=outcomes(error="ODataError"),
)
MSAL = Client(
    name="msal (Python)",
    version=lambda: version("msal"),
    command=lambda: python_app("with_msal"),
    expected=outcomes(error="HTTPError"),
    only_https="ValueError",
)
GRAPH_CLIENT = Client(
    name="@microsoft/microsoft-graph-client (JavaScript)",
    version=lambda: _npm_version("@microsoft/microsoft-graph-client"),
    command=lambda: node_app("with_graph_client.mjs"),
    expected=outcomes(error="GraphError"),
    only_https="GraphError",
)
KIOTA = Client(
    name="@microsoft/kiota-http-fetchlibrary (TypeScript)",
    version=lambda: _npm_version("@microsoft/kiota-http-fetchlibrary"),
    command=lambda: node_app("with_kiota.mjs"),
    # What it throws is no Error.
    expected=outcomes(error="Object"),
)
AZ = Client(
    name="azure-cli",
    version=lambda: AZURE_CLI,
    command=_az_app,
    expected=outcomes(error="exit code 1"),
    quirks={
        # It repeats nothing.
        Job.THROTTLED: {
            "raised": "AzError",
            "message": "exit code 1: Too Many Requests, TooManyRequests",
        },
        # A file that is no UTF-8 it sends as base64.
        Job.UPLOAD: hashlib.sha256(base64.b64encode(UPLOADED)).hexdigest(),
    },
)
REQUESTS = Client(
    name="requests (Python)",
    version=lambda: version("requests"),
    command=lambda: python_app("with_requests"),
    expected=outcomes(error="HTTPError"),
)
HTTPX = Client(
    name="httpx (Python)",
    version=lambda: version("httpx"),
    command=lambda: python_app("with_httpx"),
    expected=outcomes(error="HTTPStatusError"),
)
CURL = Client(
    name="curl",
    version=_curl_version,
    command=_curl_app,
    expected=outcomes(error="exit code 22"),
)

MODULES = {
    "test_msgraph": MSGRAPH,
    "test_msal": MSAL,
    "test_graph_client": GRAPH_CLIENT,
    "test_kiota": KIOTA,
    "test_azure_cli": AZ,
    "test_requests": REQUESTS,
    "test_httpx": HTTPX,
    "test_curl": CURL,
}
"""By the module of tests/clients that tests it."""
