"""Errors of sign-in, in Entra's shape (Entra docs, "AADSTS error codes")."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphtape.core.signin.reply import reply
from graphtape.core.signin.terms import guid_of

if TYPE_CHECKING:
    from graphtape.core.message import Request, Response

_ERROR_PAGE = "https://login.microsoftonline.com/error?code="


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why there is no token.

    Attributes:
        error: OAuth's word for it (RFC 6749 section 5.2).
        code: The number after `AADSTS`.
        message: What follows that number; it never quotes a secret.
    """

    error: str
    code: int
    message: str
    status: int = 400

    def answer(self, request: Request, *, now: float) -> Response:
        """Answer with it; `now` is Unix time in seconds."""
        stamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%SZ}"
        trace = guid_of("trace")
        correlation = request.headers.get("client-request-id") or guid_of("correlation")
        said = (
            f"AADSTS{self.code}: {self.message} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {stamp}"
        )
        fields = {
            "error": self.error,
            "error_description": said,
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{_ERROR_PAGE}{self.code}",
        }
        return reply(request, json.dumps(fields).encode(), status=self.status)


def missing(name: str) -> Fault:
    """Say that a request lacks a parameter."""
    return Fault(
        error="invalid_request",
        code=900144,
        message=f"The request body must contain the following parameter: '{name}'.",
    )
