"""The formats there are, told apart by content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.errors import CassetteError
from graphtape.tape import entry
from graphtape.tape.formats import (
    dev_proxy,
    go_vcr,
    har,
    mitmproxy,
    postman,
    ruby_vcr,
    test_proxy,
)
from graphtape.tape.formats.exchange import Found
from graphtape.tape.formats.source import Source, parts
from graphtape.tape.formats.wiremock import mapping
from graphtape.tape.vcr_format import decoded, of_tree, parse_json, parse_yaml, stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.core.message import Interaction
    from graphtape.tape.progress import Progress


@dataclass(frozen=True, slots=True)
class Format:
    """A format of JSON or YAML.

    Attributes:
        name: For messages.
        fits: Tells a decoded file of it.
        read: Reads one.
    """

    name: str
    fits: Callable[[object], bool]
    read: Callable[[object, Source], Found]


def _is_cassette(tree: object) -> bool:
    return isinstance(tree, dict) and "interactions" in tree


def _cassette(tree: object, source: Source) -> Found:
    cassette = of_tree(tree, name=source.name)
    return Found(interactions=cassette.interactions, cassette=cassette)


FORMATS = (
    Format("HAR", har.is_har, lambda tree, source: har.read_tree(tree, name=source.name)),
    Format("Dev Proxy mocks", dev_proxy.fits, dev_proxy.read),
    Format("WireMock stub mappings", mapping.fits, mapping.read),
    Format("a recording of the Azure SDK's test proxy", test_proxy.fits, test_proxy.read),
    Format("a go-vcr cassette", go_vcr.fits, go_vcr.read),
    Format("a cassette of Ruby's VCR", ruby_vcr.fits, ruby_vcr.read),
    Format("a Postman collection", postman.fits, postman.read),
    # Last: go-vcr's has `interactions`, too.
    Format("a vcrpy cassette", _is_cassette, _cassette),
)
"""All but mitmproxy's flows, which are neither."""


def read(source: Source, *, progress: Progress | None = None) -> Found:
    """Read a file of any format that is known.

    Args:
        source: What is read.
        progress: As for `vcr_format.stream`.

    Raises:
        CassetteError: It is none of them, or isn't whole.
    """
    if mitmproxy.fits(source.data):
        return mitmproxy.read(source)
    text = decoded(source.data, name=source.name)
    if text.lstrip().startswith(("{", "[")):
        tree = parse_json(text, name=source.name)
    else:
        taken: list[Interaction] = []
        rest = stream(source.data, taken.append, name=source.name, progress=progress)
        if rest is not None:
            cassette = replace(rest, interactions=tuple(taken))
            return Found(interactions=cassette.interactions, cassette=cassette)
        tree = parse_yaml(text, name=source.name)
    return _of_tree(tree, source)


def read_folder(path: Path, content: Callable[[Path], bytes]) -> Found:
    """Read a folder of stub mappings: WireMock's root, or its `mappings`.

    Args:
        path: Of the folder.
        content: Reads a file.

    Raises:
        CassetteError: A file in it is something else.
    """
    mappings: list[object] = []
    for part in parts(path):
        name = str(part)
        tree = parse_json(decoded(content(part), name=name), name=name)
        if not mapping.fits(tree):
            raise CassetteError(
                f"{name}: not WireMock stub mappings; of a folder, each JSON file is read as such"
            )
        fields = entry.as_mapping(tree, where=name)
        inside = fields.get("mappings", [fields])
        mappings += inside if isinstance(inside, list) else []
    return _of_tree({"mappings": mappings}, Source(name=str(path), path=path))


def _of_tree(tree: object, source: Source) -> Found:
    for known in FORMATS:
        if known.fits(tree):
            return known.read(tree, source)
    names = ", ".join(known.name for known in FORMATS)
    raise CassetteError(
        f"{source.name}: none of the formats that are read: {names}, or flows of mitmproxy; "
        "check the path, or export it again"
    )


__all__ = ["FORMATS", "Format", "read", "read_folder"]
