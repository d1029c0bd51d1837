"""Writes cassettes by hand, as stock vcrpy would have recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from graphtape.tape.vcr_format import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from graphtape.core import message
    from graphtape.tape.vcr_format import Metadata

Interaction = dict[str, object]
GRAPH = "https://graph.microsoft.com"


def taped(folder: Path, *interactions: Interaction) -> Path:
    """Write a cassette."""
    path = folder / "tape.yaml"
    path.write_text(yaml.safe_dump({"interactions": list(interactions), "version": 1}))
    return path


def exchanged(
    method: str,
    path: str,
    answer: str | bytes = "{}",
    *,
    status: int = 200,
    asked: dict[str, str] | None = None,
    body: str | None = None,
    fields: Mapping[str, str] | None = None,
    **headers: str,
) -> Interaction:
    """Describe one interaction.

    Args:
        method: Of the request.
        path: At Graph, with version and query.
        answer: Its body.
        status: Of the answer.
        asked: Headers of the request.
        body: Of the request.
        fields: Headers of the answer.
        headers: More of them; `Retry_After` is Retry-After.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "request": {
            "method": method,
            "uri": GRAPH + path,
            "body": body,
            "headers": {name: [value] for name, value in (asked or {}).items()},
        },
        "response": {
            "status": {"code": status, "message": "As Recorded"},
            "headers": {n: [value] for n, value in {**(fields or {}), **named}.items()},
            "body": {"string": answer},
        },
    }


def written_out(
    interactions: Iterable[message.Interaction],
    *,
    metadata: Metadata | None,
    other_metadata: Mapping[str, object] | None = None,
) -> bytes:
    """Return a cassette as it is written, in one piece."""
    return b"".join(dump(interactions, metadata=metadata, other_metadata=other_metadata))
