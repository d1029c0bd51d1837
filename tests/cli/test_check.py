"""`graphtape check`: what Graph doesn't have is named; what Graph really said passes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from commands import graphtape
from graphtape.core.check.checker import Checker
from graphtape.core.matching.shape import answered_parts
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape.graph_model import model
from graphtape.tape.store import open_cassette
from proxies import SHARED, needs_recordings
from tapes import exchanged, taped

HERE = Path(__file__).parents[2]
ROOT = "https://graph.microsoft.com"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
CONFIGURATIONS = "/beta/deviceManagement/deviceConfigurations"
JSON = {"Content-Type": "application/json"}
HEADERS = Headers(tuple(JSON.items()))
CHECKER = Checker(models=model)


def found(call: str, *, sent: object = None, answer: object = None, status: int = 200) -> list[str]:
    method, _, path = call.partition(" ")
    body, answered = ("" if each is None else json.dumps(each) for each in (sent, answer))
    return [
        f"{each.place}: {each}"
        for each in CHECKER.interaction(
            Interaction(
                request=Request(
                    method=method, url=ROOT + path, headers=HEADERS, body=body.encode()
                ),
                response=Response(status=status, headers=HEADERS, body=answered.encode()),
            )
        )
    ]


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (f"POST {SETTINGS}/disconect", "; disconnect?"),
        (f"POST {SETTINGS}/conect", "; connect?"),
        (f"PUT {SETTINGS}", ": it takes GET, POST"),
        ("GET /v1.0/deviceManagement/chromeOSOnboardingSettings", ": beta has it"),
        ("GET /v1.0/user", "; users?"),
        ("GET /v1.0/me/mesages", "; messages?"),
        ("DELETE /v1.0/users", ": it takes GET, POST"),
        ("GET /beta/devicemanagment/managedDevices", "; deviceManagement?"),
    ],
)
def test_an_operation_that_graph_lacks_is_named(call: str, hint: str) -> None:
    assert found(call) == [f"request: no {call}{hint}"]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("GET /v1.0/groups/1/member", "no GET /v1.0/groups/{id}/member; members?"),
        ("POST /v1.0/users/1/sendMails", "no POST /v1.0/users/{id}/sendMails; sendMail?"),
        (
            "GET /v1.0/drives/1/items/2/childrens",
            "no GET /v1.0/drives/{id}/items/{id}/childrens; children?",
        ),
    ],
)
def test_it_is_named_whatever_it_is_called_on(call: str, named: str) -> None:
    assert found(call) == [f"request: {named}"]


@pytest.mark.parametrize(
    ("call", "option"),
    [
        ("GET /v1.0/users?$selects=id", "$selects; $select?"),
        ("GET /v1.0/users?%24fitler=a", "$fitler; $filter?"),
        ("GET /v1.0/users/1?$top=5", "$top"),
        (f"GET {SETTINGS}/1?$filter=x", "$filter"),
        ("GET /v1.0/me/calendarView?startDate=x&endDateTime=y", "startDate; startDateTime?"),
    ],
)
def test_a_query_option_that_the_operation_lacks_is_named(call: str, option: str) -> None:
    (line,) = found(call)
    assert line.startswith("request.query: GET /")
    assert line.endswith(f" takes no query option {option}")


KIND = "chromeOSOnboardingSettings"
MUTATIONS: list[tuple[str, object, object, str, str]] = [
    (f"GET {SETTINGS}/1", None, {"onboardingState": "failed"},
     "response.body.onboardingState", f"{KIND} has no property onboardingState; onboardingStatus?"),
    (f"GET {SETTINGS}/1", None, {"OnboardingStatus": "failed"},
     "response.body.OnboardingStatus",
     f"{KIND} has no property OnboardingStatus; onboardingStatus?"),
    (f"GET {SETTINGS}/1", None, {"onboardingStatus": "fail"},
     "response.body.onboardingStatus", "onboardingStatus has no member 'fail'; failed?"),
    (f"GET {SETTINGS}/1", None, {"onboardingStatus": "Failed"},
     "response.body.onboardingStatus", "onboardingStatus has no member 'Failed'; failed?"),
    (f"GET {SETTINGS}", None, {"value": [{"id": "1"}, {"ownerUserPrincipal": "x"}]},
     "response.body.value[1].ownerUserPrincipal",
     f"{KIND} has no property ownerUserPrincipal; ownerUserPrincipalName?"),
    (f"POST {SETTINGS}/disconnect", None, {"value": "in-progress"},
     "response.body.value", "chromeOSOnboardingStatus has no member 'in-progress'; inprogress?"),
    (f"POST {SETTINGS}/connect", {"ownerAccessTokn": "x"}, {"value": "inprogress"},
     "request.body.ownerAccessTokn", "connect has no property ownerAccessTokn; ownerAccessToken?"),
    ("GET /v1.0/users", None, {"value": [{"displayname": "x"}]},
     "response.body.value[0].displayname", "user has no property displayname; displayName?"),
    ("GET /v1.0/users/1", None, {"accountEnable": True},
     "response.body.accountEnable", "user has no property accountEnable; accountEnabled?"),
    ("POST /v1.0/users", {"passwordProfile": {"pasword": "x"}}, None,
     "request.body.passwordProfile.pasword", "passwordProfile has no property pasword; password?"),
    ("PATCH /v1.0/groups/1", {"securityEnable": True}, None,
     "request.body.securityEnable", "group has no property securityEnable; securityEnabled?"),
    ("POST /v1.0/me/events", {"subject": "a", "showAs": "bussy"}, None,
     "request.body.showAs", "freeBusyStatus has no member 'bussy'; busy?"),
    ("POST /v1.0/me/sendMail", {"message": {"importance": "hi"}}, None,
     "request.body.message.importance", "importance has no member 'hi'; high?"),
    ("POST /v1.0/me/sendMail", {"Message": {"toRecipient": []}}, None,
     "request.body.Message.toRecipient", "message has no property toRecipient; toRecipients?"),
    ("GET /v1.0/me/messages", None, {"value": [{"body": {"contentType": "markdown"}}]},
     "response.body.value[0].body.contentType", "bodyType has no member 'markdown'"),
    ("GET /beta/deviceManagement/managedDevices/1", None, {"complianceState": "complaint"},
     "response.body.complianceState", "complianceState has no member 'complaint'; compliant?"),
    ("GET /v1.0/subscriptions", None, {"value": [{"changetype": "created"}]},
     "response.body.value[0].changetype", "subscription has no property changetype; changeType?"),
    ("GET /v1.0/groups/1/members", None,
     {"value": [{"@odata.type": "#microsoft.graph.user", "userPrincipleName": "x"}]},
     "response.body.value[0].userPrincipleName",
     "user has no property userPrincipleName; userPrincipalName?"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "sent", "answer", "place", "said"), MUTATIONS)
def test_a_property_or_member_that_graph_lacks_is_named(
    call: str, sent: object, answer: object, place: str, said: str
) -> None:
    assert found(call, sent=sent, answer=answer) == [f"{place}: {said}"]


@pytest.mark.parametrize(
    "call",
    [
        "GET /v1.0/me",
        "GET /v1.0/ME/Messages",
        "GET /v1.0/me/displayName",
        "GET /v1.0/me/drive/root:/a/b.txt:/content",
        "GET /v1.0/me/drive/root/children",
        "GET /v1.0/drive/items/1/content",
        "GET /v1.0/users/1/photo/$value",
        "GET /v1.0/users/$count",
        "GET /v1.0/users('jane@contoso.com')/messages?$search=x&$top=3",
        "GET /v1.0/users/delta?$deltatoken=x",
        "GET /v1.0/users?$skiptoken=x&$count=true&$orderby=b",
        "GET /v1.0/users?select=id",
        "GET /v1.0/users/1/manager/$ref",
        "GET /v1.0/applications(appId='x')",
        "GET /v1.0/sites/contoso.sharepoint.com:/sites/a",
        "GET /v1.0/groups/1/members/microsoft.graph.user",
        "GET /v1.0/reports/getOffice365ActiveUserDetail(period='D7')",
        "GET /beta/devices/1/microsoft.graph.device",
        f"GET {CONFIGURATIONS}/1/microsoft.graph.windows10GeneralConfiguration",
        "POST /v1.0/directoryObjects/microsoft.graph.getByIds",
        "POST /v1.0/$batch",
        "GET /v1.0/$metadata",
        f"POST {SETTINGS}/microsoft.graph.disconnect",
        "GET /some/other/path",
    ],
)
def test_what_graph_has_passes_however_it_is_spelled(call: str) -> None:
    assert found(call) == []


@pytest.mark.parametrize(
    ("call", "answer", "status"),
    [
        ("GET /v1.0/users/1", {"@odata.context": "x", "manager@odata.bind": "x"}, 200),
        ("GET /v1.0/users/1", {"extension_0a1_badge": "x", "ext1_data": {"any": 1}}, 200),
        ("GET /v1.0/groups/1/members", {"value": [{"userPrincipalName": "a", "mail": None}]}, 200),
        ("GET /v1.0/users/1", {"error": {"code": "Request_ResourceNotFound"}}, 404),
        ("GET /v1.0/users/1", ["not", "an", "object"], 200),
        ("GET /v1.0/me/messages/1", {"flag": {"flagStatus": "complete"}, "categories": ["x"]}, 200),
        ("GET /v1.0/schemaExtensions/1", {"targetTypes": ["User"], "status": "Available"}, 200),
    ],
)
def test_what_is_no_property_is_not_judged(call: str, answer: object, status: int) -> None:
    assert found(call, answer=answer, status=status) == []


RECORDINGS = sorted(
    path
    for pattern in ("har/*.har", "azure-cli/*.yaml", "quirks/*")
    for path in SHARED.glob(pattern)
    if "old_cassette" not in path.name
)


@needs_recordings
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_what_graph_really_said_passes(path: Path) -> None:
    interactions = open_cassette(path).interactions
    assert interactions
    for interaction in interactions:
        for each in (interaction, *answered_parts(interaction)):
            assert CHECKER.interaction(each) == []


def test_our_own_cassettes_and_presets_pass() -> None:
    presets = Path(str(files("graphtape"))) / "presets"
    named = [*(HERE / "cassettes").glob("*.yaml"), *presets.glob("*.yaml")]
    done = graphtape("check", *map(str, sorted(named)), cwd=HERE)
    assert (done.returncode, done.stdout) == (0, "nothing found\n"), done.stderr


def test_the_example_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    page = (HERE / "docs" / "check.md").read_text(encoding="utf-8")
    (tape,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ((command, output),) = re.findall(r"```console\n\$ graphtape (.*)\n((?:.*\n)*?)```", page)
    (tmp_path / "mine.yaml").write_text(tape)
    done = graphtape(*command.split(), cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (output, "", 1)


def test_cassettes_scenarios_and_mocks_are_told_apart(tmp_path: Path) -> None:
    taped(
        tmp_path,
        exchanged("GET", f"{SETTINGS}/1", '{"onboardingStatus": "gone"}', fields=JSON),
        exchanged("POST", f"{SETTINGS}/disconect", fields=JSON),
    )
    rules = [
        {"when": {"path": "/users/{id}", "query": {"$expnd": None}}, "status": 404},
        {"when": {"path": "/users/**"}, "status": 404},
        {
            "when": {"path": "/deviceManagement/chromeOSOnboardingSettings/{id}"},
            "set": {"$.onboardingStatus": "gone", "$.a[0]": 1},
        },
        {
            "when": {"method": ["GET"], "path": "/groups"},
            "answer": {"status": 200, "body": {"value": [{"displayNam": "x"}]}},
        },
        {"when": {"action": "disconnect"}, "status": 500},
    ]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"name": "s", "rules": rules}))
    mocks = [
        {"request": {"url": f"{ROOT}/v1.0/me"}, "response": {"body": {"displayNam": "x"}}},
        {"request": {"url": f"{ROOT}/v1.0/usrs/*/messages"}, "response": {"body": {}}},
    ]
    (tmp_path / "m.json").write_text(json.dumps({"mocks": mocks}))
    done = graphtape("check", "tape.yaml", "s.yaml", "m.json", cwd=tmp_path)
    assert done.returncode == 1
    assert [line.split(": ", 1) for line in done.stdout.splitlines()] == [
        [
            "tape.yaml, interaction 0, response.body.onboardingStatus",
            "onboardingStatus has no member 'gone'",
        ],
        ["tape.yaml, interaction 1, request", f"no POST {SETTINGS}/disconect; disconnect?"],
        [
            "s.yaml, rule 0, request.query",
            "GET /v1.0/users/{id} takes no query option $expnd; $expand?",
        ],
        ["s.yaml, rule 2, set.onboardingStatus", "onboardingStatus has no member 'gone'"],
        [
            "s.yaml, rule 3, answer.body.value[0].displayNam",
            "group has no property displayNam; displayName?",
        ],
        [
            "m.json, interaction 0, response.body.displayNam",
            "user has no property displayNam; displayName?",
        ],
        [
            "m.json, mock 1 (GET graph.microsoft.com), request",
            "no GET /v1.0/usrs/{id}/messages; users?",
        ],
    ]


def test_findings_are_json_and_sarif_too(tmp_path: Path) -> None:
    taped(tmp_path, exchanged("POST", f"{SETTINGS}/disconect"))
    done = graphtape("check", "tape.yaml", "--format", "json", cwd=tmp_path)
    assert json.loads(done.stdout) == [
        {
            "file": "tape.yaml",
            "at": "interaction 0",
            "place": "request",
            "lacks": "operation",
            "what": f"POST {SETTINGS}/disconect",
            "near": "disconnect",
        }
    ]
    done = graphtape("check", "tape.yaml", "--format", "sarif", cwd=tmp_path)
    assert done.returncode == 1
    (run,) = json.loads(done.stdout)["runs"]
    (result,) = run["results"]
    assert result["ruleId"] == "operation"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {
        "operation", "query-option", "property", "enum-member",
    }  # fmt: skip
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "tape.yaml"


def test_what_can_not_be_looked_at_is_2_and_the_others_are(tmp_path: Path) -> None:
    taped(tmp_path, exchanged("GET", "/v1.0/user"))
    (tmp_path / "cut.json").write_text('{"mocks": [')
    (tmp_path / "wrong.yaml").write_text("name: x\nrules:\n- when: {pth: /users}\n  status: 404\n")
    done = graphtape("check", "cut.json", "no.yaml", "wrong.yaml", "tape.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert "Traceback" not in done.stderr
    assert "no GET /v1.0/user; users?" in done.stdout
    nothing = graphtape("check", "cut.json", cwd=tmp_path)
    assert (nothing.returncode, nothing.stdout) == (2, "")


ASK = """
import os, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def ask(path, method="GET", body=None):
    request = urllib.request.Request(os.environ["GRAPH_BASE_URL"] + path, method=method, data=body)
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", "Bearer not-a-real-token")
    opener.open(request, timeout=10).read()
ask("/v1.0/groups", "POST", b'{"displayNam": "x", "visibility": "Private"}')
for _ in range(25):
    ask("/v1.0/users?$selects=id")
"""


@pytest.mark.parametrize("option", [(), ("--fail-on", "not-in-graph")], ids=["no", "yes"])
def test_the_requests_of_a_run_are_looked_at_where_that_is_asked_for(
    option: tuple[str, ...], tmp_path: Path
) -> None:
    taped(
        tmp_path,
        exchanged("GET", "/v1.0/users?$selects=id", '{"value": []}', fields=JSON),
        exchanged(
            "POST",
            "/v1.0/groups",
            "{}",
            body='{"displayNam": "x", "visibility": "Private"}',
            asked=JSON,
            fields=JSON,
        ),
    )
    command = (sys.executable, "-c", ASK)
    done = graphtape("replay", "tape.yaml", *option, "--", *command, cwd=tmp_path)
    assert done.returncode == (1 if option else 0), done.stderr
    assert ("not-in-graph" in done.stderr) == bool(option)
    if option:
        lines = [line for line in done.stderr.splitlines() if "not-in-graph" in line]
        assert any("it takes no query option $selects; $select?" in line for line in lines)
        assert any("group has no property displayNam; displayName?" in line for line in lines)
        assert any("and 6 more" in line for line in lines)


def test_the_model_is_small_names_its_sources_and_is_loaded_by_this_command_alone() -> None:
    folder = files("graphtape").joinpath("model")
    sizes = {each.name: len(each.read_bytes()) for each in folder.iterdir()}
    assert sizes.keys() == {"graph-v1.0.json.xz", "graph-beta.json.xz"}
    assert sum(sizes.values()) < 600_000
    assert model("v1.0").packages.keys() == {"msgraph-sdk", "@microsoft/microsoft-graph-types"}
    assert model("beta").packages.keys() == {
        "msgraph-beta-sdk",
        "@microsoft/microsoft-graph-types-beta",
    }
    code = (
        "import sys; from graphtape import runner; from graphtape.cli import replay, record;"
        "print([name for name in sys.modules if 'core.check' in name or 'graph_model' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
