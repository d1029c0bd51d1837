"""`graphtape scan`, as a user runs it."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from commands import graphtape
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.store import save_cassette
from proxies import SHARED, needs_recordings

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).parents[2]
GRAPH = "https://graph.microsoft.com/v1.0/me"
CANARY = "c4n4ryQ7Zr2Xv9Lk4"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJ{CANARY}abcdef.{CANARY}signature"
KEY = f"-----BEGIN PRIVATE KEY-----\nMIIE{CANARY}\n-----END PRIVATE KEY-----"
OPAQUE = "q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5Pj0Gs-Qa2We4Rt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    code: int
    out: str
    err: str
    findings: list[dict[str, object]] = field(default_factory=list)

    def places(self) -> list[object]:
        return [each["place"] for each in self.findings]


def scanned(*arguments: str | Path, cwd: Path) -> Scanned:
    done = graphtape("scan", "--format", "json", *arguments, cwd=cwd)
    return Scanned(
        code=done.returncode,
        out=done.stdout,
        err=done.stderr,
        findings=json.loads(done.stdout) if done.stdout else [],
    )


def interaction(
    url: str = GRAPH,
    *,
    asked: dict[str, str] | None = None,
    sent: str = "",
    answered: dict[str, str] | None = None,
    got: str = "",
) -> Interaction:
    return Interaction(
        request=Request(
            method="POST", url=url, headers=Headers.of((asked or {}).items()), body=sent.encode()
        ),
        response=Response(
            status=200, headers=Headers.of((answered or {}).items()), body=got.encode()
        ),
    )


PLANTED = {
    "url.query.access_token": interaction(f"{GRAPH}?access_token={CANARY}"),
    "header.Authorization": interaction(asked={"Authorization": f"Bearer {CANARY}"}),
    "header.Cookie": interaction(asked={"Cookie": f"a={CANARY}"}),
    "body.client_secret": interaction(sent=f"grant_type=x&client_secret={CANARY}"),
    "header.Set-Cookie": interaction(answered={"Set-Cookie": f"fpc={CANARY}; path=/"}),
    "header.Location": interaction(
        answered={"Location": f"https://a.sharepoint.example/up?tempauth={CANARY}"}
    ),
    "body.value[1].secretText": interaction(
        got=json.dumps({"value": [{}, {"secretText": CANARY}]})
    ),
    "body.error.message.password": interaction(
        got=json.dumps({"error": {"message": json.dumps({"password": CANARY})}})
    ),
    "body.note": interaction(got=json.dumps({"note": f"got {JWT}"})),
    "body.key": interaction(got=json.dumps({"key": KEY})),
    # The names in a place come from the file, too.
    "body.…": interaction(got=json.dumps({JWT: {"password": "fake-password"}})),
    "body.\ufffd[31m": interaction(got=json.dumps({"\x1b[31m": JWT})),
}


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    path = tmp_path / "leaky.yaml"
    about = {"token": CANARY, JWT: {"password": "fake-password"}}
    save_cassette(path, PLANTED.values(), metadata=None, other_metadata=about)
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.yaml"
    save_cassette(path, [interaction(got='{"value":"inprogress"}')], metadata=None)
    return path


def with_secret(path: Path, secret: str, *, before: int = 0) -> Path:
    dull = [interaction(got='{"id":"1"}')] * before
    save_cassette(
        path, [*dull, interaction(got=json.dumps({"clientSecret": secret}))], metadata=None
    )
    return path


def test_every_planted_secret_is_found_where_it_is(leaky: Path, tmp_path: Path) -> None:
    found = scanned(leaky.name, cwd=tmp_path)
    assert found.code == 1
    for number, place in enumerate(PLANTED):
        places = [f["place"] for f in found.findings if f["interaction"] == number]
        assert any(str(each).partition(".")[2].startswith(place) for each in places), place
    outside = [f["place"] for f in found.findings if f["interaction"] is None]
    assert sorted(map(str, outside)) == ["metadata.token", "metadata.…"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_printed(form: str, leaky: Path, tmp_path: Path) -> None:
    done = graphtape("scan", "--format", form, leaky, cwd=tmp_path)
    assert CANARY not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_line_names_file_interaction_place_excerpt_and_rule(tmp_path: Path) -> None:
    with_secret(tmp_path / "a.yaml", "fake-client-secret", before=3)
    done = graphtape("scan", "a.yaml", cwd=tmp_path)
    assert done.stdout == (
        "a.yaml, interaction 3, response.body.clientSecret: fak… (18 characters) [secret]\n"
    )
    assert done.stderr == (
        "1 cassette: 1 finding (1 secret); clean them with `graphtape redact`; "
        "allow a value that is fine under allow-values, or accept it by --write-baseline\n"
    )
    assert done.returncode == 1


def test_json_is_a_list_of_findings(tmp_path: Path) -> None:
    with_secret(tmp_path / "a.yaml", "fake-client-secret")
    assert scanned("a.yaml", cwd=tmp_path).findings == [
        {
            "file": "a.yaml",
            "interaction": 0,
            "place": "response.body.clientSecret",
            "excerpt": "fak… (18 characters)",
            "rule": "secret",
        }
    ]


def test_a_clean_cassette_exits_0(clean: Path, tmp_path: Path) -> None:
    found = scanned(clean, cwd=tmp_path)
    assert (found.code, found.findings) == (0, [])
    assert found.err == "1 cassette: 0 findings\n"


def test_the_projects_own_cassettes_are_no_alarm(tmp_path: Path) -> None:
    found = scanned(ROOT / "cassettes", ROOT / "tests", cwd=tmp_path)
    assert (found.code, found.findings) == (0, []), found.err


def test_what_could_not_be_looked_at_wins_and_the_rest_is_scanned(
    leaky: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("interactions: [{")
    found = scanned("broken.yaml", leaky.name, "missing.yaml", cwd=tmp_path)
    assert found.code == 2
    assert len(found.findings) > len(PLANTED)
    assert "could not look: broken.yaml, line 2: not YAML" in found.err
    assert "could not look: missing.yaml: no such cassette" in found.err
    assert "2 files could not be looked at" in found.err


@pytest.mark.parametrize(
    "text",
    [
        f"interactions: [{{request: {{uri: '{CANARY}'}}, response: {{}}}}]\nversion: 1\n",
        "interactions: [{request: {uri: 'https://h/', headers: {Key: 48151623}}}]\nversion: 1\n",
        f"interactions: [*{CANARY}]\nversion: 1\n",
        f"interactions: [!!timestamp '{CANARY}']\nversion: 1\n",
        f"interactions: [!!int '{CANARY}']\nversion: 1\n",
        f"interactions: []\nversion: {CANARY}\n",
        f"interactions: [{{request: {{'token {JWT}': 1}}, response: {{}}}}]\nversion: 1\n",
    ],
    ids=["text", "number", "alias", "date", "integer", "version", "unknown field"],
)
def test_a_broken_cassette_is_refused_without_what_it_holds(text: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    found = scanned("broken.yaml", cwd=tmp_path)
    assert found.code == 2
    assert "could not look: broken.yaml" in found.err
    assert CANARY not in found.out + found.err
    assert "48151623" not in found.out + found.err


def test_a_broken_cassette_is_searched_for_tokens_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(f"interactions: [{{ {JWT}")
    found = scanned("broken.yaml", cwd=tmp_path)
    assert (found.code, found.places()) == (2, ["file"])


@pytest.mark.parametrize("secret", [JWT, KEY.replace("\n", "")], ids=["token", "private key"])
def test_a_secret_in_a_comment_is_found(secret: str, clean: Path, tmp_path: Path) -> None:
    clean.write_text(f"# recorded with {secret}\n{clean.read_text()}")
    found = scanned(clean, cwd=tmp_path)
    assert [(f["interaction"], f["place"]) for f in found.findings] == [(None, "file")]


def test_a_secret_under_a_key_no_reader_knows_is_found(clean: Path, tmp_path: Path) -> None:
    tree = yaml.safe_load(clean.read_text())
    tree["interactions"][0]["curl"] = f"curl -H 'X-Token: {JWT}'"
    clean.write_text(yaml.safe_dump(tree))
    assert scanned(clean, cwd=tmp_path).places() == ["file"]


@pytest.mark.parametrize("width", [80, 2**20], ids=["folded", "unfolded"])
def test_a_secret_of_an_interaction_is_found_once_however_yaml_spells_it(
    width: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, [interaction(got=json.dumps({"note": f"é {KEY}"}))], metadata=None)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()), width=width))
    assert scanned(path, cwd=tmp_path).places() == ["response.body.note"]


def har(*entries: dict[str, object]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


def har_entry(*, token: str, status: int = 200) -> dict[str, object]:
    header = {"name": "Authorization", "value": f"Bearer {token}"}
    return {
        "startedDateTime": "2026-01-05T08:30:00Z",
        "request": {"method": "GET", "url": GRAPH, "headers": [header]},
        "response": {"status": status, "statusText": "", "headers": [], "content": {}},
    }


def test_a_har_file_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "a.har").write_text(har(har_entry(token=CANARY)))
    found = scanned("a.har", cwd=tmp_path)
    assert (found.code, found.places()) == (1, ["request.header.Authorization"])


def test_a_har_entry_that_is_no_interaction_is_searched_for_tokens(tmp_path: Path) -> None:
    (tmp_path / "a.har").write_text(har(har_entry(token=JWT, status=0)))
    found = scanned("a.har", cwd=tmp_path)
    assert (found.code, found.places()) == (1, ["file"])
    assert "a.har: searched for tokens and keys alone: entry 0" in found.err


def test_a_json_cassette_is_looked_through(tmp_path: Path) -> None:
    tree = yaml.safe_load(with_secret(tmp_path / "a.yaml", "fake").read_text())
    (tmp_path / "b.json").write_text(json.dumps(tree))
    assert scanned("b.json", cwd=tmp_path).places() == ["response.body.clientSecret"]


def test_a_folder_is_looked_through_and_what_is_no_cassette_passed_over(tmp_path: Path) -> None:
    with_secret(tmp_path / "in" / "deep" / "a.yml", "fake")
    with_secret(tmp_path / "in" / ".venv" / "b.yaml", "fake")
    (tmp_path / "in" / "package.json").write_text('{"name": "app", "interactions-of": 1}')
    (tmp_path / "in" / "api.json").write_text('{"paths": {"interactions": {"a": "\\"}}')
    (tmp_path / "in" / "ci.yaml").write_text("jobs:\n  interactions: many\n  bad: [\n")
    (tmp_path / "in" / "notes.txt").write_text(JWT)
    found = scanned("in", cwd=tmp_path)
    assert [f["file"] for f in found.findings] == [str(Path("in", "deep", "a.yml"))]
    assert (found.code, found.err.count("could not look")) == (2, 1)  # api.json is broken JSON


def test_a_file_is_scanned_once_however_often_it_is_named(tmp_path: Path) -> None:
    with_secret(tmp_path / "a.yaml", "fake")
    assert len(scanned("a.yaml", ".", "a.yaml", cwd=tmp_path).findings) == 1


def test_a_random_value_in_an_unknown_place_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, [interaction(got=json.dumps({"ticketing": OPAQUE}))], metadata=None)
    assert [f["rule"] for f in scanned(path, cwd=tmp_path).findings] == ["opaque"]


def test_settings_say_what_is_a_secret_and_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(
        path,
        [interaction(got=json.dumps({"ticketing": OPAQUE, "pin": "4711"}))],
        metadata=None,
    )
    settings = tmp_path / "own.toml"
    settings.write_text(f'[redaction]\nfields = ["pin"]\nallow-values = ["{OPAQUE}"]\n')
    assert scanned(path, "--config", settings, cwd=tmp_path).places() == ["response.body.pin"]


def test_identities_are_no_findings_where_they_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, [interaction(got='{"mail":"jane@acme.test"}')], metadata=None)
    assert scanned(path, cwd=tmp_path).places() == ["response.body.mail"]
    assert scanned(path, "--keep-identities", cwd=tmp_path).code == 0


# --- baselines


def accept(*paths: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return graphtape("scan", "--write-baseline", "accepted.json", *paths, cwd=cwd)


def test_accepted_findings_dont_count(leaky: Path, tmp_path: Path) -> None:
    assert accept(leaky.name, cwd=tmp_path).returncode == 0
    found = scanned("--baseline", "accepted.json", leaky.name, cwd=tmp_path)
    assert (found.code, found.findings) == (0, [])
    assert "0 findings, " in found.err
    assert "accepted" in found.err


def test_a_baseline_holds_nothing_of_a_secret_but_16_bits(leaky: Path, tmp_path: Path) -> None:
    done = accept(leaky.name, cwd=tmp_path)
    text = (tmp_path / "accepted.json").read_text()
    assert CANARY not in text + done.stdout + done.stderr
    for each in json.loads(text)["accepted"]:
        assert sorted(each) == ["digest", "file", "place", "rule"]
        assert len(each["digest"]) == 4


def test_another_secret_in_an_accepted_place_is_found(tmp_path: Path) -> None:
    with_secret(tmp_path / "a.yaml", "fake-secret-1")
    accept("a.yaml", cwd=tmp_path)
    with_secret(tmp_path / "a.yaml", "fake-secret-2")
    found = scanned("--baseline", "accepted.json", "a.yaml", cwd=tmp_path)
    assert (found.code, found.places()) == (1, ["response.body.clientSecret"])


def test_an_accepted_finding_may_move_to_another_interaction(tmp_path: Path) -> None:
    with_secret(tmp_path / "a.yaml", "fake-secret-1")
    accept("a.yaml", cwd=tmp_path)
    with_secret(tmp_path / "a.yaml", "fake-secret-1", before=2)
    assert scanned("--baseline", "accepted.json", "a.yaml", cwd=tmp_path).code == 0


def test_a_baseline_holds_from_whichever_folder_it_is_used(tmp_path: Path) -> None:
    with_secret(tmp_path / "tapes" / "a.yaml", "fake")
    accept("tapes", cwd=tmp_path)
    assert scanned("--baseline", "../accepted.json", "a.yaml", cwd=tmp_path / "tapes").code == 0


def test_an_accepted_finding_that_is_gone_is_named(clean: Path, tmp_path: Path) -> None:
    with_secret(tmp_path / "a.yaml", "fake")
    accept("a.yaml", cwd=tmp_path)
    shutil.copy(clean, tmp_path / "a.yaml")
    found = scanned("--baseline", "accepted.json", "a.yaml", cwd=tmp_path)
    assert found.code == 0
    assert "accepted.json: 1 accepted finding found no more" in found.err


def test_a_baseline_written_again_is_the_same(leaky: Path, tmp_path: Path) -> None:
    accept(leaky.name, cwd=tmp_path)
    first = (tmp_path / "accepted.json").read_bytes()
    accept(leaky.name, cwd=tmp_path)
    assert (tmp_path / "accepted.json").read_bytes() == first


def test_a_file_that_is_no_baseline_is_never_replaced(leaky: Path, tmp_path: Path) -> None:
    (tmp_path / "accepted.json").write_text('{"mine": 1}')
    done = accept(leaky.name, cwd=tmp_path)
    assert done.returncode == 2
    assert "accepted.json: not a baseline" in done.stderr
    assert (tmp_path / "accepted.json").read_text() == '{"mine": 1}'


def test_a_missing_baseline_is_could_not_look(clean: Path, tmp_path: Path) -> None:
    found = scanned("--baseline", "missing.json", clean, cwd=tmp_path)
    assert found.code == 2
    assert "write it first with --write-baseline" in found.err


# --- what real recordings hold


@needs_recordings
def test_real_recordings_raise_no_false_alarm_of_random_values(tmp_path: Path) -> None:
    found = scanned(SHARED / "azure-cli", SHARED / "har", cwd=tmp_path)
    assert found.code == 1
    assert "opaque" not in {each["rule"] for each in found.findings}
    quirks = scanned(SHARED / "quirks", cwd=tmp_path)
    # A generated resource name of 48 characters: as random as a key, and no one's to tell apart.
    random = [f for f in quirks.findings if f["rule"] == "opaque"]
    assert {f["place"] for f in random} == {"response.body.value[0].name"}


@needs_recordings
def test_a_layout_nobody_reads_is_could_not_look_in_a_folder_too(tmp_path: Path) -> None:
    found = scanned(SHARED / "quirks", cwd=tmp_path)
    assert found.code == 2
    assert found.err.count("could not look") == 2
    assert found.err.count("the layout vcrpy had before version 1.0") == 2


def test_the_hook_offered_to_pre_commit_runs_scan() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert (hook["id"], hook["entry"], hook["language"]) == (
        "graphtape-scan",
        "graphtape scan",
        "python",
    )


def test_sarif_names_rule_file_place_and_how_to_allow(tmp_path: Path) -> None:
    path = tmp_path / "a b.yaml"
    save_cassette(
        path, [interaction(got=json.dumps({"clientSecret": CANARY, "note": OPAQUE}))], metadata=None
    )
    done = graphtape("scan", "--format", "sarif", path.name, cwd=tmp_path)
    assert done.returncode == 1
    log = json.loads(done.stdout)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    known = {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    results = log["runs"][0]["results"]
    assert [(each["ruleId"], each["level"]) for each in results] == [
        ("secret", "error"),
        ("opaque", "warning"),
    ]
    for each in results:
        (location,) = each["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.yaml"
        assert location["logicalLocations"][0]["fullyQualifiedName"].startswith("interactions[0].")
        assert "allow-values" in each["message"]["text"]
        assert each["ruleId"] in known
    assert CANARY not in done.stdout


@pytest.mark.parametrize(
    "value",
    [
        "https://graph.microsoft.com/v1.0/me/drive/root/delta(token='q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5')",
        f"https://graph.microsoft.com/v1.0/drives/b!x/root/delta?token={OPAQUE}",
        f"https://graph.microsoft.com/v1.0/me/messages?$skiptoken={OPAQUE}",
        "AAMkAGI2TG93AAAq7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5Pj0Gs_Qa2We4Rt=",
        "01BYE5RZ6QN3ZWBTUFOFD3GSPGOHDJD36K",
        "b!" + OPAQUE + "q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1",
    ],
)
def test_graphs_own_cursors_and_ids_are_no_findings(value: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    got = json.dumps({"@odata.deltaLink": value, "item": value, "note": f"see {value} there"})
    save_cassette(path, [interaction(got=got)], metadata=None)
    assert scanned(path.name, cwd=tmp_path).findings == []


def test_what_was_opened_masked_and_packed_again_is_no_finding(tmp_path: Path) -> None:
    script = base64.b64encode(b"$password = 'REDACTED'\nInstall-It -Quiet\n").decode()
    path = tmp_path / "a.yaml"
    save_cassette(path, [interaction(got=json.dumps({"scriptContent": script}))], metadata=None)
    assert scanned(path.name, cwd=tmp_path).findings == []


@pytest.mark.parametrize(
    "secret", ["xoxb-0000000000-fake", "AKIA" + "FAKE" * 4, "DB_PASSWORD=hunter2-fake"]
)
def test_a_comment_is_searched_for_keys_and_named_secrets(
    secret: str, clean: Path, tmp_path: Path
) -> None:
    clean.write_text(f"# {secret}\n" + clean.read_text())
    found = scanned(clean, cwd=tmp_path)
    assert [(each["place"], each["rule"]) for each in found.findings] == [("file", "secret")]
