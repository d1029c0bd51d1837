"""`graphtape redact`, as a user runs it."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import vcr.cassette
import yaml

from commands import graphtape
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.lock import locked
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Metadata
from proxies import SHARED, needs_recordings, replaying

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).parents[2]
GRAPH = "https://graph.microsoft.com"
CANARY = "c4n4ryQ7Zr2Xv9Lk4"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJ{CANARY}abcdef.{CANARY}signature"
METADATA = Metadata(
    graphtape="0.1.0", upstream="usgov", recorded_at="2026-01-05T08:30:00Z", salt="pepper"
)


def leak(*, mail: str = "jane@acme.test") -> Interaction:
    return Interaction(
        request=Request(
            method="POST",
            url=f"{GRAPH}/v1.0/users/{mail}/x?access_token={CANARY}",
            headers=Headers.of([("Authorization", f"Bearer {CANARY}")]),
            body=f"client_secret={CANARY}".encode(),
        ),
        response=Response(
            status=201,
            reason="Created",
            headers=Headers.of([("Set-Cookie", f"fpc={CANARY}; path=/")]),
            body=json.dumps({"id": "1", "mail": mail, "note": f"got {JWT}"}).encode(),
        ),
    )


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    path = tmp_path / "leaky.yaml"
    save_cassette(path, [leak()], metadata=METADATA, other_metadata={"by": {"token": CANARY}})
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.yaml"
    save_cassette(path, [leak()], metadata=None)
    return path


def redact(
    *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return graphtape("redact", *arguments, cwd=cwd, env=env)


def findings(*paths: str | Path, cwd: Path) -> list[dict[str, object]]:
    done = graphtape("scan", "--format", "json", *paths, cwd=cwd)
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_after_it_nothing_is_left_and_scan_finds_nothing(leaky: Path, tmp_path: Path) -> None:
    done = redact(leaky, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert CANARY not in leaky.read_text() + done.stdout + done.stderr
    assert "jane" not in leaky.read_text()
    assert findings(leaky, cwd=tmp_path) == []


def test_it_says_what_it_changed(leaky: Path, tmp_path: Path) -> None:
    done = redact(leaky.name, cwd=tmp_path)
    assert done.stdout == "leaky.yaml: masked 6 secrets, replaced 2 identities\n"


def test_metadata_stays_and_pseudonyms_are_those_of_its_salt(leaky: Path, tmp_path: Path) -> None:
    redact(leaky, cwd=tmp_path)
    cassette = open_cassette(leaky)
    assert cassette.metadata is not None
    assert not cassette.edited
    kept = (cassette.metadata.upstream, cassette.metadata.recorded_at, cassette.metadata.salt)
    assert kept == ("usgov", "2026-01-05T08:30:00Z", "pepper")
    assert cassette.other_metadata == {"by": {"token": "REDACTED"}}


def test_a_foreign_cassette_gets_a_salt_that_keeps_pseudonyms_stable(
    foreign: Path, tmp_path: Path
) -> None:
    redact(foreign, cwd=tmp_path)
    first = open_cassette(foreign)
    assert first.metadata is not None
    assert first.metadata.upstream == "global"
    metadata = first.metadata
    save_cassette(foreign, [*first.interactions, leak()], metadata=metadata)
    redact(foreign, cwd=tmp_path)
    one, two = open_cassette(foreign).interactions
    assert one == two


def test_a_salt_of_the_environment_stays_out_of_the_file(foreign: Path, tmp_path: Path) -> None:
    redact(foreign, cwd=tmp_path, env={"GRAPHTAPE_SALT": "from-outside"})
    metadata = open_cassette(foreign).metadata
    assert metadata is not None
    assert metadata.salt == ""
    assert "from-outside" not in foreign.read_text()


def test_a_cassette_whose_salt_is_elsewhere_is_refused_without_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    salt = {"GRAPHTAPE_SALT": "from-outside"}
    save_cassette(path, [leak()], metadata=None)
    redact(path, cwd=tmp_path, env=salt)
    cassette = open_cassette(path)
    save_cassette(path, [*cassette.interactions, leak()], metadata=cassette.metadata)
    before = path.read_bytes()
    done = redact(path, cwd=tmp_path)
    assert done.returncode == 1
    assert "its salt is not in the file; set GRAPHTAPE_SALT" in done.stderr
    assert path.read_bytes() == before
    assert redact(path, cwd=tmp_path, env=salt).returncode == 0


def test_a_clean_cassette_stays_as_it_is_to_the_byte(leaky: Path, tmp_path: Path) -> None:
    redact(leaky, cwd=tmp_path)
    leaky.write_text(f"# by hand\n{leaky.read_text()}")
    before = (leaky.read_bytes(), leaky.stat().st_mtime_ns)
    done = redact(leaky.name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "leaky.yaml: clean\n")
    assert (leaky.read_bytes(), leaky.stat().st_mtime_ns) == before


def test_a_secret_in_a_comment_goes_with_the_comment(leaky: Path, tmp_path: Path) -> None:
    redact(leaky, cwd=tmp_path)
    clean = leaky.read_bytes()
    leaky.write_bytes(f"# {JWT}\n".encode() + clean)
    redact(leaky, cwd=tmp_path)
    assert leaky.read_bytes() == clean


def test_identities_may_be_kept(leaky: Path, tmp_path: Path) -> None:
    done = redact(leaky.name, "--keep-identities", cwd=tmp_path)
    assert done.stdout == "leaky.yaml: masked 6 secrets, replaced 0 identities\n"
    assert CANARY not in leaky.read_text()
    assert leaky.read_text().count("jane@acme.test") == 2


def test_personal_fields_that_were_kept_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    body = b'{"displayName":"Jane Doe","secretText":"fake"}'
    answer = Response(status=200, body=body)
    asked = Request(method="GET", url=f"{GRAPH}/v1.0/me")
    save_cassette(path, [Interaction(request=asked, response=answer)], metadata=None)
    done = redact("a.yaml", cwd=tmp_path)
    assert done.stdout == (
        "a.yaml: masked 1 secret, replaced 0 identities, kept 1 personal field "
        "(`personal = true` under [redaction] replaces them)\n"
    )


def test_a_random_value_is_left_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    body = b'{"ticketing":"q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5Pj0Gs-Qa2We4Rt"}'
    asked = Request(method="GET", url=f"{GRAPH}/v1.0/me")
    one = Interaction(request=asked, response=Response(status=200, body=body))
    save_cassette(path, [one], metadata=None)
    done = redact("a.yaml", cwd=tmp_path)
    assert done.stdout == "a.yaml: clean; left 1 finding for you to judge, see `graphtape scan`\n"
    assert open_cassette(path).interactions == (one,)


@pytest.mark.parametrize("suffix", [".har", ".json"])
def test_what_cant_be_written_is_refused_with_the_way_out(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".har":
        entry = {
            "request": {"method": "GET", "url": f"{GRAPH}/x?access_token={CANARY}", "headers": []},
            "response": {"status": 200, "statusText": "", "headers": [], "content": {}},
        }
        path.write_text(json.dumps({"log": {"entries": [entry]}}))
    else:
        save_cassette(tmp_path / "b.yaml", [leak()], metadata=None)
        path.write_text(json.dumps(yaml.safe_load((tmp_path / "b.yaml").read_text())))
    before = path.read_bytes()
    done = redact(path.name, cwd=tmp_path)
    assert done.returncode == 1
    hint = "graphtape convert a.har a.yaml" if suffix == ".har" else "rename it a.yaml"
    assert hint in done.stderr
    assert path.read_bytes() == before


def test_a_json_cassette_renamed_is_redacted(tmp_path: Path) -> None:
    save_cassette(tmp_path / "b.yaml", [leak()], metadata=None)
    tree = yaml.safe_load((tmp_path / "b.yaml").read_text())
    (tmp_path / "b.yaml").write_text(json.dumps(tree, indent=4))
    assert redact("b.yaml", cwd=tmp_path).returncode == 0
    assert findings("b.yaml", cwd=tmp_path) == []


def test_an_error_in_one_file_leaves_it_and_the_others_are_done(
    leaky: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(f"interactions: [{{request: '{CANARY}'}}]\nversion: 1\n")
    done = redact("broken.yaml", leaky.name, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: broken.yaml, interaction 0, request: found a value that")
    assert CANARY not in done.stdout + done.stderr
    assert CANARY in broken.read_text()
    assert findings(leaky, cwd=tmp_path) == []


def test_a_cassette_that_is_being_recorded_is_refused(leaky: Path, tmp_path: Path) -> None:
    with locked(leaky):
        done = redact(leaky, cwd=tmp_path)
    assert done.returncode == 1
    assert "is recording into it" in done.stderr
    assert CANARY in leaky.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_the_file_keeps_its_mode_and_nothing_is_left_beside_it(leaky: Path, tmp_path: Path) -> None:
    leaky.chmod(0o640)
    redact(leaky, cwd=tmp_path)
    assert stat.S_IMODE(leaky.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == [leaky.name]


def test_settings_say_what_is_a_secret(leaky: Path, tmp_path: Path) -> None:
    (tmp_path / "graphtape.toml").write_text('[redaction]\nfields = ["id"]\n')
    redact(leaky, cwd=tmp_path)
    (one,) = open_cassette(leaky).interactions
    assert json.loads(one.response.body)["id"] == "REDACTED"


def test_the_projects_own_cassettes_are_clean(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cassettes", tmp_path / "cassettes")
    done = redact("cassettes", cwd=tmp_path)
    assert done.returncode == 0
    assert {line.partition(": ")[2] for line in done.stdout.splitlines()} == {"clean"}


# --- real recordings


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    for name in ("azure-cli", "quirks"):
        shutil.copytree(SHARED / name, folder / name, copy_function=shutil.copyfile)
        (folder / name).chmod(0o755)
    for path in folder.rglob("vcrpy_old_*"):  # a layout nobody reads
        path.unlink()
    return folder


@needs_recordings
def test_redacted_recordings_hold_nothing_scan_finds(recordings: Path, tmp_path: Path) -> None:
    assert findings(recordings, cwd=tmp_path)
    done = redact(recordings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # Random values are for a person to judge: here, a generated resource name.
    assert {each["rule"] for each in findings(recordings, cwd=tmp_path)} == {"opaque"}
    again = redact(recordings, cwd=tmp_path)
    assert {line.partition(": ")[2][:5] for line in again.stdout.splitlines()} == {"clean"}


@needs_recordings
@pytest.mark.parametrize("name", [path.stem for path in sorted(SHARED.glob("azure-cli/*.yaml"))])
def test_a_redacted_recording_answers_the_requests_of_the_raw_one(
    name: str, recordings: Path, tmp_path: Path
) -> None:
    path = recordings / "azure-cli" / f"{name}.yaml"
    raw = open_cassette(path).interactions
    redact(path, cwd=tmp_path)
    with replaying(path) as proxy, requests.Session() as session:
        session.trust_env = False
        for number, each in enumerate(raw):
            got = session.request(
                each.request.method,
                each.request.url.replace(GRAPH, proxy.url),
                data=each.request.body,
                headers={n: v for n, v in each.request.headers if n.lower() == "content-type"},
                timeout=5,
                allow_redirects=False,
            )
            assert got.headers["Graphtape-Result"] == "replayed", (number, got.text)
            assert got.headers["Graphtape-Interaction"] == str(number)
            assert got.status_code == each.response.status


@needs_recordings
def test_stock_vcrpy_plays_a_redacted_recording(recordings: Path, tmp_path: Path) -> None:
    path = recordings / "azure-cli" / "test_group_scenario.yaml"
    before = open_cassette(path).interactions
    redact(path, cwd=tmp_path)
    theirs = vcr.cassette.Cassette.load(path=str(path))
    assert [each["status"]["code"] for each in theirs.responses] == [
        each.response.status for each in before
    ]
