"""An exchange of which request and answer are here as a whole, and small: onto the tape at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11
from aiohttp.base_protocol import BaseProtocol

from graphtape.core.graph.actions import last_segment
from graphtape.core.graph.cloud import off_graph_origin
from graphtape.core.redaction.secrets import MASK
from graphtape.server.http.half_close import has_left
from graphtape.server.record.whole_answer import LARGEST
from graphtape.tape.record import pack_spelled, spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.web import BaseRequest

    from graphtape.core.graph.cloud import Upstream
    from graphtape.core.message import Headers, Request
    from graphtape.core.redaction.sweep import Change
    from graphtape.server.record.whole_answer import WholeAnswer
    from graphtape.server.transaction import Transaction
    from graphtape.tape.recorder import Recorder

FITS = hasattr(BaseProtocol, "writing_paused")
"""Whether the aiohttp that runs says whether a client reads."""


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each request
class TapedRequest:
    """A request as the tape has it.

    Attributes:
        request: Before redaction.
        texts: Method and URL, then name and value of each field, clean, as a record has them.
        body: Clean.
        changes: What was taken out.
        unopened: Why something in it couldn't be looked into; empty if all was.
    """

    request: Request
    texts: list[bytes]
    body: bytes
    changes: Sequence[Change]
    unopened: str


def may_be_whole(transaction: Transaction, recorder: Recorder) -> bool:
    """Tell whether an answer may go out in one piece, and onto the tape in one."""
    http, incoming = transaction.http, transaction.incoming
    if not FITS or not http.keep_alive or http.version != HttpVersion11:
        return False
    if incoming.rest is not None or len(incoming.request.body) > LARGEST:
        return False
    return (
        recorder.takes_packed
        and not http.protocol.writing_paused
        and not off_graph_origin(incoming.request.url)
    )


def names_upstream(body: bytes, upstream: Upstream) -> bool:
    """Tell whether the upstream's own address may stand in a body: it is no Graph's."""
    root = upstream.root
    if root in {"", upstream.tape_root}:
        return False
    return root.partition("://")[2].partition("/")[0].encode() in body


def taped_request(request: Request, headers: Headers, recorder: Recorder) -> TapedRequest | None:
    """Redact a request for the tape.

    Args:
        request: As Graph is to see it.
        headers: Those of its fields that go onto the tape.
        recorder: Redacts them.

    Returns:
        None where it must be told from others that differ only in what was masked, or can't be
        redacted: `Recorder.keep` sees to both.
    """
    redactor = recorder.redactor
    try:
        url, changed = redactor.location(request.url)
        changes, body, unopened = [*changed], request.body, ""
        if body:
            media = request.headers.get("Content-Type") or ""
            body, more = redactor.content(body, media, answer=False)
            changes += more
            unopened = recorder.unopened(redactor)
        if any(change.after == MASK for change in changes):
            return None
        fields, more = recorder.asked.of(headers.pairs)
    except Exception:  # noqa: BLE001 - every body there is; `Recorder.keep` says so
        return None
    texts = [*spelled(request.method, url), *fields]
    return TapedRequest(
        request=request, texts=texts, body=body, changes=(*changes, *more), unopened=unopened
    )


def keep_whole(place: int, asked: TapedRequest, answer: WholeAnswer, recorder: Recorder) -> str:
    """Put an exchange in its place on the tape; return why not, where it couldn't be."""
    request, redactor = asked.request, recorder.redactor
    method, url = request.method, request.url
    try:
        body, changes = redactor.content(
            answer.body, answer.type, answer=True, action=last_segment(url).lower()
        )
        unopened = asked.unopened or recorder.unopened(redactor)
        fields, more = recorder.answered.of(answer.taped)
    except Exception as exc:  # noqa: BLE001 - as `Recorder.keep`
        return recorder.lose(method, url, f"it couldn't be redacted ({type(exc).__name__})")
    if unopened:
        return recorder.lose(method, url, unopened)
    redactor.count((*asked.changes, *changes, *more), request.body, answer.body)
    texts = [*spelled(answer.reason), *fields]
    payload = pack_spelled(asked.texts, asked.body, answer.status, texts, body)
    return recorder.keep_packed(place, payload, method, url)


async def written(http: BaseRequest, data: bytes) -> bool:
    """Write a whole answer; tell whether the client was there to take it."""
    transport = http.transport
    if transport is None or transport.is_closing():
        return False
    transport.write(data)
    http.writer.output_size += len(data)
    if http.protocol.writing_paused:
        try:
            await http.writer.drain()
        except ConnectionError:
            return False
    return not await has_left(http)
