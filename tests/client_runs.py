"""Plays real clients, in processes of their own, against record and replay over http and https."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import pytest

import node_packages
from client_jobs import UPLOADED, Job
from commands import environment as clean
from graphtape.runner.command import environment
from proxies import recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from graphtape.server.http.ports import Addresses
    from proxies import Running

_TESTS = Path(__file__).parent
_SECONDS = 60


class Scheme(StrEnum):
    """How the data port speaks."""

    HTTP = "http"
    HTTPS = "https"


class Phase(StrEnum):
    """What Graphtape does."""

    RECORD = "record"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Client:
    """A client of Graph, and the app that uses it.

    Attributes:
        name: As its users call it.
        version: Of what is installed.
        command: Runs the app; skips the test, loudly, where the client can't be had.
        expected: What each job comes to where the client does it.
        quirks: What jobs come to that it can't do, or does in a way of its own.
        only_https: Where it doesn't work over plain http: what every job raises there.
    """

    name: str
    version: Callable[[], str]
    command: Callable[[], list[str]]
    expected: Mapping[Job, object]
    quirks: Mapping[Job, object] = field(default_factory=dict)
    only_https: str | None = None

    @property
    def ways(self) -> tuple[tuple[Scheme, Phase], ...]:
        """How it is played; where http fails, there is nothing on tape to replay over it."""
        every = ((scheme, phase) for scheme in (Scheme.HTTPS, Scheme.HTTP) for phase in Phase)
        silent = (Scheme.HTTP, Phase.REPLAY) if self.only_https is not None else None
        return tuple(way for way in every if way != silent)

    @property
    def working(self) -> tuple[tuple[Scheme, Phase], ...]:
        """The ways in which every job is to succeed."""
        plain = self.only_https is None
        return tuple(way for way in self.ways if plain or way[0] is Scheme.HTTPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All jobs, once.

    Attributes:
        outcomes: By the job's name.
        statuses: Of every answer of the proxy's, in order; sign-in's too.
        sources: Where the answers came from.
    """

    outcomes: Mapping[str, object]
    statuses: tuple[int, ...]
    sources: frozenset[str]


Played = dict[tuple[Scheme, Phase], Run]


def python_app(module: str) -> list[str]:
    """Return the command of an app of tests/clients/apps."""
    return [sys.executable, "-m", f"clients.apps.{module}"]


def node_app(script: str) -> list[str]:
    """Return the command of an app of tests/node."""
    node_packages.installed()
    return ["node", str(node_packages.FOLDER / script)]


@dataclass(slots=True)
class App:
    """A client's process; started by the first run over https, whose CA it is to trust."""

    command: list[str]
    upload: Path
    process: subprocess.Popen[str] | None = field(default=None)

    def run(self, addresses: Addresses, jobs: Iterable[Job]) -> dict[str, object]:
        """Do jobs against a proxy; return what each came to."""
        process = self.process or self._start(addresses)
        assert process.stdin is not None
        assert process.stdout is not None
        order = {"base": addresses.proxy, "upload": str(self.upload), "jobs": " ".join(jobs)}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"{self.command} ended with code {process.wait(_SECONDS)}"
        outcomes = json.loads(line)
        assert isinstance(outcomes, dict)
        return outcomes

    def _start(self, addresses: Addresses) -> subprocess.Popen[str]:
        assert addresses.secured is not None, "the first run is over https"
        self.process = subprocess.Popen(
            self.command,
            env=environment(clean(PYTHONPATH=str(_TESTS)), addresses),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self.process

    def stop(self) -> None:
        """End it, as it ends by itself where its input does."""
        if self.process is not None:
            try:
                self.process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()


@functools.cache
def played(client: Client) -> Played:
    """Record all jobs over each scheme, then replay them with the tenant gone; once per process."""
    runs: Played = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upload = folder / "upload"
        upload.write_bytes(UPLOADED)
        app = App(client.command(), upload)
        try:
            for scheme, phase in client.ways:
                with _proxy(folder / f"{scheme}.yaml", scheme, phase) as proxy:
                    outcomes = app.run(proxy.proxy.addresses, client.expected)
                    runs[scheme, phase] = _run(outcomes, proxy)
        finally:
            app.stop()
    return runs


def _run(outcomes: Mapping[str, object], proxy: Running) -> Run:
    return Run(
        outcomes=outcomes,
        statuses=tuple(entry.status for entry in proxy.entries),
        sources=frozenset(entry.source for entry in proxy.entries),
    )


def _proxy(cassette: Path, scheme: Scheme, phase: Phase) -> AbstractContextManager[Running]:
    tls, scenario = scheme is Scheme.HTTPS, ("throttled",)
    match phase:
        case Phase.RECORD:
            return recording(cassette, tls=tls, scenario=scenario, upstream="sandbox")
        case Phase.REPLAY:
            return replaying(cassette, tls=tls, scenario=scenario, fast=True)
        case _:
            assert_never(phase)


def every_job(client: Client) -> pytest.MarkDecorator:
    """Parametrise a test by the ways in which a client works, and by job."""
    cases = [
        pytest.param(scheme, phase, job, id=f"{scheme}-{phase}-{job}")
        for scheme, phase in client.working
        for job in client.expected
    ]
    return pytest.mark.parametrize(("scheme", "phase", "job"), cases)


def check(client: Client, scheme: Scheme, phase: Phase, job: Job) -> None:
    """Hold that the client saw of a job what it should have."""
    wanted = client.quirks.get(job, client.expected[job])
    assert played(client)[scheme, phase].outcomes[job] == wanted


def needed(program: str) -> str:
    """Return the path of a program, or skip the test and say what it needs."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"NOT TESTED: needs {program} on the PATH")
    return found
