"""Dev Proxy's mocks out, for its MockResponsePlugin."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from graphtape.core.message import is_json, media_type
from graphtape.tape.export.answers import Exported, by_request, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.message import Headers, Interaction, Response

_NO_BODY = {"GET", "HEAD"}
_SPELLED_ANEW = ("Content-Length",)


def write(interactions: Sequence[Interaction], *, folder: str) -> Exported:
    """Write mocks; of several answers to one request each but the last is for its `nth` call.

    Args:
        interactions: In tape order.
        folder: Where bodies go that a mock can't hold, beside the file.
    """
    beside: dict[str, bytes] = {}
    mocks: list[dict[str, object]] = []
    groups = by_request(interactions)
    bodies = _bodies(interactions, groups)
    for group in groups:
        alike = len({_answer(interactions[index].response) for index in group}) == 1
        for turn, index in enumerate(group[-1:] if alike else group):
            interaction = interactions[index]
            request = interaction.request
            asked: dict[str, object] = {"url": request.url, "method": request.method}
            if not alike and turn + 1 < len(group):
                asked["nth"] = turn + 1
            fragment = request.body.decode("utf-8", "replace")
            if fragment and len(bodies[request.method, request.url]) > 1:
                asked["bodyFragment"] = fragment
            name = f"{folder}/{index}"
            answered = _answered(interaction.response, name=name, beside=beside)
            mocks.append({"request": asked, "response": answered})
    text = json.dumps({"mocks": mocks}, indent=2, ensure_ascii=False) + "\n"
    return Exported(
        data=text.encode("utf-8", "surrogateescape"),
        beside=beside,
        lost=tuple(_lost(interactions, groups, bodies)),
    )


def _bodies(
    interactions: Sequence[Interaction], groups: list[list[int]]
) -> dict[tuple[str, str], set[bytes]]:
    found: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for group in groups:
        request = interactions[group[0]].request
        if request.method not in _NO_BODY:
            found[request.method, request.url].add(request.body)
    return found


def _answer(response: Response) -> tuple[int, bytes, Headers]:
    moving = ("Date", "request-id", "client-request-id", "x-ms-ags-diagnostic")
    return response.status, response.body, response.headers.without(*moving)


def _answered(response: Response, *, name: str, beside: dict[str, bytes]) -> dict[str, object]:
    answered: dict[str, object] = {"statusCode": response.status}
    pairs = response.headers.without(*_SPELLED_ANEW).pairs
    if pairs:
        answered["headers"] = [{"name": name, "value": value} for name, value in pairs]
    if not response.body:
        return answered
    try:
        tree = json.loads(response.body) if is_json(media_type(response.headers)) else None
    except (ValueError, RecursionError):
        tree = None
    # A text that begins so would name a file.
    if isinstance(tree, dict | list) or (isinstance(tree, str) and not tree.startswith("@")):
        answered["body"] = tree
    else:
        beside[name] = response.body
        answered["body"] = f"@{name}"
    return answered


def _lost(
    interactions: Sequence[Interaction],
    groups: list[list[int]],
    bodies: dict[tuple[str, str], set[bytes]],
) -> list[str]:
    lost = []
    written = [group[0] for group in groups if len(bodies[_at(interactions[group[0]])]) > 1]
    if written:
        lost.append(
            f"{listed(written)}: told apart by bodyFragment, so that the body must be spelled "
            "as it was"
        )
    methods: dict[str, set[str]] = defaultdict(set)
    for interaction in interactions:
        methods[interaction.request.url].add(interaction.request.method)
    counted = [
        index
        for group in groups
        if len({_answer(interactions[index].response) for index in group}) > 1
        for index in group
    ]
    together = [i for i in counted if len(methods[interactions[i].request.url]) > 1]
    if together:
        lost.append(
            f"{listed(together)}: Dev Proxy counts the calls of a URL whatever their method: "
            "nth may come early"
        )
    if counted:
        lost.append(
            f"{listed(counted)}: answered in turn, each request by itself: a mock doesn't wait "
            "for the write between"
        )
    return lost


def _at(interaction: Interaction) -> tuple[str, str]:
    return interaction.request.method, interaction.request.url
