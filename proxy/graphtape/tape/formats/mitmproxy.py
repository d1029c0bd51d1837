"""mitmproxy's flows in, read by mitmproxy itself: the extra `graphtape[mitmproxy]`."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphtape.core.errors import CassetteError
from graphtape.core.message import Headers, Interaction
from graphtape.tape.formats.exchange import (
    Found,
    LeftOutError,
    interaction_of,
    request_of,
    title,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mitmproxy.http import HTTPFlow

    from graphtape.tape.formats.source import Source

_FLOW = re.compile(rb"[1-9][0-9]{0,9}:[0-9]{1,9}:")


def fits(data: bytes) -> bool:
    """Tell flows by how they begin: a tnetstring, its length first, that holds texts."""
    return _FLOW.match(data) is not None


def read(source: Source) -> Found:
    """Read a file of flows.

    Raises:
        CassetteError: mitmproxy isn't installed, or can't read it.
    """
    try:
        from mitmproxy.exceptions import FlowReadException  # noqa: PLC0415 - an extra
        from mitmproxy.http import HTTPFlow  # noqa: PLC0415 - likewise
        from mitmproxy.io import FlowReader  # noqa: PLC0415 - likewise
    except ImportError as exc:
        raise CassetteError(
            f"{source.name}: holds flows of mitmproxy, which reads them: install it with "
            "pip install 'graphtape[mitmproxy]' (Python 3.12 or later), or save them as HAR: "
            "mitmdump -nr FLOWS --set hardump=FILE.har"
        ) from exc
    interactions: list[Interaction] = []
    skipped: list[str] = []
    started: float | None = None
    try:
        for index, flow in enumerate(FlowReader(io.BytesIO(source.data)).stream()):
            if not isinstance(flow, HTTPFlow):
                skipped.append(f"flow {index}: it is no call over HTTP")
                continue
            try:
                interactions.append(_interaction(flow, f"{source.name}, flow {index}"))
                started = started or flow.request.timestamp_start
            except LeftOutError as exc:
                about = title(flow.request.method, flow.request.pretty_url)
                skipped.append(f"flow {index} ({about}): {exc}")
    except (FlowReadException, ValueError) as exc:
        raise CassetteError(
            f"{source.name}: mitmproxy can't read its flows ({exc}); save them again"
        ) from exc
    return Found(
        interactions=tuple(interactions),
        skipped=tuple(skipped),
        started_at=None if started is None else datetime.fromtimestamp(started, UTC),
    )


def _interaction(flow: HTTPFlow, where: str) -> Interaction:
    asked, answered = flow.request, flow.response
    if flow.websocket is not None:
        raise LeftOutError("it became a WebSocket")
    if answered is None:
        said = f": {flow.error.msg}" if flow.error is not None else ""
        raise LeftOutError(f"it has no response{said}")
    if asked.raw_content is None or answered.raw_content is None:
        raise LeftOutError("its body wasn't saved")
    request = request_of(
        asked.method,
        asked.pretty_url,
        _headers(asked.headers.fields),
        asked.raw_content,
        where=f"{where}, request.url",
    )
    return interaction_of(
        request,
        answered.status_code,
        answered.reason,
        _headers(answered.headers.fields),
        answered.raw_content,
        where=f"{where}, response.status_code",
    )


def _headers(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    return Headers.of(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in fields
    )
