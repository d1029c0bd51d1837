"""The scenarios and cassettes that are there for the asking."""

from __future__ import annotations

import asyncio
from functools import cache
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape import scenarios
from graphtape.core.errors import CassetteError, RequestError, UsageError
from graphtape.server.control.details.message import (
    CassetteList,
    CassetteRow,
    FindingList,
    FindingRow,
    ScenarioList,
    ScenarioRow,
    ScenarioText,
)
from graphtape.tape.folder import cassettes_among

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.redaction import Policy
    from graphtape.server.control.message import Nothing
    from graphtape.server.control.route import Call
    from graphtape.tape.loaded import Loaded

    Plain = Call[Nothing, Nothing]

_MOST_FILES = 2000
_MOST_FINDINGS = 1000
_LARGEST = 16 * 1024 * 1024
"""Bytes of a file that is looked through here: a thread of the proxy does it."""


async def list_scenarios(call: Plain) -> ScenarioList:
    """List the presets, and the files of the folder `scenarios` in the proxy's."""
    return await asyncio.to_thread(_scenarios, call.desk.library.folder)


@cache
def _presets() -> tuple[ScenarioRow, ...]:
    return tuple(
        ScenarioRow(name=name, preset=True, description=scenarios.preset(name).description)
        for name in scenarios.presets()
    )


def _scenarios(folder: Path | None) -> ScenarioList:
    rows = [*_presets()]
    if folder is not None:
        for path in islice(sorted(folder.glob("scenarios/*.y*ml")), _MOST_FILES):
            name = path.relative_to(folder).as_posix()
            try:
                found = scenarios.read(scenarios.file_text(str(path)), source=name)
            except UsageError as exc:
                rows.append(ScenarioRow(name=name, preset=False, description=f"broken: {exc}"))
            else:
                rows.append(ScenarioRow(name=name, preset=False, description=found.description))
    return ScenarioList(scenarios=rows)


async def get_scenario(call: Plain) -> ScenarioText:
    """Give the YAML of a preset, or the text of a scenario file."""
    name = call.request.match_info["name"]
    try:
        text = await call.desk.library.text(name)
    except UsageError as exc:
        raise RequestError(str(exc), status=HTTPStatus.NOT_FOUND, code="GraphtapeScenario") from exc
    return ScenarioText(name=name, text=text)


async def list_cassettes(call: Plain) -> CassetteList:
    """List the cassettes below the folder, and those that sessions play."""
    return await asyncio.to_thread(_cassettes, call.desk.library.folder, _played(call))


async def get_findings(call: Plain) -> FindingList:
    """Look through a cassette for secrets and identities that are left in it."""
    name = call.request.match_info["name"]
    paths = await asyncio.to_thread(_paths, call.desk.library.folder, _played(call))
    path = next((path for path, known in paths.items() if known == name), None)
    if path is None:
        raise RequestError(
            f"no cassette {name[:200]!r}; GET /cassettes lists them",
            status=HTTPStatus.NOT_FOUND,
            code="GraphtapeCassette",
        )
    policy = call.desk.sessions.opener.settings.policy()
    return await asyncio.to_thread(_findings, name, path, policy)


def _played(call: Plain) -> dict[Path, tuple[list[str], Loaded]]:
    played: dict[Path, tuple[list[str], Loaded]] = {}
    for live in call.desk.sessions:
        for loaded in live.played:
            path = Path(loaded.recording.name)
            played.setdefault(path, ([], loaded))[0].append(live.play.id)
    return played


def _paths(folder: Path | None, played: Iterable[Path]) -> dict[Path, str]:
    """Return the cassettes there are, and what each is called."""
    paths = dict.fromkeys(path.resolve() for path in played)
    if folder is not None:
        try:
            found = [path.resolve() for path in islice(cassettes_among([folder]), _MOST_FILES)]
        except CassetteError as exc:
            raise RequestError(
                str(exc), status=HTTPStatus.CONFLICT, code="GraphtapeCassette"
            ) from exc
        paths.update(dict.fromkeys(found))
    return {path: _name(path, None if folder is None else folder.resolve()) for path in paths}


def _name(path: Path, folder: Path | None) -> str:
    inside = folder is not None and path.is_relative_to(folder)
    name = path.relative_to(folder).as_posix() if inside and folder else path.name
    return name.encode("utf-8", "backslashreplace").decode()


def _cassettes(folder: Path | None, played: dict[Path, tuple[list[str], Loaded]]) -> CassetteList:
    named = {path.resolve(): path for path in played}
    rows = []
    for path, name in _paths(folder, played).items():
        sessions, loaded = played.get(named.get(path, path), ([], None))
        facts = None if loaded is None else loaded.facts
        try:
            file = path.stat()
        except OSError:
            file = None
        rows.append(
            CassetteRow(
                name=name,
                bytes=None if file is None else file.st_size,
                modified=None if file is None else file.st_mtime,
                sessions=sessions,
                interactions=None if facts is None else facts.interactions,
                upstream=None if facts is None else facts.upstream,
                recorded_at=None if facts is None else facts.recorded_at,
                edited=None if facts is None else facts.edited,
            )
        )
    return CassetteList(cassettes=sorted(rows, key=lambda row: row.name))


def _findings(name: str, path: Path, policy: Policy) -> FindingList:
    from graphtape.tape.file_scan import scan_file  # noqa: PLC0415 - few look for findings

    try:
        if path.stat().st_size > _LARGEST:
            why = f"above {_LARGEST >> 20} MiB; run `graphtape scan {name}`"
            return FindingList(name=name, findings=[], count=0, failure=why)
    except OSError as exc:
        return FindingList(name=name, findings=[], count=0, failure=str(exc.strerror))
    seen = scan_file(path, policy)
    return FindingList(
        name=name,
        findings=[
            FindingRow(
                interaction=each.interaction,
                place=each.finding.place,
                excerpt=each.finding.excerpt,
                rule=each.finding.rule,
            )
            for each in seen.findings[:_MOST_FINDINGS]
        ],
        count=len(seen.findings),
        failure=seen.failure,
    )
