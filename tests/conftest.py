"""What all tests share: golden files, and folders of their own in place of the user's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

# Also for the processes that tests start.
_HOME = tempfile.TemporaryDirectory(prefix="graphtape-tests-", ignore_cleanup_errors=True)
os.environ["GRAPHTAPE_CACHE_DIR"] = str(Path(_HOME.name, "cache"))
os.environ["GRAPHTAPE_DATA_DIR"] = str(Path(_HOME.name, "data"))

# No test depends on how fast a machine is.
settings.register_profile("graphtape", deadline=None)
settings.load_profile("graphtape")

_FOLDER = Path(__file__).parent / "golden"


def pytest_unconfigure() -> None:
    _HOME.cleanup()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-golden",
        action="store_true",
        help="Write the golden files anew from what the code says now; review the diff.",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name, or renew the file."""
    renew = bool(request.config.getoption("--renew-golden"))

    def compare(name: str, text: str) -> None:
        path = _FOLDER / name
        if renew:
            path.write_text(text, encoding="utf-8", newline="\n")
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == kept, f"{name} differs; if it should, renew it with --renew-golden"

    return compare
