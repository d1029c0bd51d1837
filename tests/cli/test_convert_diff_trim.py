"""The commands that work on cassette files, without a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests
from click.testing import CliRunner

from graphtape.cli import convert, diff, trim
from graphtape.core.errors import CassetteError, UsageError
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.lock import locked
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Metadata
from proxies import SHARED, needs_recordings, replaying

if TYPE_CHECKING:
    from pathlib import Path

    import click
    from click.testing import Result

ROOT = "https://graph.microsoft.com"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
RECORDINGS = sorted((SHARED / "har").glob("*.har"))


@pytest.fixture(autouse=True)
def _no_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHTAPE_SALT", raising=False)


def run(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def interaction(method: str, path: str, answer: object, *, status: int = 200) -> Interaction:
    return Interaction(
        request=Request(method=method, url=ROOT + path),
        response=Response(
            status=status,
            headers=Headers((("content-type", "application/json"),)),
            body=json.dumps(answer).encode(),
        ),
    )


def poll(status: str) -> Interaction:
    return interaction("GET", f"{SETTINGS}/1", {"onboardingStatus": status})


DISCONNECT = interaction("POST", f"{SETTINGS}/disconnect", {"value": "inprogress"})
METADATA = Metadata(
    graphtape="0.1.0", upstream="sandbox", recorded_at="2026-01-02T03:04:05Z", salt="abc"
)


def tape(path: Path, *interactions: Interaction, metadata: Metadata | None = METADATA) -> Path:
    save_cassette(path, interactions, metadata=metadata, other_metadata={"team": "intune"})
    return path


def har(path: Path, *entries: dict[str, object]) -> Path:
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": list(entries)}}))
    return path


def entry(url: str, *, status: int = 200) -> dict[str, object]:
    token = {"name": "Authorization", "value": "Bearer not-a-real-token"}
    return {
        "startedDateTime": "2026-01-02T03:04:05Z",
        "request": {"method": "GET", "url": url, "headers": [token]},
        "response": {
            "status": status,
            "headers": [],
            "content": {
                "mimeType": "application/json",
                "text": '{"userPrincipalName": "grady@tailwind-traders.example.org"}',
            },
        },
    }


def test_convert_writes_a_redacted_cassette_and_says_what_it_left_out(tmp_path: Path) -> None:
    source = har(
        tmp_path / "a.har",
        entry(f"{ROOT}/v1.0/me"),
        entry(f"{ROOT}/v1.0/users", status=0),
        entry(f"{ROOT}/v1.0/groups"),
    )
    done = run(convert.command, source, tmp_path / "a.yaml")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{tmp_path / 'a.yaml'}: wrote 2 interactions",
        "redacted 2 secrets and 2 identities; kept 0 personal fields",
        "left out entry 1 (GET graph.microsoft.com): status 0: the call was blocked or cancelled",
    ]
    text = (tmp_path / "a.yaml").read_text()
    assert "not-a-real-token" not in text
    assert "grady" not in text
    cassette = open_cassette(tmp_path / "a.yaml")
    assert cassette.metadata is not None
    assert cassette.metadata.upstream == "global"
    assert cassette.metadata.recorded_at == "2026-01-02T03:04:05Z"
    assert cassette.metadata.interactions == 2
    assert len(cassette.metadata.salt) == 32
    assert not cassette.edited


def test_convert_keeps_a_salt_of_the_environment_out_of_the_cassette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHTAPE_SALT", "of-the-team")
    source = har(tmp_path / "a.har", entry(f"{ROOT}/v1.0/me"))
    for name in ("a.yaml", "b.yaml"):
        run(convert.command, source, tmp_path / name)
    one, two = (open_cassette(tmp_path / name) for name in ("a.yaml", "b.yaml"))
    assert one.interactions == two.interactions
    assert one.metadata is not None
    assert one.metadata.salt == ""


def test_convert_overwrites_only_when_forced(tmp_path: Path) -> None:
    source = har(tmp_path / "a.har", entry(f"{ROOT}/v1.0/me"))
    target = tmp_path / "a.yaml"
    target.write_text("mine")
    refused = run(convert.command, source, target)
    assert isinstance(refused.exception, UsageError)
    assert "replace it with --force" in str(refused.exception)
    assert target.read_text() == "mine"
    assert run(convert.command, source, target, "--force").exit_code == 0
    assert len(open_cassette(target).interactions) == 1


def test_convert_leaves_no_file_where_the_source_is_no_recording(tmp_path: Path) -> None:
    source = tmp_path / "a.json"
    source.write_text('{"users": [{"id": "1"}]}')
    done = run(convert.command, source, tmp_path / "b.yaml")
    assert isinstance(done.exception, CassetteError)
    assert "none of the formats that are read: HAR, Dev Proxy mocks," in str(done.exception)
    assert not (tmp_path / "b.yaml").exists()


@needs_recordings
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_was_converted_answers_the_client_that_was_recorded(
    path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "t.yaml"
    assert run(convert.command, path, target).exit_code == 0
    with replaying(target) as proxy:
        for i in open_cassette(path).interactions:
            url = i.request.url
            local = url.removeprefix(ROOT)
            got = requests.request(
                i.request.method,
                proxy.url + (local if local != url else "/_origin/" + url[len("https://") :]),
                data=i.request.body,
                headers={"Content-Type": i.request.headers.get("content-type") or ""},
                allow_redirects=False,
                timeout=10,
            )
            assert got.status_code == i.response.status, got.text
        assert {each.source for each in proxy.entries} == {"replayed"}


def test_diff_prints_a_line_for_each_change_and_exits_1(tmp_path: Path) -> None:
    old = tape(tmp_path / "old.yaml", poll("onboarded"), DISCONNECT)
    new = tape(tmp_path / "new.yaml", interaction("GET", f"{SETTINGS}/2", {"onboardingStatus": {}}))
    done = run(diff.command, old, new)
    assert done.stdout.splitlines() == [
        f"POST {SETTINGS}/disconnect: operation vanished",
        f"GET {SETTINGS}/{{id}}: field onboardingStatus: string -> object",
    ]
    assert done.exit_code == 1


def test_diff_without_drift_exits_0(tmp_path: Path) -> None:
    old = tape(tmp_path / "old.yaml", poll("onboarded"), DISCONNECT)
    new = tape(tmp_path / "new.yaml", DISCONNECT, poll("onboarded"), poll("onboarded"))
    done = run(diff.command, old, new)
    assert (done.exit_code, done.stdout) == (0, "no drift\n")


def test_diff_writes_json(tmp_path: Path) -> None:
    old = tape(tmp_path / "old.yaml", poll("onboarded"))
    new = tape(tmp_path / "new.yaml", poll("failed"))
    done = run(diff.command, old, new, "--format", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "old": str(old),
        "new": str(new),
        "changes": [
            {
                "change": "appeared",
                "method": "GET",
                "path": f"{SETTINGS}/{{id}}",
                "aspect": "member",
                "place": "onboardingStatus",
                "new": "failed",
            }
        ],
    }
    same = run(diff.command, old, old, "--format", "json")
    assert (same.exit_code, json.loads(same.stdout)["changes"]) == (0, [])


@pytest.mark.parametrize("broken", ["", "interactions: []", "[1"], ids=["empty", "cut", "no YAML"])
def test_diff_that_can_not_look_exits_2_with_one_line(broken: str, tmp_path: Path) -> None:
    old = tape(tmp_path / "old.yaml", poll("onboarded"))
    new = tmp_path / "new.yaml"
    missing = run(diff.command, old, new)
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    assert f"{new}: no such cassette" in missing.stderr
    new.write_text(broken)
    done = run(diff.command, old, new)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)


POLLS = (
    poll("onboarded"),
    poll("onboarded"),
    DISCONNECT,
    poll("offboarding"),
    poll("offboarding"),
    poll("unknown"),
)


def test_trim_makes_polls_one_and_keeps_the_metadata(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", *POLLS)
    done = run(trim.command, path)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{path}: took 2 of 6 interactions out",
        f"  1 GET {SETTINGS}/1: the same answer as 0",
        f"  4 GET {SETTINGS}/1: the same answer as 3",
    ]
    cassette = open_cassette(path)
    assert (
        cassette.interactions
        == open_cassette(
            tape(tmp_path / "u.yaml", POLLS[0], DISCONNECT, POLLS[3], POLLS[5])
        ).interactions
    )
    assert cassette.metadata is not None
    assert (cassette.metadata.recorded_at, cassette.metadata.salt) == (METADATA.recorded_at, "abc")
    assert cassette.metadata.interactions == 4
    assert cassette.other_metadata == {"team": "intune"}
    assert not cassette.edited
    assert sorted(each.name for each in tmp_path.iterdir()) == ["t.yaml", "u.yaml"]


def test_trim_leaves_a_file_alone_where_there_is_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("# by hand\n" + tape(tmp_path / "u.yaml", *POLLS[2:4]).read_text())
    before = path.stat()
    done = run(trim.command, path)
    assert (done.exit_code, done.stdout) == (0, f"{path}: nothing to take out\n")
    assert path.read_text().startswith("# by hand")
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_dry_run_says_and_changes_nothing(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", *POLLS)
    before = path.read_bytes()
    done = run(trim.command, "--dry-run", path)
    assert done.stdout.startswith(f"{path}: would take 2 of 6 interactions out\n")
    assert path.read_bytes() == before


def test_trim_takes_a_cassette_of_vcrpys_own(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", *POLLS, metadata=None)
    assert run(trim.command, path).exit_code == 0
    cassette = open_cassette(path)
    assert (len(cassette.interactions), cassette.metadata) == (4, None)


def report(path: Path, unused: object) -> tuple[str, Path]:
    path.write_text(json.dumps({"missed": [], "unused": unused}))
    return "--report", path


def test_trim_takes_out_the_indices_named_of_one_cassette(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", poll("onboarded"), DISCONNECT, poll("unknown"))
    done = run(trim.command, path, "--unused", "1,")
    assert done.stdout.splitlines() == [
        f"{path}: took 2 of 3 interactions out",
        f"  1 POST {SETTINGS}/disconnect: unused",
        f"  2 GET {SETTINGS}/1: answers only after 1, which is unused",
    ]
    assert len(open_cassette(path).interactions) == 1


def test_trim_takes_out_what_a_report_names_unused_in_each_cassette(tmp_path: Path) -> None:
    one = tape(tmp_path / "1.yaml", poll("onboarded"), DISCONNECT, poll("unknown"))
    other = interaction("GET", "/v1.0/me", {"id": "1"})
    two = tape(tmp_path / "2.yaml", other, interaction("GET", "/v1.0/users", {}))
    whole = tape(tmp_path / "3.yaml", other)
    unused = {str(one): [1, 2], str(two): [0], "elsewhere.yaml": [0]}
    done = run(trim.command, whole, two, one, *report(tmp_path / "r.json", unused))
    assert done.stdout.splitlines() == [
        f"{whole}: nothing to take out",
        f"{two}: took 1 of 2 interactions out",
        "  0 GET /v1.0/me: unused",
        f"{one}: took 2 of 3 interactions out",
        f"  1 POST {SETTINGS}/disconnect: unused",
        f"  2 GET {SETTINGS}/1: unused",
    ]
    assert done.stderr == ""


def test_a_report_may_spell_a_cassette_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tape(tmp_path / "t.yaml", interaction("GET", "/v1.0/me", {}), poll("onboarded"))
    done = run(trim.command, path, *report(tmp_path / "r.json", {"./t.yaml": [0]}))
    assert done.stdout.splitlines()[1:] == ["  0 GET /v1.0/me: unused"]


def test_a_report_of_other_cassettes_is_said_and_takes_nothing_out(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", poll("onboarded"), DISCONNECT)
    option = report(tmp_path / "r.json", {"u.yaml": [0]})
    done = run(trim.command, path, *option)
    assert done.stdout == f"{path}: nothing to take out\n"
    assert done.stderr == f"note: --report {option[1]}: has unused interactions of u.yaml alone\n"


def test_a_cassette_given_twice_is_trimmed_once(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", *POLLS)
    done = run(trim.command, path, path)
    assert done.stdout.count("took 2 of 6") == 1
    assert len(open_cassette(path).interactions) == 4


def test_trim_says_which_unused_write_stays(tmp_path: Path) -> None:
    last = interaction("DELETE", f"{SETTINGS}/2", {})
    path = tape(tmp_path / "t.yaml", poll("onboarded"), DISCONNECT, poll("unknown"), last)
    done = run(trim.command, path, "--unused", "1")
    assert done.stdout.splitlines() == [
        f"{path}: nothing to take out",
        f"  1 POST {SETTINGS}/disconnect: unused, but stays: it parts reads that are used",
    ]


def test_of_several_reports_only_what_all_name_unused_goes(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    path = tape(tmp_path / "t.yaml", *(interaction("GET", f"/v1.0/{n}", {}) for n in names))
    by_name = report(tmp_path / "one.json", {str(path): [0, 1]})
    done = run(trim.command, path, *by_name, *report(tmp_path / "two.json", [1, 2]))
    assert done.stdout.splitlines()[1:] == ["  1 GET /v1.0/b: unused"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unused", "1,x"), "--unused '1,x': give indices with commas between"),
        (("--unused", "-1"), "give indices"),
        (("--unused", "6"), "t.yaml holds 6, counted from 0"),
        (("--report", "no.json"), "--report no.json: can't be read as JSON: No such file"),
        (("--report", "names.json"), "it has no `unused` that lists indices by cassette"),
        (("--report", "flags.json"), "it has no `unused` that lists indices by cassette"),
        (("--report", "other.json"), "no interaction 9: "),
        (("--unused", "0", "u.yaml"), "--unused '0': which of 2 cassettes is meant?"),
        (("--report", "flat.json", "u.yaml"), "its `unused` is one list, for one cassette"),
        (("--report", "yaml.json"), "can't be read as JSON"),
    ],
)
def test_trim_refuses_indices_that_are_none(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tape(tmp_path / "t.yaml", *POLLS)
    report(tmp_path / "names.json", ["GET /"])
    report(tmp_path / "flags.json", {"t.yaml": [True]})
    report(tmp_path / "other.json", {"t.yaml": [9]})
    report(tmp_path / "flat.json", [0])
    (tmp_path / "yaml.json").write_text("unused: []")
    before = path.read_bytes()
    done = run(trim.command, path, *arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert path.read_bytes() == before


def test_trim_changes_no_cassette_while_another_is_broken_or_in_use(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", *POLLS)
    before = path.read_bytes()
    missing = run(trim.command, path, tmp_path / "deep" / "none.yaml")
    assert isinstance(missing.exception, CassetteError)
    with locked(path):
        used = run(trim.command, path)
    assert isinstance(used.exception, CassetteError)
    assert "recording into it" in str(used.exception)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["t.yaml"]


def test_trim_writes_neither_har_nor_json(tmp_path: Path) -> None:
    path = har(tmp_path / "a.har", entry(f"{ROOT}/v1.0/me"), entry(f"{ROOT}/v1.0/me"))
    before = path.read_bytes()
    done = run(trim.command, path)
    assert isinstance(done.exception, CassetteError)
    assert "graphtape convert" in str(done.exception)
    assert path.read_bytes() == before


def test_a_trimmed_cassette_replays_the_same_states(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.yaml", *POLLS)
    run(trim.command, path)
    with replaying(path) as proxy:
        seen = []
        for i in POLLS:
            local = i.request.url.removeprefix(ROOT)
            got = requests.request(i.request.method, proxy.url + local, timeout=5).json()
            seen.append(got.get("onboardingStatus"))
    assert seen == ["onboarded", "onboarded", None, "offboarding", "unknown", "unknown"]


@pytest.mark.parametrize("command", [convert.command, trim.command], ids=["convert", "trim"])
def test_examples_in_help_keep_their_lines(command: click.Command) -> None:
    lines = run(command, "--help").stdout.splitlines()
    assert any(line.startswith(f"    graphtape {command.name} ") for line in lines)
