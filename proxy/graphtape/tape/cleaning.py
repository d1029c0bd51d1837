"""An existing cassette cleaned in place: secrets masked, identities replaced."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from graphtape import __version__
from graphtape.core.errors import CassetteError
from graphtape.core.graph.cloud import cloud_of
from graphtape.core.message import Interaction, Response
from graphtape.core.redaction import Redactor, Rule
from graphtape.tape.file_scan import NOWHERE, metadata_text, scan_file, variables_text
from graphtape.tape.lock import locked
from graphtape.tape.progress import step, told
from graphtape.tape.store import cassette_bytes, open_cassette, save_cassette
from graphtape.tape.vcr_format import Cassette, Metadata

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from graphtape.core.redaction import Policy
    from graphtape.tape.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """Nothing was to be done: the file stays as it is, to the byte.

    Attributes:
        left: Findings for a person: values that look random, where no rule says what they are.
    """

    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """The file was written anew.

    Attributes:
        secrets: How many were masked.
        identities: How many were replaced.
        personal: Fields with names, phones and serial numbers that were kept.
        left: As in `Clean`.
    """

    secrets: int
    identities: int
    personal: int
    left: int


Outcome: TypeAlias = Clean | Cleaned


def clean(
    path: Path, policy: Policy, *, salt: str | None, progress: Progress | None = None
) -> Outcome:
    """Redact a cassette file in place, atomically. Comments and unknown keys in it go.

    Args:
        path: Of a YAML cassette, whoever wrote it.
        policy: What is redacted.
        salt: For pseudonyms, kept out of the file; None for the cassette's own, or a new one.
        progress: Told how much is done.

    Raises:
        CassetteError: It can't be read or written, holds what only a person can clean, or is
            being recorded. It is as it was.
    """
    before = cassette_bytes(path)
    reading, opening, redacting, writing, checking = (step(progress, n, 5) for n in range(5))
    seen = scan_file(path, policy, progress=reading)
    if seen.failure is not None:
        raise CassetteError(seen.failure)
    if all(each.finding.rule == Rule.OPAQUE for each in seen.findings):
        return Clean(left=len(seen.findings))
    _refuse_unwritable(path)
    cassette = open_cassette(path, progress=opening)
    redactor = Redactor(salt=salt or salt_of(path, cassette, policy), policy=policy)
    known = replace(cassette, metadata=cassette.metadata or _metadata(cassette))
    clean = redacted(known, redactor, keep_salt=not salt, progress=redacting)
    _write(path, clean, before=before, progress=writing)
    counts = redactor.counts
    return Cleaned(
        secrets=counts["secrets"],
        identities=counts["identities"],
        personal=counts["personal"],
        left=len(scan_file(path, policy, progress=checking).findings),
    )


def _write(path: Path, cassette: Cassette, *, before: bytes, progress: Progress | None) -> None:
    """Replace the file unless it isn't any more what it was `before`."""
    try:
        with locked(path):
            if cassette_bytes(path) != before:
                raise CassetteError(f"{path}: was changed meanwhile; redact it again")
            save_cassette(
                path,
                told(cassette.interactions, len(cassette.interactions), progress),
                metadata=cassette.metadata,
                other_metadata=cassette.other_metadata,
            )
    except OSError as exc:  # of the lock: its file is in the same folder
        raise CassetteError(
            f"{path}: can't be written ({exc.strerror}); check folder, rights and free space"
        ) from exc


def _refuse_unwritable(path: Path) -> None:
    yaml = path.with_suffix(".yaml")
    match path.suffix.lower():
        case ".har":
            remedy = f"make a clean cassette of it with `graphtape convert {path} {yaml}`"
            raise CassetteError(f"{path}: HAR files are read, not written; {remedy}")
        case ".json":
            remedy = f"rename it {yaml} (JSON is YAML, too) and redact that"
            raise CassetteError(f"{path}: JSON cassettes are read, not written; {remedy}")
        case _:
            pass


def salt_of(path: Path, cassette: Cassette, policy: Policy) -> str:
    """Return the salt that a cassette is to be redacted with, where the user gives none.

    Raises:
        CassetteError: Another one than its own would give identities in it a second name.
    """
    if cassette.metadata is None or policy.keep_identities:
        kept = cassette.metadata.salt if cassette.metadata is not None else ""
        return kept or secrets.token_hex(16)
    if not cassette.metadata.salt:
        # With another one the identities in it would get a second name.
        raise CassetteError(
            f"{path}: its salt is not in the file; set GRAPHTAPE_SALT to the one it was recorded "
            "with, and redact it again"
        )
    return cassette.metadata.salt


def redacted(
    cassette: Cassette,
    redactor: Redactor,
    *,
    keep_salt: bool,
    progress: Progress | None = None,
) -> Cassette:
    """Redact all that is in a cassette, its metadata included.

    Args:
        cassette: With metadata of ours.
        redactor: Its salt is written down where it is to be kept.
        keep_salt: Whether it is.
        progress: Told how many interactions of how many are done.
    """
    assert cassette.metadata is not None  # noqa: S101 - see above
    interactions: list[Interaction] = []
    for each in cassette.interactions:
        interactions.append(
            Interaction(
                request=redactor.request(each.request).request,
                response=redactor.response(each.response, url=each.request.url),
            )
        )
        if progress is not None:
            progress(len(interactions), len(cassette.interactions))
    return replace(
        cassette,
        interactions=tuple(interactions),
        metadata=replace(
            cassette.metadata,
            salt=redactor.salt if keep_salt else "",
            variables=_redacted_variables(cassette, redactor),
        ),
        other_metadata=_redacted_metadata(cassette.other_metadata, redactor),
    )


def _redacted_metadata(metadata: Mapping[str, object], redactor: Redactor) -> Mapping[str, object]:
    before = metadata_text(metadata)
    after = redactor.response(Response(status=200, body=before), url=NOWHERE).body
    if after == before:
        return metadata
    tree: dict[str, object] = json.loads(after)
    return tree


def _redacted_variables(cassette: Cassette, redactor: Redactor) -> dict[str, str]:
    before = variables_text(cassette)
    after = redactor.response(Response(status=200, body=before), url=NOWHERE).body
    tree: dict[str, str] = json.loads(after)
    return tree


def _metadata(cassette: Cassette) -> Metadata:
    """Say what shows: when a foreign cassette was recorded doesn't."""
    upstream = cloud_of(cassette.interactions)
    return Metadata(graphtape=__version__, upstream=upstream, recorded_at="")
