"""The table of docs/clients.md is what the clients' runs came to."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import node_packages
from client_runs import Client, Phase, Scheme, played
from known_clients import AZ, AZURE_CLI, MODULES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- clients: begin -->\n", "<!-- clients: end -->\n"
COLUMNS = ("client", "version", "http", "https", "record", "replay")

# azure-cli is installed by whichever test needs it first.
each_client = pytest.mark.parametrize(
    "client",
    [
        pytest.param(client, id=module, marks=pytest.mark.timeout(900 if client is AZ else 60))
        for module, client in MODULES.items()
    ],
)


def rows() -> dict[str, str]:
    """Return the rows of the table as they stand, by client."""
    table = PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0]
    return {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:]}


def row(client: Client) -> str:
    """Write a client's row anew, from its runs."""
    runs = played(client)

    def done(phase: Phase) -> str:
        ways = [way for way in client.working if way[1] is phase]
        good = [
            job
            for job, outcome in client.expected.items()
            if all(runs[way].outcomes[job] == outcome for way in ways)
        ]
        return f"{len(good)} of {len(client.expected)}"

    works = {way[0] for way in client.working}
    schemes = ["yes" if scheme in works else "no" for scheme in Scheme]
    cells = (client.name, client.version(), *schemes, *map(done, Phase))
    return f"| {' | '.join(cells)} |"


def renew(client: Client, line: str) -> None:
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    kept = rows() | {client.name: line}
    lines = [kept[each.name] for each in MODULES.values() if each.name in kept]
    head = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    table = "".join(f"{each}\n" for each in (*head, *lines))
    PAGE.write_text(before + BEGIN + table + END + after, "utf-8", newline="\n")


def unversioned(line: str) -> list[str]:
    cells = line.strip("| ").split(" | ")
    return cells[:1] + cells[2:]


@each_client
def test_a_row_says_what_the_runs_came_to(client: Client, request: pytest.FixtureRequest) -> None:
    now = row(client)
    if request.config.getoption("--renew-golden"):
        renew(client, now)
    # Versions that nothing pins move on by themselves; the next test holds those that are pinned.
    assert unversioned(rows()[client.name]) == unversioned(now), "renew it with --renew-golden"


def test_the_rows_are_the_clients_that_are_tested() -> None:
    tested = {client.name for client in MODULES.values()}
    assert set(rows()) == tested
    for module in MODULES:
        assert (Path(__file__).parent / f"{module}.py").exists()


def test_the_versions_are_those_that_are_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = {
        one.name: one.specifier
        for one in map(Requirement, project["optional-dependencies"]["test"])
    }
    npm = json.loads((node_packages.FOLDER / "package.json").read_text("utf-8"))["dependencies"]
    for name, line in rows().items():
        version, package = line.split(" | ")[1], name.split()[0]
        if package in npm:
            assert version == npm[package]
        elif package == "azure-cli":
            assert version == AZURE_CLI
        elif package != "curl":  # the system's
            assert version in pins[package], name


@each_client
def test_a_client_meets_a_429_first_and_everything_else_is_from_where_it_should(
    client: Client,
) -> None:
    sources = {Phase.RECORD: {"injected", "recorded"}, Phase.REPLAY: {"injected", "replayed"}}
    for way in client.working:
        run = played(client)[way]
        assert run.statuses.count(429) == 1
        first = run.statuses.index(429)
        assert set(run.statuses[:first]) <= {200}  # sign-in, which presets leave alone
        assert run.statuses[first + 1] == 200
        assert run.sources == sources[way[1]]


def test_the_page_says_how_each_client_that_needs_https_fails_without() -> None:
    said = re.sub(r"\s+", " ", PAGE.read_text("utf-8"))
    for client in MODULES.values():
        if client.only_https is not None:
            assert f"`{client.only_https}`" in said
