"""What a stub answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.message import Headers
from graphtape.tape import entry
from graphtape.tape.formats.exchange import (
    LeftOutError,
    base64_bytes,
    fields_of,
    json_bytes,
    optional,
    text_bytes,
    typed,
)

if TYPE_CHECKING:
    from graphtape.tape.formats.source import Source

Tree = dict[object, object]
_FAULTS = {
    "CONNECTION_RESET_BY_PEER": "reset",
    "EMPTY_RESPONSE": "close",
    "RANDOM_DATA_THEN_CLOSE": "garbage",
    "MALFORMED_RESPONSE_CHUNK": "bad_chunk",
}
_WITH_ANSWER = {"bad_chunk"}


@dataclass(slots=True)
class Answered:
    """What a stub answers.

    Attributes:
        status: None where it breaks the connection before an answer.
        effect: Delay and fault, as a scenario file spells them.
        lost: What isn't done, a line each.
    """

    status: object = 200
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    effect: dict[str, object] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def answered(tree: Tree, source: Source, *, where: str) -> Answered:
    """Read a response definition.

    Raises:
        CassetteError: It isn't one.
        LeftOutError: It answers nothing of its own.
    """
    if tree.get("proxyBaseUrl"):
        raise LeftOutError("it passes requests on to another server")
    found = Answered(
        status=tree.get("status", 200),
        reason=optional(tree.get("statusMessage"), where=f"{where}.statusMessage"),
        headers=fields_of(tree.get("headers"), where=f"{where}.headers"),
    )
    _fault(tree, found, where=where)
    _delay(tree, found, where=where)
    found.body, media = _body(tree, found.headers, source, where=where)
    found.headers = typed(found.headers, media, found.body)
    if tree.get("transformers") and b"{{" in found.body:
        found.lost.append("its template goes out as it is: nothing fills it in")
    if tree.get("chunkedDribbleDelay"):
        found.lost.append("its answer comes in one piece: chunkedDribbleDelay")
    return found


def _body(tree: Tree, headers: Headers, source: Source, *, where: str) -> tuple[bytes, str]:
    """Return the body, and the media type it has where the headers name none."""
    if tree.get("jsonBody") is not None:
        return json_bytes(tree["jsonBody"]), "application/json"
    if tree.get("base64Body") is not None:
        packed = entry.as_text(tree["base64Body"], where=f"{where}.base64Body")
        return base64_bytes(packed, where=f"{where}.base64Body"), ""
    if tree.get("bodyFileName") is not None:
        name = entry.as_text(tree["bodyFileName"], where=f"{where}.bodyFileName")
        # A root has `mappings`, where this file is at any depth, and `__files` beside it.
        folders = [folder / "__files" for folder in (source.path, *source.path.parents)]
        return source.beside(name, *folders[:6]), ""
    text = optional(tree.get("body"), where=f"{where}.body")
    return text_bytes(text, headers.get("Content-Type") or ""), ""


def _fault(tree: Tree, found: Answered, *, where: str) -> None:
    fault = tree.get("fault")
    if fault is None:
        return
    name = _FAULTS.get(entry.as_text(fault, where=f"{where}.fault"))
    if name is None:
        entry.refuse(f"{where}.fault", fault, f"one of {', '.join(_FAULTS)}")
    found.effect["fault"] = name
    if name not in _WITH_ANSWER:
        found.status = None


def _delay(tree: Tree, found: Answered, *, where: str) -> None:
    fixed = tree.get("fixedDelayMilliseconds")
    if fixed:
        wait = entry.as_integer(fixed, where=f"{where}.fixedDelayMilliseconds")
        found.effect["delay"] = {"fixed": f"{wait}ms"}
    match tree.get("delayDistribution"):
        case None:
            pass
        case {"type": "lognormal", "median": int() | float() as median, "sigma": sigma}:
            found.effect["delay"] = {"log_normal": {"median": f"{median}ms", "sigma": sigma}}
        case {"type": "uniform", "lower": int() as lower, "upper": int() as upper}:
            found.effect["delay"] = {"uniform": [f"{lower}ms", f"{upper}ms"]}
        case _:
            found.lost.append("its delayDistribution is of a kind that no scenario has")
