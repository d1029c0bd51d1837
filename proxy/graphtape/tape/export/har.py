"""HAR 1.2 out: what browsers, Charles, Fiddler and Polly.JS read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from graphtape import __version__
from graphtape.tape.export.answers import Exported, text_of
from graphtape.tape.formats.exchange import dated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.message import Headers, Interaction

_UNKNOWN = datetime.fromtimestamp(0, UTC)
_NO_TIMINGS = {
    "blocked": -1,
    "dns": -1,
    "connect": -1,
    "send": 0,
    "wait": 0,
    "receive": 0,
    "ssl": -1,
}


def write(interactions: Sequence[Interaction], *, started_at: datetime | None) -> Exported:
    """Write a HAR file. The times of requests aren't on tape: they count up by milliseconds.

    Args:
        interactions: In tape order.
        started_at: Of the first request; else its answer's Date, else 1970 stands there.
    """
    start = started_at or dated(interactions) or _UNKNOWN
    entries = [
        _entry(interaction, start + timedelta(milliseconds=index))
        for index, interaction in enumerate(interactions)
    ]
    creator = {"name": "Graphtape", "version": __version__}
    log = {"version": "1.2", "creator": creator, "pages": [], "entries": entries}
    text = json.dumps({"log": log}, indent=2, ensure_ascii=False) + "\n"
    return Exported(data=text.encode("utf-8", "surrogateescape"))


def _entry(interaction: Interaction, time: datetime) -> dict[str, object]:
    request, response = interaction.request, interaction.response
    asked: dict[str, object] = {
        "method": request.method,
        "url": request.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(
                request.url.partition("?")[2], keep_blank_values=True, errors="surrogateescape"
            )
        ],
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        asked["postData"] = _content(request.body, request.headers)
    return {
        "startedDateTime": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "time": 0,
        "request": asked,
        "response": {
            "status": response.status,
            "statusText": response.reason,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(response.headers),
            "content": {
                "size": len(response.body),
                **_content(response.body, response.headers),
            },
            "redirectURL": response.headers.get("Location") or "",
            "headersSize": -1,
            "bodySize": len(response.body),
        },
        "cache": {},
        "timings": _NO_TIMINGS,
    }


def _pairs(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _content(body: bytes, headers: Headers) -> dict[str, str]:
    media = {"mimeType": headers.get("Content-Type") or "x-unknown"}
    text = text_of(body, headers)
    if text is not None:
        return {**media, "text": text}
    return {**media, "encoding": "base64", "text": base64.b64encode(body).decode()}
