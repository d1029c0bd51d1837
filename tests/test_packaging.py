"""The wheel and the sdist: built from a copy of the project, looked into, and run."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import graphtape
from commands import environment

if TYPE_CHECKING:
    from email.message import Message

pytestmark = pytest.mark.skipif(
    find_spec("hatchling") is None, reason="needs hatchling, the build backend"
)

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UNVERSIONED = shutil.ignore_patterns(
    "__pycache__", ".git", ".*_cache", ".hypothesis", ".venv*", "node_modules", "dist", "build",
    "*.egg-info", ".coverage*", "*.part", ".*.lock",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Both distributions, and the project they were built from."""

    project: Path
    wheel: Path
    sdist: Path

    def in_wheel(self) -> dict[str, bytes]:
        return contents(self.wheel)

    def dist_info(self, name: str) -> str:
        folder = f"graphtape-{graphtape.__version__}.dist-info"
        return self.in_wheel()[f"{folder}/{name}"].decode()

    def in_sdist(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            names = [member.name for member in archive.getmembers() if member.isfile()]
        return {name.partition("/")[2] for name in names}


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def build(project: Path, target: str, into: Path) -> Path:
    """Build without a network: the backend itself, in this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target]
    done = subprocess.run(
        [*command, "--directory", str(into)],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = into.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("packaging")
    project = folder / "project"
    shutil.copytree(ROOT, project, ignore=UNVERSIONED)
    return Built(
        project=project,
        wheel=build(project, "wheel", folder / "dist"),
        sdist=build(project, "sdist", folder / "dist"),
    )


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    return message_from_bytes(built.dist_info("METADATA").encode())


def test_the_wheel_holds_the_package_and_all_of_it(built: Built) -> None:
    names = {name for name in built.in_wheel() if ".dist-info/" not in name}
    source = built.project / "proxy"
    assert names == {f.relative_to(source).as_posix() for f in source.rglob("*") if f.is_file()}
    assert {name.partition("/")[0] for name in names} == {"graphtape"}


def test_the_wheel_is_typed_and_has_the_presets(built: Built) -> None:
    names = built.in_wheel().keys()
    assert "graphtape/py.typed" in names
    assert "graphtape/presets/throttled.yaml" in names


def test_the_wheel_is_for_every_platform(built: Built) -> None:
    assert built.wheel.name == f"graphtape-{graphtape.__version__}-py3-none-any.whl"


def test_the_wheel_declares_the_entry_points_of_the_project(built: Built) -> None:
    declared = configparser.ConfigParser()
    declared.read_string(built.dist_info("entry_points.txt"))
    expected = {"console_scripts": PROJECT["scripts"], **PROJECT.get("entry-points", {})}
    assert {group: dict(declared[group]) for group in declared.sections()} == expected
    assert expected["console_scripts"]["graphtape"] == "graphtape.cli:main"


def test_the_metadata_names_version_python_and_licence(built: Built, metadata: Message) -> None:
    assert metadata["Version"] == graphtape.__version__
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["License-Expression"] == "MIT"
    assert "MIT License" in built.dist_info("licenses/LICENSE")
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_no_requirement_is_a_link(metadata: Message) -> None:
    # PyPI refuses them.
    assert [each for each in metadata.get_all("Requires-Dist", []) if "@" in each] == []


def test_the_sdist_holds_tests_docs_and_cassettes(built: Built) -> None:
    names = built.in_sdist()
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"} <= names
    for folder in ("proxy", "tests", "docs", "cassettes"):
        here = built.project / folder
        kept = {f.relative_to(built.project).as_posix() for f in here.rglob("*") if f.is_file()}
        assert kept <= names, folder


def test_the_sdist_holds_nothing_that_was_made_here(built: Built) -> None:
    made = ("__pycache__", ".pyc", ".part", ".lock", "_cache/", ".hypothesis", "node_modules")
    assert [name for name in built.in_sdist() if any(part in name for part in made)] == []


def test_the_sdist_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        for member in archive:  # Python 3.11.2 knows no filter yet
            assert not member.name.startswith(("/", ".."))
        archive.extractall(tmp_path)  # noqa: S202 - built here
    (project,) = tmp_path.iterdir()
    again = contents(build(project, "wheel", tmp_path / "dist"))
    assert again == built.in_wheel()


def test_twine_would_upload_both(built: Built) -> None:
    if find_spec("twine") is None:
        pytest.skip("needs twine")
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(built.wheel), str(built.sdist)],
        env=environment(COLUMNS="200", NO_COLOR="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_what_the_wheel_holds_runs_by_itself(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(tmp_path)  # noqa: S202 - built here

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment(PYTHONPATH=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run("-c", "import graphtape; print(graphtape.__file__)").strip()
    assert Path(where).is_relative_to(tmp_path)
    assert graphtape.__version__ in run("-m", "graphtape", "--version")
    assert "throttled" in run("-m", "graphtape", "scenarios")


@pytest.mark.timeout(300)
@pytest.mark.skipif(os.environ.get("GRAPHTAPE_FULL") != "1", reason="GRAPHTAPE_FULL=1 installs it")
def test_the_wheel_installs_into_a_fresh_environment(built: Built, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([programs / "python", "-m", "pip", "install", "-q", built.wheel], check=True)
    for arguments in (["--version"], ["demo"], ["ca", "--path"]):
        done = subprocess.run(
            [programs / "graphtape", *arguments],
            cwd=tmp_path,
            env=environment(GRAPHTAPE_DATA_DIR=str(tmp_path / "data")),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
