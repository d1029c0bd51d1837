"""One recording into another format, redacted on the way in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from graphtape import __version__, files
from graphtape.core.errors import CassetteError, UsageError
from graphtape.core.graph.cloud import cloud_of
from graphtape.core.redaction import Policy, Redactor
from graphtape.core.tape.age import time_of
from graphtape.tape.cleaning import redacted, salt_of
from graphtape.tape.export import dev_proxy, har, scenario, wiremock
from graphtape.tape.formats.registry import read, read_folder
from graphtape.tape.formats.source import Source
from graphtape.tape.progress import step, told
from graphtape.tape.store import check_file, named_content, replace_file, save_cassette
from graphtape.tape.vcr_format import Cassette, Metadata

if TYPE_CHECKING:
    from pathlib import Path

    from graphtape.tape.export.answers import Exported
    from graphtape.tape.formats.exchange import Found, Rule
    from graphtape.tape.progress import Progress

_STEPS = 2  # redacted, written


class Target(StrEnum):
    """What is written."""

    CASSETTE = "cassette"
    HAR = "har"
    WIREMOCK = "wiremock"
    DEV_PROXY = "dev-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was written.

    Attributes:
        interactions: How many.
        files: More files than the one that was named, and what is in each.
        secrets: How many were masked.
        identities: How many were replaced.
        personal: Fields with names, phones and serial numbers that were kept.
        left_out: What isn't in it, a line each.
        notes: What is in it, but not as it was; likewise.
    """

    interactions: int
    files: tuple[tuple[Path, str], ...]
    secrets: int
    identities: int
    personal: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def target_of(path: Path) -> Target:
    """Tell by its name what a file is to be.

    Raises:
        UsageError: It doesn't say.
    """
    match path.suffix.lower():
        case ".har":
            return Target.HAR
        case ".json":
            raise UsageError(
                f"{path}: JSON of what? say --to {Target.WIREMOCK} or --to {Target.DEV_PROXY}"
            )
        case _:
            return Target.CASSETTE


def convert(
    source: Path,
    target: Path,
    *,
    to: Target,
    salt: str | None,
    force: bool,
    progress: Progress | None = None,
) -> Converted:
    """Read a recording or mocks of any known format, and write what is asked for.

    Args:
        source: A file, or a folder of WireMock's mappings.
        target: Written whole or not at all.
        to: What it becomes.
        salt: For pseudonyms, kept out of a cassette; None for the source's own, or a new one.
        force: Whether a file that exists is replaced.
        progress: Told how much is done of how much.

    Raises:
        CassetteError: The source can't be read, or the target written.
        UsageError: The target exists.
    """
    _check(target, force=force)
    found = _found(source)
    cassette = found.cassette or Cassette(interactions=())
    policy = Policy()
    redactor = Redactor(salt=salt or salt_of(source, cassette, policy), policy=policy)
    metadata = cassette.metadata or Metadata(
        graphtape=__version__,
        upstream=cloud_of(found.interactions),
        recorded_at="" if found.started_at is None else _written(found.started_at),
        variables=dict(found.variables),
    )
    cassette = redacted(
        replace(cassette, interactions=found.interactions, metadata=metadata),
        redactor,
        keep_salt=not salt,
        progress=step(progress, 0, _STEPS),
    )
    rules = [_redacted_rule(rule, redactor) for rule in found.rules]
    if to is Target.CASSETTE:
        beside, lost, notes = _write_cassette(
            cassette, rules, target, source, force=force, progress=step(progress, 1, _STEPS)
        )
    else:
        started_at = found.started_at or time_of(metadata.recorded_at)
        beside, lost, notes = _write_other(cassette, rules, target, to, started_at)
    counts = redactor.counts
    return Converted(
        interactions=len(cassette.interactions),
        files=beside,
        secrets=counts["secrets"],
        identities=counts["identities"],
        personal=counts["personal"],
        left_out=tuple(map(redactor.text, (*found.skipped, *lost))),
        notes=tuple(map(redactor.text, (*found.notes, *notes))),
    )


def _check(target: Path, *, force: bool) -> None:
    check_file(target)
    if target.exists() and not force:
        raise UsageError(f"{target} exists: name another file, or replace it with --force")


def _found(source: Path) -> Found:
    if files.is_folder(source):
        return read_folder(source, named_content)
    return read(Source(name=str(source), path=source, data=named_content(source)))


def _redacted_rule(rule: Rule, redactor: Redactor) -> Rule:
    request = redactor.request(rule.request).request
    if rule.response is None:
        return replace(rule, request=request)
    response = redactor.response(rule.response, url=rule.request.url)
    return replace(rule, request=request, response=response)


_Beside = tuple[tuple["Path", str], ...]
_Lines = tuple[str, ...]


def _write_cassette(
    cassette: Cassette,
    rules: list[Rule],
    target: Path,
    source: Path,
    *,
    force: bool,
    progress: Progress | None,
) -> tuple[_Beside, _Lines, _Lines]:
    beside: _Beside = ()
    lost: list[str] = []
    if rules:
        path = target.with_name(f"{target.stem}.scenario.yaml")
        text, lost = scenario.write(rules, name=target.stem, source=source.name)
        if text:
            _check(path, force=force)
            _replace(path, text.encode())
            count = len(rules) - len(lost)
            said = f"wrote {count} rule{'s' if count > 1 else ''}; replay with --scenario {path}"
            beside = ((path, said),)
    save_cassette(
        target,
        told(cassette.interactions, len(cassette.interactions), progress),
        metadata=cassette.metadata,
        other_metadata=cassette.other_metadata,
    )
    return beside, tuple(lost), ()


def _write_other(
    cassette: Cassette, rules: list[Rule], target: Path, to: Target, started_at: datetime | None
) -> tuple[_Beside, _Lines, _Lines]:
    made = _exported(cassette, target, to, started_at)
    for name, body in made.beside.items():
        _replace(target.parent / name, body)
    _replace(target, made.data)
    beside = tuple(
        (target.parent / name, f"wrote {len(body)} bytes") for name, body in made.beside.items()
    )
    only = "only a cassette has a scenario beside it"
    lost = (f"{len(rules)} of the mocks, which answer several requests: {only}",) if rules else ()
    return beside, lost, made.lost


def _exported(
    cassette: Cassette, target: Path, to: Target, started_at: datetime | None
) -> Exported:
    match to:
        case Target.HAR:
            return har.write(cassette.interactions, started_at=started_at)
        case Target.WIREMOCK:
            return wiremock.write(cassette.interactions)
        case Target.DEV_PROXY:
            return dev_proxy.write(cassette.interactions, folder=f"{target.stem}-bodies")
        case Target.CASSETTE:
            raise ValueError(to)
        case _:
            assert_never(to)


def _replace(path: Path, data: bytes) -> None:
    try:
        replace_file(path, (data,))
    except OSError as exc:
        raise CassetteError(
            f"{path}: can't be written ({exc.strerror}); check folder, rights and free space"
        ) from exc


def _written(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
