"""What a cassette file holds that should not be in it: in its interactions and around them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphtape import files
from graphtape.core.errors import CassetteError
from graphtape.core.json_text import NotJsonError, scalars
from graphtape.core.json_text import text as unquoted
from graphtape.core.message import Interaction, Request, Response
from graphtape.core.redaction import Finding, Redactor, find, find_in_text
from graphtape.tape.progress import step, told
from graphtape.tape.store import open_cassette, open_har
from graphtape.tape.vcr_format import Cassette

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from graphtape.core.redaction import Policy
    from graphtape.tape.progress import Progress

NOWHERE = "https://graph.microsoft.com/"
"""What metadata is taken for an answer of: the rules for answers hold for it."""

# What YAML and JSON do to a text that they quote: escapes, and blanks where they fold it.
_QUOTING = re.compile(rb"\\+[nrt]?|\s+")
_WHERE = re.compile(r"metadata|\w+\.(?:url|header|body)")
_STEP_ENDS = re.compile(r"[.\[\]]")
_LONGEST_NAME, _LONGEST_PLACE = 32, 400
_DEEPEST = 100
_STEPS = 2  # read, looked through
_SHOWN, _SHOWN_PART = 4, 6

# Where a reader's message quotes a value of the file, which may be the secret.
_QUOTED = re.compile(
    r"(?<=found )(?:['\"\d.+-]|True|False|nan|inf).*(?=, expected|, this Graphtape)"
    r"|(?<=looks like \().*(?=\);)|(?<=(?:alias|nchor) ).*(?=\);)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedFinding:
    """A finding, and where in its file.

    Attributes:
        interaction: Its index on the tape, from 0; None outside of interactions.
        finding: Its place is `file` for what stands anywhere else (a comment, a key no reader
            knows), and begins with `metadata` for what stands there.
        around: The header value, URL, JSON value or body that it was found in, secret and all:
            for a digest of it, never to be shown.
    """

    interaction: int | None
    finding: Finding
    around: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScan:
    """What became of looking at one file.

    Attributes:
        interactions: How many there are.
        findings: In the order of the tape, then metadata, then the rest of the file.
        unseen: Entries of a HAR file that hold no whole interaction, a line each; only tokens
            and keys are found in them.
        failure: Why interactions and metadata couldn't be read, or None.
    """

    interactions: int = 0
    findings: tuple[LocatedFinding, ...] = ()
    unseen: tuple[str, ...] = ()
    failure: str | None = None


def scan_file(path: Path, policy: Policy, *, progress: Progress | None = None) -> FileScan:
    """Look through a cassette or HAR file. Its message never holds what it found.

    A file that can't be read as one is still searched for tokens and private keys. `progress` is
    told how much is done.
    """
    try:
        cassette, unseen = _opened(path, step(progress, 0, _STEPS))
    except CassetteError as exc:
        failure = unquoting(exc, path, policy)
        return FileScan(findings=_loose(path, policy), failure=failure)
    return FileScan(
        interactions=len(cassette.interactions),
        findings=located_findings(cassette, policy, progress=step(progress, 1, _STEPS))
        + _loose(path, policy, cassette),
        unseen=unseen,
    )


def located_findings(
    cassette: Cassette, policy: Policy, *, progress: Progress | None = None
) -> tuple[LocatedFinding, ...]:
    """Find what interactions and metadata hold."""
    clean = Redactor(salt="", policy=policy)
    found: list[LocatedFinding] = []
    size = len(cassette.interactions)
    for number, interaction in enumerate(told(cassette.interactions, size, progress)):
        findings = list(find(interaction, policy))
        if findings:
            places = _Places(interaction)
            found += (
                LocatedFinding(
                    interaction=number,
                    finding=_printable(each, clean),
                    around=places.around(each.place),
                )
                for each in findings
            )
    if cassette.other_metadata:
        found += _in_metadata(metadata_text(cassette.other_metadata), "metadata", policy, clean)
    if cassette.metadata is not None and cassette.metadata.variables:
        text = variables_text(cassette)
        found += _in_metadata(text, "metadata.graphtape.variables", policy, clean)
    return tuple(found)


def _in_metadata(
    text: bytes, name: str, policy: Policy, clean: Redactor
) -> Iterator[LocatedFinding]:
    as_answer = Interaction(
        request=Request(method="GET", url=NOWHERE), response=Response(status=200, body=text)
    )
    places = _Places(as_answer)
    for each in find(as_answer, policy):
        place = each.place.replace("response.body", name, 1)
        shown = _printable(replace(each, place=place), clean)
        yield LocatedFinding(interaction=None, finding=shown, around=places.around(each.place))


def variables_text(cassette: Cassette) -> bytes:
    """Write the values a test made up as JSON, so that their names say what they are."""
    variables = cassette.metadata.variables if cassette.metadata is not None else {}
    return metadata_text(variables)


def metadata_text(metadata: Mapping[str, object]) -> bytes:
    """Write the user's metadata as JSON; what JSON lacks (dates, bytes) as text."""
    return json.dumps(_plain(metadata), ensure_ascii=False).encode("utf-8", "surrogatepass")


def unquoting(error: CassetteError, path: Path, policy: Policy) -> str:
    """Return a reader's message without the values it quotes from the file."""
    name = str(path)
    message = str(error)
    start = name if message.startswith(name) else ""
    rest = _QUOTED.sub("a value that is not shown", message[len(start) :])
    return start + Redactor(salt="", policy=policy).text(rest)


def _opened(path: Path, progress: Progress | None) -> tuple[Cassette, tuple[str, ...]]:
    if path.suffix.lower() == ".har":
        log = open_har(path)
        return Cassette(interactions=log.interactions), log.skipped
    return open_cassette(path, progress=progress), ()


def _loose(
    path: Path, policy: Policy, cassette: Cassette | None = None
) -> tuple[LocatedFinding, ...]:
    """Find tokens, keys and named secrets in the file's text that are in no interaction of it."""
    try:
        text = files.content(path).decode("latin-1")
    except OSError:
        return ()
    found = dict(find_in_text(text, policy))
    if not found:
        return ()
    seen = b"\n".join(map(_unquoted, _texts(cassette))) if cassette is not None else b""
    return tuple(
        LocatedFinding(
            interaction=None,
            finding=Finding(place="file", rule=rule.value, excerpt=_excerpt(value)),
            around=value.encode(),
        )
        for value, rule in found.items()
        if _unquoted(value.encode()) not in seen
    )


def _texts(cassette: Cassette) -> Iterator[bytes]:
    """List every text that `located_findings` looked into."""
    for each in cassette.interactions:
        yield each.request.url.encode("utf-8", "surrogateescape")
        for message in (each.request, each.response):
            for name, value in message.headers:
                yield f"{name}: {value}".encode("utf-8", "surrogateescape")
            yield message.body
    yield metadata_text(cassette.other_metadata)
    yield variables_text(cassette)


def _unquoted(text: bytes) -> bytes:
    return _QUOTING.sub(b"", text)


def _excerpt(value: str) -> str:
    return f"{value[: min(_SHOWN, len(value) // _SHOWN_PART)]}… ({len(value)} characters)"


class _Places:
    """Where in an interaction a finding's place is."""

    def __init__(self, interaction: Interaction) -> None:
        self._interaction = interaction
        self._values: dict[str, dict[str, bytes]] = {}

    def around(self, place: str) -> bytes:
        """Return the innermost text that has a place of its own and that `place` is in."""
        side, _, rest = place.partition(".")
        message = self._interaction.request if side == "request" else self._interaction.response
        part, _, inside = rest.partition(".")
        if part == "url":
            return self._interaction.request.url.encode("utf-8", "surrogateescape")
        if part == "header":
            name = inside.partition(".")[0]
            fields = message.headers.all(inside) or message.headers.all(name)
            return "\n".join(fields).encode("utf-8", "surrogateescape")
        if side not in self._values:
            self._values[side] = _json_values(message.body)
        values = self._values[side]
        for _ in range(_DEEPEST):  # a key may hold dots without end
            if rest in values:
                return values[rest]
            rest = rest[: max(rest.rfind("."), rest.rfind("["), 0)]
        return message.body


def _json_values(body: bytes) -> dict[str, bytes]:
    """Map `body.value[0].name` to what stands there."""
    values: dict[str, bytes] = {}
    try:
        for scalar in scalars(body):
            steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in scalar.path)
            values["body" + "".join(steps)] = unquoted(body, scalar).encode(
                "utf-8", "surrogatepass"
            )
    except NotJsonError:
        return {}
    return values


def _printable(finding: Finding, clean: Redactor) -> Finding:
    """Make a finding safe to print: the names in its place are from the file as well."""
    place = finding.place
    if len(place) > _LONGEST_PLACE or clean.text(place) != place or _names_random(place):
        where = _WHERE.match(place)
        place = f"{where[0]}.…" if where is not None else "…"
    return replace(finding, place=_line(place), excerpt=_line(finding.excerpt))


def _names_random(place: str) -> bool:
    names = _STEP_ENDS.split(place)
    return any(len(name) > _LONGEST_NAME and any(map(str.isdigit, name)) for name in names)


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _plain(tree: object) -> object:
    match tree:
        case dict():
            return {str(key): _plain(value) for key, value in tree.items()}
        case list() | tuple():
            return [_plain(value) for value in tree]
        case str() | int() | float() | None:
            return tree
        case _:
            return str(tree)
