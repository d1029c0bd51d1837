"""vcrpy's cassette format: the bytes of a file to values and back.

What Graphtape adds lies under `metadata.graphtape` alone, so that stock vcrpy plays the file.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING, Protocol

import yaml

from graphtape.core.errors import CassetteError
from graphtape.core.message import Interaction
from graphtape.tape import entry
from graphtape.tape.digest import Digest
from graphtape.tape.inspection import inspect, top_level_list
from graphtape.tape.long_body import LONG, HeldBody, WithLongBodies
from graphtape.tape.long_scalar import scalar
from graphtape.tape.plain_yaml import NotPlainError, read_plain

try:
    from yaml import CSafeDumper as SafeDumper
except ImportError:
    from yaml import SafeDumper  # type: ignore[assignment]  # the same, without libyaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from vcr.request import Request as VcrRequest
    from yaml.constructor import SafeConstructor

    from graphtape.tape.long_body import LongBody
    from graphtape.tape.progress import Progress

    class Serializer(Protocol):
        """What of vcrpy's YAML is used."""

        def deserialize(self, text: str) -> object:
            """Load a cassette."""
            ...


CASSETTE_FORMAT_VERSION = 1
"""vcrpy's own, `vcr.serialize.CASSETTE_FORMAT_VERSION`."""

METADATA_FORMAT = 1
"""The only `metadata.graphtape.format` there is."""

# One line per body and header: a change to it is one line in a diff, a secret scanner that reads
# by lines sees it whole, and who edits by hand needs no rules of folding.
_UNFOLDED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a cassette says about itself, under `metadata.graphtape`.

    Attributes:
        format: Of this mapping.
        graphtape: Version that wrote it.
        upstream: A cloud's name, `sandbox` or `custom`; never an address.
        recorded_at: UTC, ISO 8601 with Z; empty where unknown.
        interactions: How many there were; `dump` counts.
        digest: Of all of them, see `digest`; `dump` computes it.
        salt: For pseudonyms, or empty where it isn't kept in the cassette.
        variables: Values a test made up while recording, by name, for it to use at replay.
        scopes: Delegated permissions that the tokens had it was recorded with; no token.
        roles: Application permissions, likewise.
        alike: Keys, by `core.masked.key_digest`, of requests that differ only in what was masked.
    """

    format: int = METADATA_FORMAT
    graphtape: str
    upstream: str
    recorded_at: str
    interactions: int = 0
    digest: str = ""
    salt: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """A cassette file as values.

    Attributes:
        interactions: In tape order.
        metadata: None where Graphtape didn't write it.
        other_metadata: The rest of top-level `metadata`, the user's.
        edited: Count or digest differ from what the metadata says: changed by hand or tool.
    """

    interactions: tuple[Interaction, ...]
    metadata: Metadata | None = None
    other_metadata: Mapping[str, object] = field(default_factory=dict)
    edited: bool = False


def load(
    data: bytes, *, name: str, json: bool = False, progress: Progress | None = None
) -> Cassette:
    """Read a cassette: vcrpy's, of any of its clients and versions since 1.0, or our own.

    Args:
        data: The whole file.
        name: What messages call it.
        json: JSON instead of YAML.
        progress: As for `read_plain`; of what isn't plain YAML nothing is told.

    Raises:
        CassetteError: It isn't a whole cassette.
    """
    if not json:
        found: list[Interaction] = []
        rest = stream(data, found.append, name=name, progress=progress)
        if rest is not None:
            return replace(rest, interactions=tuple(found))
    text = decoded(data, name=name)
    return of_tree(parse_json(text, name=name) if json else parse_yaml(text, name=name), name=name)


def of_tree(tree: object, *, name: str) -> Cassette:
    """Make a cassette of what a loader found in a file; arguments and errors as of `load`."""
    top = _top_level(tree, name)
    listed = top["interactions"]
    if not isinstance(listed, list):
        entry.refuse(f"{name}, interactions", listed, "a list")
    interactions = tuple(
        entry.read(tree, where=f"{name}, interaction {index}") for index, tree in enumerate(listed)
    )
    whole = Digest()
    for interaction in interactions:
        whole.add(interaction)
    return replace(_about(top, whole, name=name), interactions=interactions)


def stream(
    data: bytes,
    take: Callable[[Interaction], None],
    *,
    name: str,
    progress: Progress | None = None,
) -> Cassette | None:
    """Read a YAML cassette without holding more than one interaction of it.

    Args:
        data: The whole file.
        take: Called with each interaction in turn.
        name: What messages call it.
        progress: As for `read_plain`.

    Returns:
        All but the interactions. None where it isn't in plain YAML, or isn't a whole cassette:
        `load` reads it, or says why not, and what was taken counts for nothing.

    Raises:
        CassetteError: It is empty, or isn't UTF-8.
    """
    decoded(data, name=name)
    whole = Digest()

    def add(tree: object) -> None:
        interaction = entry.read(tree, where=f"{name}, interaction {whole.count}")
        whole.add(interaction)
        take(interaction)

    try:
        return _about(_top_level(read_plain(data, add, progress=progress), name), whole, name=name)
    except (NotPlainError, CassetteError):
        return None


def _about(top: dict[object, object], whole: Digest, *, name: str) -> Cassette:
    ours, others = _read_metadata(top.get("metadata"), where=f"{name}, metadata")
    edited = ours is not None and (ours.interactions, ours.digest) != (whole.count, whole.text)
    return Cassette(interactions=(), metadata=ours, other_metadata=others, edited=edited)


def dump(
    interactions: Iterable[Interaction | WithLongBodies],
    *,
    metadata: Metadata | None,
    other_metadata: Mapping[str, object] | None = None,
) -> Iterator[bytes]:
    """Write a cassette as stock vcrpy reads it, UTF-8, an interaction at a time.

    The same values give the same bytes.

    Args:
        interactions: In tape order, hop-by-hop fields out.
        metadata: Count and digest are computed; None leaves ours out.
        other_metadata: The user's, from the cassette this one replaces.
    """
    whole = Digest()
    for interaction in interactions:
        if not whole.count:
            yield b"interactions:\n"
        written = _settled(interaction)
        whole.add(written.interaction, asked=written.asked, answered=written.answered)
        yield from _lines(written)
    if not whole.count:
        yield _yaml({"interactions": []})
    about: dict[str, object] = dict(other_metadata or {})
    if metadata is not None:
        counted = replace(metadata, interactions=whole.count, digest=whole.text)
        about["graphtape"] = {
            key: value for key, value in asdict(counted).items() if value not in ("", {}, ())
        }
    end: dict[str, object] = {}
    if about:
        end["metadata"] = {key: about[key] for key in sorted(about)}
    # Last, so that a file cut short shows: it has none.
    yield _yaml({**end, "version": CASSETTE_FORMAT_VERSION})


def _settled(given: Interaction | WithLongBodies) -> WithLongBodies:
    """Bring an interaction into its form on the tape, its long bodies apart."""
    if isinstance(given, WithLongBodies):
        written = entry.settled(given.interaction)
        answer = written.response
        if given.answered is not None and "Content-Length" in answer.headers:
            length = str(len(given.answered))
            answer = replace(answer, headers=answer.headers.set("Content-Length", length))
        return replace(given, interaction=replace(written, response=answer))
    written = entry.settled(given)
    request, response = written.request, written.response
    asked, answered = (
        HeldBody(body) if len(body) >= LONG else None for body in (request.body, response.body)
    )
    return WithLongBodies.of(request, response, asked=asked, answered=answered)


def _lines(written: WithLongBodies) -> Iterator[bytes]:
    """Write an item of `interactions`; long bodies in pieces, in the place of a mark."""
    request, response = written.interaction.request, written.interaction.response
    marked: list[tuple[bytes, LongBody, int]] = []
    if written.asked is not None:
        marked.append((_mark(), written.asked, 6))
        request = replace(request, body=marked[-1][0])
    if written.answered is not None:
        marked.append((_mark(), written.answered, 8))
        response = replace(response, body=marked[-1][0])
    rest = _yaml([entry.write(Interaction(request=request, response=response))])
    for mark, body, indent in marked:
        before, _, rest = rest.partition(mark)
        yield before
        yield from scalar(body, indent=indent)
    yield rest


def _mark() -> bytes:
    return f"graphtape-{secrets.token_hex(16)}".encode()


def _yaml(tree: object) -> bytes:
    text: bytes = yaml.dump(
        tree, Dumper=_Dumper, encoding="utf-8", allow_unicode=True, width=_UNFOLDED,
        sort_keys=False, default_flow_style=False,
    )  # fmt: skip
    return text


def to_vcr(interaction: Interaction) -> tuple[VcrRequest, dict[str, object]]:
    """Return an interaction as vcrpy hands it to a hook: its Request, and its response dict."""
    plain = entry.settled(interaction)
    tree = entry.write(plain)
    asked, answered = tree["request"], tree["response"]
    assert isinstance(asked, dict)  # noqa: S101 - `entry.write` lays it out so
    assert isinstance(answered, dict)  # noqa: S101 - likewise
    answered["body"] = {"string": plain.response.body}  # a hook sees bytes; only the file has text
    from vcr.request import Request as VcrRequest  # noqa: PLC0415 - as `_serializer`

    return VcrRequest._from_dict(asked), answered  # noqa: SLF001 - vcrpy's own way in


def from_vcr(
    request: VcrRequest, response: object, *, where: str, given: Interaction
) -> Interaction:
    """Return what a hook made of an interaction that it was `given`.

    Raises:
        CassetteError: It isn't one any more.
    """
    about = entry.write(entry.settled(given)).get("graphtape")
    tree = {"graphtape": about, "request": request._to_dict(), "response": response}  # noqa: SLF001 - vcrpy's own way out
    return entry.read(tree, where=where)


def decoded(data: bytes, *, name: str) -> str:
    """Read the text of a file.

    Raises:
        CassetteError: It is empty, or isn't UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")  # editors on Windows put a BOM in front
    except UnicodeDecodeError as exc:
        raise CassetteError(
            f"{name}: found byte 0x{data[exc.start]:02x} at offset {exc.start}, which isn't "
            "UTF-8; save it as UTF-8, or record it again"
        ) from exc
    if not text or text.isspace():  # strip() would make another copy
        raise CassetteError(f"{name}: the file is empty; delete it and record it again")
    return text


def parse_json(text: str, *, name: str) -> object:
    """Decode JSON.

    Raises:
        CassetteError: It isn't JSON; it says where.
    """
    try:
        tree: object = loads(text)
    except JSONDecodeError as exc:
        raise CassetteError(
            f"{name}, line {exc.lineno}: not JSON ({exc.msg}); correct it, or record it again"
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise CassetteError(f"{name}: {exc}; correct it, or record it again") from exc
    return tree


def parse_yaml(text: str, *, name: str) -> object:
    """Decode YAML, the tags of recorders included.

    Raises:
        CassetteError: It isn't YAML, or holds what no recording needs; it says where.
    """
    try:
        inspect(text, name=name, tags=_TAGS)
        tree: object = _serializer().deserialize(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        problem = exc.problem or exc.context
        raise CassetteError(
            f"{name}{line}: not YAML ({problem}); correct it, or record it again"
        ) from exc
    except (yaml.YAMLError, RecursionError) as exc:
        problem = str(exc).partition("\n")[0]
        raise CassetteError(f"{name}: not YAML ({problem}); record it again") from exc
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        # PyYAML's constructors let through what int(), datetime() and their like raise.
        raise CassetteError(
            f"{name}: found a value that isn't what it looks like ({exc}); put it in quotes"
        ) from exc
    return tree


def _top_level(tree: object, name: str) -> dict[object, object]:
    if isinstance(tree, list):
        raise CassetteError(top_level_list(name))
    if not isinstance(tree, dict) or "interactions" not in tree:
        raise CassetteError(
            f"{name}: not a cassette, which is a mapping with `interactions` and `version`; "
            "check the path, or record it again"
        )
    version = tree.get("version")
    if version is None:
        raise CassetteError(
            f"{name}: the file is cut short: it has no `version`; restore it, or record it again"
        )
    if version is True or version != CASSETTE_FORMAT_VERSION:
        entry.refuse(f"{name}, version", version, str(CASSETTE_FORMAT_VERSION))
    return tree


def _read_metadata(tree: object, *, where: str) -> tuple[Metadata | None, dict[str, object]]:
    if tree is None:
        return None, {}
    others: dict[str, object] = {}
    for key, value in entry.as_mapping(tree, where=where).items():
        others[entry.as_text(key, where=f"{where}, a key")] = value
    if "graphtape" not in others:
        return None, others
    inside = f"{where}.graphtape"
    ours = entry.as_mapping(others.pop("graphtape"), where=inside)
    if ours.get("format") != METADATA_FORMAT:
        raise CassetteError(
            f"{inside}.format: found {ours.get('format')!r}, this Graphtape reads "
            f"{METADATA_FORMAT}; update Graphtape, or record the cassette again"
        )

    def text(key: str, default: object = None) -> str:
        return entry.as_text(ours.get(key, default), where=f"{inside}.{key}")

    metadata = Metadata(
        graphtape=text("graphtape"),
        upstream=text("upstream"),
        recorded_at=text("recorded_at", ""),
        interactions=entry.as_integer(ours.get("interactions"), where=f"{inside}.interactions"),
        digest=text("digest", ""),
        salt=text("salt", ""),
        variables={
            entry.as_text(name, where=f"{inside}.variables, a name"): entry.as_text(
                value, where=f"{inside}.variables.{name}"
            )
            for name, value in entry.as_mapping(
                ours.get("variables", {}), where=f"{inside}.variables"
            ).items()
        },
        scopes=_texts(ours.get("scopes", ()), where=f"{inside}.scopes"),
        roles=_texts(ours.get("roles", ()), where=f"{inside}.roles"),
        alike=_texts(ours.get("alike", ()), where=f"{inside}.alike"),
    )
    return metadata, others


def _texts(found: object, *, where: str) -> tuple[str, ...]:
    if not isinstance(found, list | tuple):
        entry.refuse(where, found, "a list")
    return tuple(entry.as_text(each, where=where) for each in found)


class _Dumper(SafeDumper):
    """PyYAML's, but for three line breaks that its pure-Python half writes and reads as blanks."""


def _represent_text(dumper: SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _ODD_BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")
_Dumper.add_representer(str, _represent_text)


def _arguments(loader: SafeConstructor, node: yaml.Node) -> list[object]:
    """Take the arguments of a pickled call, in either of the forms PyYAML writes it in."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    call = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else {}
    arguments = call.get("args") or call.get("state")
    if not isinstance(arguments, list):
        raise yaml.constructor.ConstructorError(None, None, "no arguments", node.start_mark)
    return arguments


def _first(loader: SafeConstructor, node: yaml.Node) -> object:
    return _arguments(loader, node)[0]


def _joined(loader: SafeConstructor, node: yaml.Node) -> bytes:
    (parts,) = _arguments(loader, node)
    if not isinstance(parts, list):
        raise yaml.constructor.ConstructorError(None, None, "no list of parts", node.start_mark)
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)


def _listed(loader: SafeConstructor, node: yaml.SequenceNode) -> list[object]:
    # Not a tuple: hashing nested ones as keys takes exponential time.
    return loader.construct_sequence(node, deep=True)


_PYTHON = "tag:yaml.org,2002:python/"
_CONSTRUCTORS = {
    _PYTHON + "tuple": _listed,
    # Header names recorded from aiohttp by older vcrpy.
    **{
        f"{_PYTHON}object/{how}:multidict.{module}istr": _first
        for how in ("apply", "new")
        for module in ("", "_multidict.", "_multidict_py.")
    },
    # Request bodies that were files and iterators.
    _PYTHON + "object/new:_io.BytesIO": _first,
    _PYTHON + "object/apply:builtins.iter": _joined,
    "!binary": yaml.SafeLoader.construct_yaml_binary,  # Ruby's, for !!binary
}
_TAGS = {_PYTHON + "str", _PYTHON + "unicode", *_CONSTRUCTORS}


# vcrpy imports each HTTP library it can patch, which takes longer than all else a replay needs.
@cache
def _serializer() -> Serializer:
    from vcr.serializers import yamlserializer  # noqa: PLC0415

    made: Serializer = yamlserializer.with_custom_tags(_CONSTRUCTORS)
    return made
