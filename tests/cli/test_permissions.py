"""`graphtape permissions`, and the permissions of tokens on tape."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from commands import graphtape
from graphtape.tape.store import open_cassette
from tapes import exchanged, taped

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
SETTINGS = "/devicemanagement/chromeosonboardingsettings"
READ, WRITE = (
    "DeviceManagementConfiguration.Read.All",
    "DeviceManagementConfiguration.ReadWrite.All",
)
ASK = """
import os, sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for token in sys.argv[1:]:
    request = urllib.request.Request(os.environ["GRAPH_BASE_URL"] + "/v1.0/users")
    request.add_header("Authorization", "Bearer " + token)
    opener.open(request, timeout=10).read()
"""


def document(folder: Path) -> Path:
    """Write by hand what Microsoft's file would say of a few operations."""

    schemes = ["DelegatedWork", "Application"]
    least = f"least={','.join(schemes)}"

    def permission(*sets: tuple[str, list[str], str]) -> object:
        return {
            "schemes": {scheme: {"privilegeLevel": 4} for scheme in schemes},
            "pathSets": [
                {
                    "schemeKeys": schemes,
                    "methods": methods.split(),
                    "paths": dict.fromkeys(at, said),
                }
                for methods, at, said in sets
            ],
        }

    both = [SETTINGS, f"{SETTINGS}/{{id}}"]
    actions = [f"{SETTINGS}/connect", f"{SETTINGS}/disconnect"]
    tree = {
        READ: permission(("GET", both, least)),
        WRITE: permission(
            ("POST", actions, least), ("PATCH DELETE", both, least), ("GET", both, "")
        ),
    }
    path = folder / "permissions.json"
    path.write_text(json.dumps({"permissions": tree}))
    return path


def token(**claims: object) -> str:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
        for each in ({"alg": "none"}, {"aud": "https://graph.microsoft.com", **claims})
    )
    return f"{head}.{body}.not-a-signature"


def test_the_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    document(tmp_path)
    shutil.copy(ROOT / "cassettes" / "disconnect-sandbox.yaml", tmp_path / "tape.yaml")
    ((command, output),) = re.findall(r"```console\n\$ graphtape (.*)\n((?:.*\n)*?)```", PAGE)
    done = graphtape(*command.split(), cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 0)


def recorded(folder: Path, *tokens: str, name: str = "t.yaml", mode: str = "once") -> Path:
    command = (sys.executable, "-c", ASK, *tokens)
    done = graphtape(
        "record", name, "--upstream", "sandbox", "--mode", mode, "--", *command, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder / name


def test_a_recording_knows_the_permissions_of_its_tokens_and_nothing_else_of_them(
    tmp_path: Path,
) -> None:
    user = token(scp="User.Read Mail.Send openid", oid="11111111-2222-3333-4444-555555555555")
    path = recorded(tmp_path, user, user, "not-a-jwt", token(roles=["User.Read.All", "a b<c>"]))
    metadata = open_cassette(path).metadata
    assert metadata is not None
    assert metadata.scopes == ("Mail.Send", "User.Read", "openid")
    assert metadata.roles == ("User.Read.All",)
    text = path.read_text()
    assert "11111111-2222" not in text
    assert "not-a-signature" not in text
    again = recorded(tmp_path, token(roles=["User.Read.All"]), mode="all")
    metadata = open_cassette(again).metadata
    assert metadata is not None
    assert (metadata.scopes, metadata.roles) == ((), ("User.Read.All",))


def test_what_the_tokens_had_beyond_is_named(tmp_path: Path) -> None:
    document(tmp_path)
    batch = {
        "requests": [
            {"id": "1", "method": "GET", "url": "/deviceManagement/chromeOSOnboardingSettings"},
            {"id": "2", "method": "GET", "url": "/users"},
        ]
    }
    answers = {"responses": [{"id": "1", "status": 200}, {"id": "2", "status": 403}]}
    json_typed = {"Content-Type": "application/json"}
    path = taped(
        tmp_path,
        exchanged(
            "POST",
            "/v1.0/$batch",
            json.dumps(answers),
            asked=json_typed,
            body=json.dumps(batch),
            fields=json_typed,
        ),
    )
    about = f"upstream: global, scopes: [{WRITE}, Directory.Read.All, openid, {READ.lower()}]"
    ours = f"format: 1, graphtape: 0.1.0, {about}, interactions: 1"
    path.write_text(f"{path.read_text()}metadata: {{graphtape: {{{ours}}}}}\n")
    done = graphtape("permissions", "tape.yaml", "--permissions", "permissions.json", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"GET /v1.0/deviceManagement/chromeOSOnboardingSettings  {READ}",
        "GET /v1.0/users: not in the permissions document",
        "",
        f"fewest delegated permissions: {READ}",
        f"beyond them the recorded tokens had: {WRITE}, Directory.Read.All",
    ]
    command = ("permissions", "tape.yaml", "--permissions", "permissions.json", "--format", "json")
    tree = json.loads(graphtape(*command, "--delegated", cwd=tmp_path).stdout)
    assert tree["kind"] == "delegated"
    assert tree["operations"][0]["permissions"] == [READ, WRITE]
    assert (tree["smallest"], tree["unknown"]) == ([READ], ["GET /v1.0/users"])
    assert tree["beyond"] == [WRITE, "Directory.Read.All"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("permissions.json", "{", "not JSON"),
        ("permissions.json", "{}", "not a permissions document: it has no mapping"),
        ("permissions.json", None, "no such file"),
        ("tape.yaml", "", "the file is empty"),
        ("tape.yaml", None, "no such cassette"),
    ],
)
def test_what_can_not_be_read_is_2_with_one_line(
    name: str, content: str | None, said: str, tmp_path: Path
) -> None:
    document(tmp_path)
    taped(tmp_path, exchanged("GET", "/v1.0/me"))
    path = tmp_path / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    done = graphtape(
        "permissions", "tape.yaml", "--permissions", "permissions.json", "--delegated", cwd=tmp_path
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_whose_permissions_are_meant_is_asked_where_nothing_says(tmp_path: Path) -> None:
    document(tmp_path)
    taped(tmp_path, exchanged("GET", "/v1.0/me"))
    done = graphtape("permissions", "tape.yaml", "--permissions", "permissions.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "say --delegated or --application: no recorded token says" in done.stderr
