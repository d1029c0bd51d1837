"""`graphtape show`."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from commands import GRAPHTAPE, environment, graphtape
from graphtape.cli import show
from graphtape.cli.table import Layout, rows
from graphtape.cli.terminal.table import Interactions
from graphtape.core.errors import UsageError
from graphtape.core.matching.key import MatchOptions
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.tape.recording import Recording
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Metadata
from proxies import SHARED, needs_recordings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Golden = Callable[[str, str], None]

ROOT = "https://graph.microsoft.com"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
JSON = ("Content-Type", "application/json")
METADATA = Metadata(
    graphtape="0.1.0", upstream="sandbox", recorded_at="2026-01-02T03:04:05Z", salt="abc"
)


def call(
    method: str,
    path: str,
    answer: object = None,
    *,
    asked: object = None,
    status: int = 200,
    headers: tuple[tuple[str, str], ...] = (JSON,),
) -> Interaction:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Interaction(
        request=Request(
            method=method,
            url=path if "://" in path else ROOT + path,
            headers=Headers(() if asked is None else (JSON,)),
            body=b"" if asked is None else json.dumps(asked).encode(),
        ),
        response=Response(
            status=status, headers=Headers(headers), body=b"" if answer is None else body
        ),
    )


PHOTO = b"\x89PNG\0\xff" * 50
BATCH = call(
    "POST",
    "/v1.0/$batch",
    {
        "responses": [
            {"id": "b", "status": 200, "headers": {"Content-Type": "image/png; x=1"},
             "body": base64.b64encode(PHOTO).decode()},
            {"id": "a", "status": 201, "body": {"id": "7"}},
        ],
        "@odata.nextLink": "next",
    },
    asked={
        "requests": [
            {"id": "a", "method": "POST", "url": "/groups", "dependsOn": ["b"],
             "headers": {"Content-Type": "application/json"}, "body": {"displayName": "x"}},
            {"id": "b", "method": "GET", "url": "/me/photo/$value"},
        ]
    },
)  # fmt: skip
TAPE = (
    call("GET", SETTINGS, {"value": [{"onboardingStatus": "onboarded"}]}),
    call("POST", f"{SETTINGS}/disconnect", {"value": "inprogress"}),
    call("GET", SETTINGS, {"value": []}),
    call("GET", f"{SETTINGS}?$select=id,onboardingStatus&$top=5", {"value": []}),
    call("GET", SETTINGS, {"value": [{"onboardingStatus": "unknown"}]}),
    call("PATCH", "/v1.0/users/1", {"error": {"code": "x"}}, asked={"a": 1}, status=404),
    call("GET", "/v1.0/me/photo/$value", PHOTO, headers=(("Content-Type", "image/png"),)),
    BATCH,
    call("GET", "https://cdn.example/a\x1b[2J", "text: é\ttab\x07", status=302),
)


@pytest.fixture(autouse=True)
def _no_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHTAPE_SALT", raising=False)


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tape.yaml"
    save_cassette(path, TAPE, metadata=METADATA)
    return path.relative_to(tmp_path)


def shown(path: Path, *arguments: str) -> str:
    result = CliRunner().invoke(show.command, [str(path), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def indices(text: str) -> list[int]:
    """Read the second column of a table; lines that go on with a path have none."""
    return [int(index) for index in re.findall(r"^[> ]{0,8}([0-9]+) ", text, re.MULTILINE)]


def test_the_table_marks_stretches_and_repeats(tape: Path, golden: Golden) -> None:
    golden("show-table.txt", shown(tape))


def test_verbose_spells_out_headers_and_bodies(tape: Path, golden: Golden) -> None:
    golden("show-verbose.txt", shown(tape, "-v", "--index", "5-"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--method", "post"], [1, 7], id="method"),
        pytest.param(["--method", "POST,PATCH"], [1, 5, 7], id="methods"),
        pytest.param(["--method", "POST", "--method", "PATCH"], [1, 5, 7], id="repeated"),
        pytest.param(["--path", "*/chromeosonboardingsettings"], [0, 2, 3, 4], id="path"),
        pytest.param(["--path", "*[$]select*"], [3], id="query"),
        pytest.param(["--path", "*/me/*", "--path", "*batch"], [6, 7], id="paths"),
        pytest.param(["--status", "404"], [5], id="status"),
        pytest.param(["--status", "4XX,302"], [5, 8], id="status-class"),
        pytest.param(["--index", "3"], [3], id="index"),
        pytest.param(["--index", "3-5"], [3, 4, 5], id="from-to"),
        pytest.param(["--index", "-1", "--index", "7-"], [0, 1, 7, 8], id="open-ranges"),
        pytest.param(["--index", "0,2-3,99"], [0, 2, 3], id="list"),
        pytest.param(["--method", "GET", "--status", "2xx", "--index", "1-3"], [2, 3], id="all"),
    ],
)
def test_filters_leave_rows_as_they_are(
    tape: Path, arguments: list[str], expected: list[int]
) -> None:
    text = shown(tape, *arguments)
    assert indices(text) == expected
    assert f"; {len(expected)} shown" in text
    everything = {line.split()[0]: line.split() for line in shown(tape).splitlines()}
    for line in text.splitlines()[2:]:
        assert line.split() in everything.values() or line.split()[0] == ">"


def test_says_when_nothing_is_left(tape: Path) -> None:
    assert shown(tape, "--status", "500") == (
        "tape.yaml: 9 interactions, recorded from sandbox at 2026-01-02T03:04:05Z; 0 shown\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--status", "40"], "'40': give a status such as 404", id="status"),
        pytest.param(["--status", "4x4"], "'4x4'", id="status-class"),
        pytest.param(["--index", "a"], "'a': give an index or a range", id="index"),
        pytest.param(["--index", "-"], "'-'", id="no-index"),
        pytest.param(["--index", "1-2-3"], "'1-2-3'", id="two-ranges"),
    ],
)
def test_a_filter_that_is_none_is_a_usage_error(
    tape: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        shown(tape, *arguments)


def test_a_status_of_the_environment_is_for_answers_not_for_show(tape: Path) -> None:
    done = graphtape("show", tape, cwd=tape.resolve().parent, env={"GRAPHTAPE_STATUS": "failed"})
    assert (done.returncode, len(indices(done.stdout))) == (0, len(TAPE))


@pytest.mark.parametrize("width", [60, 120])
def test_paths_wrap_at_the_width_of_a_terminal(width: int) -> None:
    recording = Recording.of(TAPE, name="t", redactor=Redactor(salt="s"), options=MatchOptions())
    table = [*rows(recording)]
    console = Console(width=width, color_system=None)
    drawing = Interactions(console, Layout.of(table))
    text = drawing.draw(table[:4], titles=True) + drawing.draw(table[4:], titles=False)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    start = lines[0].index("path")
    assert "".join(line[start:].strip() for line in lines[1:]) == "".join(row.path for row in table)
    assert text.count("path") == 1


def json_of(path: Path, *arguments: str) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(shown(path, "--format", "json", *arguments))
    return tree


def test_json_says_what_the_table_says(tape: Path) -> None:
    tree = json_of(tape)
    interactions = tree.pop("interactions")
    assert tree == {
        "cassette": "tape.yaml",
        "size": 9,
        "upstream": "sandbox",
        "recorded_at": "2026-01-02T03:04:05Z",
        "edited": False,
    }
    assert [each["index"] for each in interactions] == [*range(9)]
    assert [each["index"] for each in interactions if each["write"]] == [1, 5, 7]
    assert interactions[4] == {
        "index": 4,
        "write": False,
        "method": "GET",
        "url": ROOT + SETTINGS,
        "status": 200,
        "bytes": len(TAPE[4].response.body),
        "same": 0,
        "masked": False,
    }
    assert interactions[8]["url"] == TAPE[8].request.url


def test_json_takes_filters_and_verbose(tape: Path) -> None:
    patch, photo = json_of(tape, "-v", "--index", "5,6")["interactions"]
    assert json.loads(patch["request"]["body"]) == {"a": 1}
    assert ["Content-Type", "application/json"] in patch["request"]["headers"]
    assert base64.b64decode(photo["response"]["base64"]) == PHOTO
    assert "body" not in photo["response"]


def test_json_is_not_paged_or_coloured_at_a_terminal(tape: Path) -> None:
    text, paged = on_a_terminal(tape.resolve().parent, "--format", "json", lines=5)
    assert not paged
    assert len(json.loads(text)["interactions"]) == len(TAPE)


def test_a_cassette_of_others_and_an_empty_one_have_a_heading(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    save_cassette(path, TAPE[:1], metadata=None)
    assert shown(path).splitlines()[0] == f"{path}: 1 interaction"
    save_cassette(path, [], metadata=None)
    assert shown(path) == f"{path}: 0 interactions\n"


@needs_recordings
@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for path in SHARED.rglob("*")
        if path.suffix in {".yaml", ".har", ".json"} and "old" not in path.name
    ),
    ids=lambda path: path.name,
)
@pytest.mark.parametrize("arguments", [(), ("-v",)], ids=["table", "verbose"])
def test_real_recordings_are_shown_on_printable_lines(
    path: Path, arguments: tuple[str, ...]
) -> None:
    text = shown(path, *arguments)
    assert all(line.replace("\t", "").isprintable() for line in text.split("\n"))
    if not arguments:
        assert indices(text) == [*range(len(open_cassette(path).interactions))]


def test_an_output_of_few_letters_gets_the_others_spelled_out(tape: Path) -> None:
    done = graphtape(
        *("show", tape, "-v", "--index", "8"),
        cwd=tape.resolve().parent,
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0
    assert r"\xe9" in done.stdout


@pytest.mark.parametrize("verbose", [False, True], ids=["table", "verbose"])
def test_a_reader_that_has_had_enough_is_no_failure(tmp_path: Path, *, verbose: bool) -> None:
    path = tmp_path / "long.yaml"
    save_cassette(
        path, [call("GET", f"/v1.0/users/{n}", {"id": n}) for n in range(3000)], metadata=None
    )
    process = subprocess.Popen(
        [*GRAPHTAPE, "show", str(path), *(["-v"] if verbose else [])],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


def on_a_terminal(folder: Path, *arguments: str, lines: int, pager: str = "") -> tuple[str, bool]:
    """Show on a terminal of 60 columns; return what it got, and whether a pager ran."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    ours, theirs = pty.openpty()
    mark = folder / "paged"
    mark.unlink(missing_ok=True)
    script = folder / "pager.py"
    script.write_text(
        f"import pathlib, sys\npathlib.Path({str(mark)!r}).touch()\n"
        "sys.stdout.write(sys.stdin.read())\n"
    )
    runs = folder / "pager.sh"  # the interpreter's own path may have a blank
    runs.write_text(f"exec {shlex.quote(sys.executable)} {shlex.quote(str(script))}\n")
    env = {"COLUMNS": "60", "LINES": str(lines), "NO_COLOR": "1", "PAGER": pager or f"sh {runs}"}
    process = subprocess.Popen(
        [*GRAPHTAPE, "show", "tape.yaml", *arguments],
        cwd=folder, env=environment(**env), stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    data = b""
    while True:
        try:
            data += (piece := os.read(ours, 65536))
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
    os.close(ours)
    assert process.wait(30) == 0, data
    return data.decode().replace("\r\n", "\n"), mark.exists()


def test_a_table_longer_than_the_terminal_goes_through_the_pager(tape: Path) -> None:
    text, paged = on_a_terminal(tape.resolve().parent, lines=5)
    assert paged
    assert max(len(line) for line in text.splitlines()[1:]) <= 60
    assert "..." not in text


@pytest.mark.parametrize(
    ("arguments", "lines"), [(("--no-pager",), 5), ((), 50)], ids=["unasked", "short"]
)
def test_what_fits_or_is_not_to_be_paged_is_printed(
    tape: Path, arguments: tuple[str, ...], lines: int
) -> None:
    text, paged = on_a_terminal(tape.resolve().parent, *arguments, lines=lines)
    assert not paged
    assert indices(text) == [*range(len(TAPE))]


def test_a_pager_that_is_left_early_is_no_failure(tape: Path) -> None:
    on_a_terminal(tape.resolve().parent, "-v", lines=5, pager="true")
