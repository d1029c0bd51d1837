"""`graphtape explore`, run as a user runs it, over apps with known bugs."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from commands import GRAPHTAPE, environment, graphtape
from examples import copied
from tapes import exchanged, taped

JSON = {"Content-Type": "application/json"}
GROUPS = "/v1.0/groups"
MEMBERS = f"{GROUPS}/g/members/$ref"
EXAMPLE = ("--faults", "403,429,reset,status=failed,status=unknownFutureValue")

# The part that all apps have in common.
HEAD = """
import json, os, sys, time, urllib.error, urllib.request
ROOT = os.environ["GRAPH_BASE_URL"] + "/v1.0"
def ask(method, path, body=None, timeout=3):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": "Bearer fake", "Content-Type": "application/json"}
    request = urllib.request.Request(ROOT + path, data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")
"""


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Lay a tape: two pages of groups, and a member added to one."""
    link = f"https://graph.microsoft.com{GROUPS}?$skiptoken=second"
    pages = (
        json.dumps({"value": [{"id": "g"}, {"id": "h"}], "@odata.nextLink": link}),
        json.dumps({"value": [{"id": "i"}]}),
    )
    member = json.dumps({"@odata.id": "https://graph.microsoft.com/v1.0/users/u"})
    nickname = json.dumps({"mailNickname": "ops"})
    return taped(
        tmp_path,
        exchanged("GET", GROUPS, pages[0], fields=JSON),
        exchanged("GET", f"{GROUPS}?$skiptoken=second", pages[1], fields=JSON),
        exchanged("POST", MEMBERS, "", status=204, asked=JSON, body=member),
        exchanged("PATCH", f"{GROUPS}/h", "", status=204, asked=JSON, body=nickname),
    )


def explored(
    tape: Path, app: str, *options: str, code: int | None = None
) -> dict[tuple[str, str], str]:
    """Explore an app; return the outcomes by call and fault."""
    report = tape.parent / "found.json"
    (tape.parent / "app.py").write_text(HEAD + textwrap.dedent(app), encoding="utf-8")
    done = graphtape(
        "explore", "-q", tape.name, "--report", report, *options, "--", sys.executable, "app.py",
        cwd=tape.parent,
    )  # fmt: skip
    assert done.returncode in ({0, 5} if code is None else {code}), done.stderr
    return outcomes(json.loads(report.read_text(encoding="utf-8")))


def outcomes(found: dict[str, Any]) -> dict[tuple[str, str], str]:
    calls = {each["index"]: f"{each['method']} {each['path']}" for each in found["calls"]}
    return {(calls[case["call"]], case["fault"]): case["outcome"] for case in found["cases"]}


ADD = "ask('POST', '/groups/g/members/$ref', {'@odata.id': ROOT + '/users/u'})"
POST = f"POST {MEMBERS}"
GET = f"GET {GROUPS}"

BUGS = {
    "blind retry": (
        f"""
        for _ in range(2):
            try:
                {ADD}
                break
            except urllib.error.HTTPError as error:
                sys.exit(f"failed: {{error}}")
            except OSError:
                pass
        print("added")
        """,
        "reset",
        POST,
    ),
    "blind retry of a change": (
        """
        for _ in range(2):
            try:
                ask("PATCH", "/groups/h", {"mailNickname": "ops"})
                break
            except urllib.error.HTTPError as error:
                sys.exit(f"failed: {error}")
            except OSError:
                pass
        """,
        "close",
        f"PATCH {GROUPS}/h",
    ),
    "hammered over the network": (
        """
        while True:
            try:
                ask("GET", "/groups")
                break
            except urllib.error.HTTPError as error:
                sys.exit(f"failed: {error}")
            except OSError:
                time.sleep(0.05)
        """,
        "outage-reset",
        GET,
    ),
    "crash in a thread": (
        """
        import threading
        worker = threading.Thread(target=lambda: ask("GET", "/groups"))
        worker.start()
        worker.join()
        """,
        "500",
        GET,
    ),
    "early retry": (
        f"""
        for _ in range(2):
            try:
                {ADD}
                break
            except urllib.error.HTTPError as error:
                time.sleep(1)
        print("added")
        """,
        "503",
        POST,
    ),
    "no retry": (
        f"""
        try:
            {ADD}
        except urllib.error.HTTPError as error:
            sys.exit(f"failed: {{error}}")
        print("added")
        """,
        "429",
        POST,
    ),
    "wrong": (
        """
        names = []
        try:
            page = ask("GET", "/groups")
            names += page["value"]
            names += ask("GET", "/groups?$skiptoken=second")["value"]
        except urllib.error.HTTPError:
            pass
        print(len(names), "groups")
        """,
        "403",
        GET,
    ),
    "crash": (
        f"""
        {ADD}
        print("added")
        """,
        "409",
        POST,
    ),
    "endless": (
        f"""
        while True:
            try:
                {ADD}
                break
            except urllib.error.HTTPError as error:
                if error.code == 400:
                    while True:
                        time.sleep(1)
        print("added")
        """,
        "400",
        POST,
    ),
    "hammered": (
        """
        for _ in range(40):
            try:
                ask("GET", "/groups")
                break
            except urllib.error.HTTPError:
                pass
        print("asked")
        """,
        "outage",
        GET,
    ),
    "miss": (
        """
        try:
            ask("GET", "/groups")
        except urllib.error.HTTPError:
            try:
                ask("GET", "/groups/old")
            except urllib.error.HTTPError as error:
                sys.exit(f"failed: {error}")
        """,
        "404 403",
        GET,
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_by_its_kind(bug: str, tape: Path) -> None:
    app, faults, call = BUGS[bug]
    fault = faults.split()[-1]
    found = explored(tape, app, "--faults", fault, "--timeout", "8s", code=5)
    assert bug.startswith(str(found[call, fault]))


MENDED = f"""
import email.utils, http.client
def careful(method, path, body=None):
    for attempt in range(3):
        try:
            return ask(method, path, body, timeout=3)
        except urllib.error.HTTPError as error:
            told = error.headers.get("Retry-After", "1")
            if error.code not in (429, 503) or attempt == 2:
                raise
            if not told.isdigit():
                told = email.utils.parsedate_to_datetime(told).timestamp() - time.time()
            time.sleep(max(0, float(told)))
        except (OSError, http.client.HTTPException, ValueError):
            if method != "GET" or attempt == 2:
                raise
try:
    groups = careful("GET", "/groups")["value"]
    groups += careful("GET", "/groups?$skiptoken=second")["value"]
    print(len(groups), "groups")
    {ADD.replace("ask(", "careful(")}
except (OSError, http.client.HTTPException, ValueError) as error:
    sys.exit(f"failed: {{error}}")
print("added in", time.process_time(), "s")
"""


def test_nothing_is_invented_on_an_app_that_survives_or_tells(tape: Path) -> None:
    found = explored(tape, MENDED, "--jobs", "8", code=0)
    assert set(found.values()) == {"survived", "told"}
    assert found[POST, "429"] == found[POST, "429-date"] == found[POST, "503"] == "survived"
    assert found[POST, "reset"] == found[POST, "403"] == "told"


def test_an_error_on_stderr_is_told(tape: Path) -> None:
    app = f"""
        try:
            {ADD}
            print("added")
        except urllib.error.HTTPError as error:
            print(f"warning: {{error}}", file=sys.stderr)
        """
    assert explored(tape, app, "--faults", "403")[POST, "403"] == "told"


def test_a_write_that_silently_failed_is_wrong_though_the_output_is_the_same(tape: Path) -> None:
    app = f"""
        try:
            {ADD}
        except urllib.error.HTTPError:
            pass
        print("added")
        """
    assert explored(tape, app, "--faults", "403")[POST, "403"] == "wrong"


def test_the_result_may_be_a_file_or_the_exit_code_alone(tape: Path) -> None:
    app = """
        try:
            groups = [each["id"] for each in ask("GET", "/groups")["value"]]
        except urllib.error.HTTPError:
            groups = []
        open("result.txt", "w").write(" ".join(groups))
        """
    faults = ("--faults", "403")
    assert explored(tape, app, *faults, "--oracle", "result.txt")[GET, "403"] == "wrong"
    assert explored(tape, app, *faults, "--oracle", "exit")[GET, "403"] == "survived"


def test_a_finding_is_a_scenario_that_plays_it_again(tape: Path) -> None:
    app, fault, _ = BUGS["blind retry"]
    explored(tape, app, "--faults", fault, "--out", "out")
    (scenario,) = (tape.parent / "out").glob("*.yaml")
    done = graphtape(
        "replay", tape.name, "--scenario", scenario, "--", sys.executable, "app.py", cwd=tape.parent
    )
    assert "blind-retry" in done.stderr
    streams = {each.suffix for each in (tape.parent / "out").iterdir()}
    assert streams == {".yaml", ".stdout", ".stderr"}
    assert (tape.parent / "out" / "base.stdout").read_text(encoding="utf-8") == "added\n"
    mended = app.replace("pass", "sys.exit('failed')")
    explored(tape, mended, "--faults", fault, "--out", "out", code=0)
    assert not scenario.exists()


def test_known_findings_are_none_to_fail_for(tape: Path) -> None:
    app, fault, _ = BUGS["no retry"]
    explored(tape, app, "--faults", fault, "--write-baseline", "known.json", code=5)
    explored(tape, app, "--faults", fault, "--baseline", "known.json", code=0)
    explored(tape, app, "--faults", f"{fault},503", "--baseline", "known.json", code=5)


def test_the_same_seed_gives_the_same_table(tape: Path) -> None:
    (tape.parent / "app.py").write_text(HEAD + textwrap.dedent(BUGS["wrong"][0]), encoding="utf-8")
    words = ("explore", "-q", tape.name, "--faults", "403,500,garbage,truncate", "--seed", "4")
    tables = {
        graphtape(*words, "--", sys.executable, "app.py", cwd=tape.parent).stdout for _ in range(2)
    }
    assert len(tables) == 1
    assert "\x1b" not in tables.pop()


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("sys.exit(3)", "exited with 3"),
        ("ask('GET', '/nobody')", "isn't recorded: GET /v1.0/nobody"),
        ("ask('PATCH', '/groups/h', {'mailNickname': 'x'})", "recorded 'ops', asked 'x'"),
        ("pass", "no request reached the proxy"),
    ],
)
def test_a_run_that_fails_without_faults_is_said_in_a_line(app: str, said: str, tape: Path) -> None:
    (tape.parent / "app.py").write_text(HEAD + app, encoding="utf-8")
    done = graphtape("explore", tape.name, "--", sys.executable, "app.py", cwd=tape.parent)
    assert done.returncode == 1
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("tape.yaml",),
        ("--", "true"),
        ("tape.yaml", "--faults", "teapot", "--", "true"),
        ("tape.yaml", "--calls", "PUT /**", "--", sys.executable, "app.py"),
        ("tape.yaml", "--budget", "soon", "--", "true"),
        ("tape.yaml", "--baseline", "none.json", "--", "true"),
        ("tape.yaml", "--report", "found.txt", "--", "true"),
        ("tape.yaml", "--min", "0.5", "--", "true"),
        ("--coverage", "none-*.json"),
    ],
)
def test_wrong_usage_is_exit_2(words: tuple[str, ...], tape: Path) -> None:
    (tape.parent / "app.py").write_text(f"{HEAD}ask('GET', '/groups')", encoding="utf-8")
    assert graphtape("explore", *words, cwd=tape.parent).returncode == 2


def test_a_budget_leaves_out_and_says_so(tape: Path) -> None:
    app = """
        ask("GET", "/groups", timeout=60)
        """
    found = explored(tape, app, "--faults", "403,hang", "--jobs", "1", "--budget", "2s")
    assert found[GET, "hang"] is None
    assert found[GET, "403"] == "crash"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_reports_what_is_known_so_far(tape: Path) -> None:
    app = HEAD + 'ask("GET", "/groups", timeout=60)\n'
    (tape.parent / "app.py").write_text(app, encoding="utf-8")
    words = ["explore", tape.name, "--faults", "403,hang", "--jobs", "1", "--report", "found.json"]
    process = subprocess.Popen(
        [*GRAPHTAPE, *words, "--out", "out", "--", sys.executable, "app.py"],
        cwd=tape.parent, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    hanging = tape.parent / "out" / "000-GET-hang.stdout"
    try:
        for _ in range(400):
            if hanging.exists():
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 5  # the crash at 403 is found
    assert "1 not run: interrupted" in printed
    found = json.loads((tape.parent / "found.json").read_text(encoding="utf-8"))
    assert (found["not_run"], found["findings"], found["new"]) == (1, 1, 1)


def test_a_set_is_printed_the_same_way_in_each_run(tape: Path) -> None:
    app = """
        names = set()
        for _ in range(2):
            try:
                names |= {each["id"] for each in ask("GET", "/groups")["value"]}
                break
            except urllib.error.HTTPError:
                time.sleep(0.1)
        print(names | {"one", "two", "three", "four", "five"})
        """
    assert set(explored(tape, app, "--faults", "500,502,504", code=0).values()) == {"survived"}


def test_what_is_asked_at_once_gives_the_same_table_in_any_order(tmp_path: Path) -> None:
    devices = [f"/v1.0/devices/{number}" for number in range(5)]
    tape = taped(
        tmp_path,
        *(exchanged("GET", path, json.dumps({"id": path[-1]}), fields=JSON) for path in devices),
    )
    app = """
        import random, threading
        def show(number):
            time.sleep(random.random() / 20)
            for _ in range(2):
                try:
                    found = ask("GET", f"/devices/{number}")["id"]
                    print(f"device {found}\\n", end="")  # in one: print writes its line end apart
                    return
                except urllib.error.HTTPError as error:
                    print(f"waiting after {error}\\n", end="")
                    time.sleep(float(error.headers.get("Retry-After", "0.1")))
        at_once = [threading.Thread(target=show, args=(number,)) for number in range(5)]
        for each in at_once:
            each.start()
        for each in at_once:
            each.join()
        """
    for _ in range(2):
        found = explored(tape, app, "--faults", "500", code=0)
        assert list(found) == [(f"GET {path}", "500") for path in devices]
        assert set(found.values()) == {"survived"}


def test_a_field_that_differs_each_time_can_be_left_out_of_matching(tape: Path) -> None:
    app = """
        import uuid
        def rename():
            ask("PATCH", "/groups/h", {"mailNickname": str(uuid.uuid4())})
        try:
            rename()
        except urllib.error.HTTPError as error:
            time.sleep(float(error.headers["Retry-After"]))
            rename()
        """
    patch = f"PATCH {GROUPS}/h"
    found = explored(tape, app, "--faults", "503", "--ignore-body", "mailNickname", code=0)
    assert found == {(patch, "503"): "survived"}


def test_reports_come_in_three_formats(tape: Path) -> None:
    app, fault, _ = BUGS["crash"]
    explored(tape, app, "--faults", f"{fault},403", "--report", "f.md", "--report", "f.xml")
    assert "crash: 409 at" in (tape.parent / "f.md").read_text(encoding="utf-8")
    suites = ET.parse(tape.parent / "f.xml").getroot()  # noqa: S314 - our own
    assert (suites.get("tests"), suites.get("failures")) == ("2", "2")
    found = json.loads((tape.parent / "found.json").read_text(encoding="utf-8"))
    assert list(found) == ["format", "calls", "cases", "findings", "new", "not_run"]
    assert found["calls"] == [{"index": 0, "method": "POST", "path": MEMBERS}]
    keys = {"call", "fault", "outcome", "why", "milliseconds", "scenario"}
    assert all(set(case) == keys for case in found["cases"])


def test_coverage_tells_what_ordinary_runs_have_met(tape: Path) -> None:
    (tape.parent / "app.py").write_text(HEAD + textwrap.dedent(BUGS["no retry"][0]), "utf-8")
    for scenario in ("throttled", "forbidden", "reset"):
        report = f"{scenario}-run.json"
        graphtape(
            "replay", tape.name, "--scenario", scenario, "--report", report,
            "--", sys.executable, "app.py",
            cwd=tape.parent,
        )  # fmt: skip
    words = ("explore", "--coverage", "*-run.json", "--report", "met.json")
    done = graphtape(*words, "--min", "0.1", cwd=tape.parent)
    assert done.returncode == 0, done.stderr
    met = json.loads((tape.parent / "met.json").read_text(encoding="utf-8"))
    assert [each["met"] for each in met["calls"]] == [["403", "429", "reset"]]
    assert met["documented"] > met["met"] == 3
    assert graphtape(*words, "--min", "0.9", cwd=tape.parent).returncode == 5


def printed(page: str, marker: str) -> str:
    _, _, after = page.partition(f"<!-- table: {marker} -->")
    return after.partition("```text\n")[2].partition("```")[0]


@pytest.mark.parametrize(("app", "code"), [("buggy", 5), ("mended", 0)])
def test_the_example_gives_the_table_of_the_page(app: str, code: int, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "explore.md"
    folder = copied("explore", tmp_path)
    done = graphtape(
        "explore", "-q", "tape.yaml", *EXAMPLE, "--timeout", "20s", "--jobs", "8",
        "--", sys.executable, f"{app}.py",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    table = printed(page.read_text(encoding="utf-8"), app)
    assert table
    assert done.stdout.startswith(table)


def test_what_follows_a_write_that_outran_its_own_slow_answer_is_not_judged(
    tmp_path: Path,
) -> None:
    setting = "/v1.0/groups/g/settings/s"
    states = {name: json.dumps({"state": name}) for name in ("off", "on")}
    tape = taped(
        tmp_path,
        exchanged("GET", setting, states["off"], fields=JSON),
        exchanged("PUT", setting, states["on"], fields=JSON, asked=JSON, body=states["on"]),
        exchanged("GET", setting, states["on"], fields=JSON),
    )
    app = """
        ask("GET", "/groups/g/settings/s")
        for _ in range(2):
            try:
                ask("PUT", "/groups/g/settings/s", {"state": "on"}, timeout=1)
                break
            except OSError:
                pass
        print(ask("GET", "/groups/g/settings/s")["state"])
        """
    found = explored(tape, app, "--faults", "slow", "--calls", "PUT /**", code=0)
    assert set(found.values()) == {"not met"}
    patient = app.replace("timeout=1", "timeout=30")
    found = explored(tape, patient, "--faults", "slow", "--calls", "PUT /**", code=0)
    assert set(found.values()) == {"survived"}


def test_the_same_write_made_twice_is_no_blind_retry(tmp_path: Path) -> None:
    note = "/v1.0/groups/g/threads/t/reply"
    tape = taped(tmp_path, *(exchanged("POST", note, "", status=202) for _ in range(2)))
    app = """
        failed = 0
        for _ in range(2):
            try:
                ask("POST", "/groups/g/threads/t/reply")
            except OSError as error:
                failed = error
        sys.exit(f"failed: {failed}" if failed else 0)
        """
    found = explored(tape, app, "--faults", "reset", code=0)
    assert set(found.values()) == {"told"}


def test_a_finding_can_be_explored_again_where_it_has_no_file(tape: Path) -> None:
    (tape.parent / "app.py").write_text(HEAD + textwrap.dedent(BUGS["crash"][0]), "utf-8")
    words = ("explore", "-q", tape.name, "--faults", "409", "--", sys.executable, "app.py")
    first = graphtape(*words, cwd=tape.parent)
    (line,) = (each for each in first.stdout.splitlines() if each.startswith("  graphtape "))
    again = graphtape(*shlex.split(line)[1:], cwd=tape.parent)
    assert again.returncode == 5
    assert again.stdout == first.stdout


def test_a_command_that_prints_the_status_it_wished_for_is_wrong(tmp_path: Path) -> None:
    entity = "/v1.0/deviceManagement/chromeOSOnboardingSettings/s"
    tape = taped(
        tmp_path,
        exchanged("GET", entity, '{"onboardingStatus": "inprogress"}', fields=JSON),
        exchanged("GET", entity, '{"onboardingStatus": "onboarded"}', fields=JSON),
    )
    app = """
        for _ in range(2):
            last = ask("GET", "/deviceManagement/chromeOSOnboardingSettings/s")["onboardingStatus"]
        print({said})
        """
    wished = explored(tape, app.format(said='"onboarded"'), "--faults", "status=failed")
    assert set(wished.values()) == {"wrong"}
    # Further lines that differ hide nothing; a comparison of the two is no lie.
    more = '"onboarded" if last == "onboarded" else "not yet\\nonboarded"'
    assert set(explored(tape, app.format(said=more), "--faults", "status=failed").values()) == {
        "wrong"
    }
    compares = '"onboarded" if last == "onboarded" else f"{last} in place of onboarded"'
    explored(tape, app.format(said=compares), "--faults", "status=failed", code=0)
    honest = explored(tape, app.format(said="last"), "--faults", "status", code=0)
    assert set(honest.values()) == {"survived"}


def test_apps_on_the_sdk_and_on_requests_run_through_it(tmp_path: Path) -> None:
    disconnect = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"
    tape = taped(tmp_path, exchanged("POST", disconnect, '{"value": "inprogress"}', fields=JSON))
    on_sdk = f"""
        import asyncio
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from sdk import ODataError, app_at
        async def main():
            async with app_at(os.environ["GRAPH_BASE_URL"]) as app:
                print(await app.disconnect())
        try:
            asyncio.run(main())
        except ODataError as error:
            sys.exit(f"failed: {{error.response_status_code}}")
        """
    found = explored(tape, on_sdk, "--faults", "403,429,503", code=0)
    assert [found[f"POST {disconnect}", name] for name in ("403", "429", "429-date", "503")] == [
        "told",
        "survived",
        "survived",
        "survived",
    ]
    on_requests = f"""
        import requests
        from requests.adapters import HTTPAdapter, Retry
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries=Retry(
            total=3, read=0, status_forcelist=[429, 503], allowed_methods=None,
            raise_on_status=False)))
        try:
            answer = session.post(ROOT.removesuffix("/v1.0") + {disconnect!r}, timeout=5)
            answer.raise_for_status()
        except requests.RequestException as error:
            sys.exit(f"failed: {{error}}")
        print(answer.json()["value"])
        """
    found = explored(tape, on_requests, "--faults", "403,429,503,reset", code=0)
    assert found[f"POST {disconnect}", "429-date"] == "survived"
    assert found[f"POST {disconnect}", "reset"] == "told"
