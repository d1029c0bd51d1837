"""Bodies as a redactor makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.message import Headers, Response

if TYPE_CHECKING:
    from graphtape.core.redaction.redactor import Redactor


def redacted_body(redactor: Redactor, body: bytes, content_type: str, *, action: str = "") -> bytes:
    """Redact the body of an answer; `action` is the last segment of what was asked."""
    headers = Headers.of([("Content-Type", content_type)])
    answer = Response(status=200, headers=headers, body=body)
    return redactor.response(answer, url=f"https://graph.microsoft.com/v1.0/{action}").body
