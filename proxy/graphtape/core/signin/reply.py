"""What the authority answers, as an HTTP message."""

from __future__ import annotations

from http import HTTPStatus

from graphtape.core.message import Headers, Request, Response
from graphtape.core.signin.terms import guid_of

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


def reply(
    request: Request,
    body: bytes = b"",
    *,
    status: int = 200,
    media: str = JSON,
    location: str | None = None,
) -> Response:
    """Answer a request of sign-in; nothing of it may be kept by a cache (RFC 6749 section 5.1)."""
    fields = [("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache")]
    if body:
        fields.append(("Content-Type", media))
    if location is not None:
        fields.append(("Location", location))
    fields.append(("x-ms-request-id", guid_of("request")))
    caller = request.headers.get("client-request-id")
    if caller is not None:
        fields.append(("client-request-id", caller))
    fields.append(("Content-Length", str(len(body))))
    reason = HTTPStatus(status).phrase
    return Response(status=status, reason=reason, headers=Headers.of(fields), body=body)
