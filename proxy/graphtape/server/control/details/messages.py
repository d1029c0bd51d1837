"""Requests and answers of a tape, as these calls tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.redaction.marks import marks
from graphtape.server.control.details.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphtape.core.message import Headers, Request, Response
    from graphtape.core.redaction.marks import Mark

LONGEST = 64 * 1024
"""Bytes of a body that are told."""


def of_request(request: Request) -> Message:
    """Tell a request that was redacted."""
    body, cut = _body(request.body)
    return Message(
        method=request.method,
        url=_text(request.url),
        headers=_headers(request.headers),
        body=body,
        cut=cut,
    )


def of_response(response: Response) -> Message:
    """Tell an answer that was redacted."""
    body, cut = _body(response.body)
    return Message(status=response.status, headers=_headers(response.headers), body=body, cut=cut)


def marked(side: str, message: Message) -> Iterator[Mark]:
    """Find the masks and pseudonyms of a message.

    Args:
        side: `request` or `response`.
        message: Redacted.
    """
    if message.url is not None:
        yield from marks(f"{side}.url", message.url)
    for name, value in message.headers:
        yield from marks(f"{side}.header.{name}", value)
    yield from marks(f"{side}.body", message.body)


def _body(body: bytes) -> tuple[str, bool]:
    return body[:LONGEST].decode("utf-8", "replace"), len(body) > LONGEST


def _headers(fields: Headers) -> list[tuple[str, str]]:
    return [(_text(name), _text(value)) for name, value in fields]


def _text(text: str) -> str:
    # Bytes beyond UTF-8 stand as lone surrogates, which JSON can't hold.
    return text.encode("utf-8", "backslashreplace").decode()
