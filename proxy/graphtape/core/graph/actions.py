"""Graph's vocabulary: actions, statuses, which requests only read, error bodies and headers."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from urllib.parse import unquote

from graphtape.core.graph.cloud import GRAPH_ROOTS
from graphtape.core.message import Headers, Response

ONBOARDING_STATUSES = (
    "unknown",
    "inprogress",
    "onboarded",
    "failed",
    "offboarding",
    "unknownFutureValue",
)
"""Members of chromeOSOnboardingStatus (Graph beta reference, "chromeOSOnboardingStatus enum")."""

ONBOARDING_ACTIONS = ("connect", "disconnect")
"""Actions of chromeOSOnboardingSettings that answer a chromeOSOnboardingStatus."""

METADATA_CONTENT_TYPE = (
    "application/json;odata.metadata=minimal;odata.streaming=true;"
    "IEEE754Compatible=false;charset=utf-8"
)
"""Content-Type of Graph's successful JSON answers; its errors are plain application/json."""

CALLER_ID = "client-request-id"
"""Graph repeats it in the answer, where the caller sent one."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_READING_SEGMENT = re.compile(
    r"(?:\$?query|delta)\Z"
    r"|get|check|find|validate|translate|evaluate|calculate|search|preview|export"
)
# RFC 3986 appendix B; urlsplit raises on odd hosts.
_PATH = re.compile(r"(?:[a-z][a-z0-9+.-]*://[^/?#]*)?([^?#]*)", re.IGNORECASE)
# "#", "%", "&", "+", "/" and "?": decoded they would read as something else.
_STAYS_ENCODED = re.compile(r"(%(?:2[356BF]|3F))", re.IGNORECASE)
_SIGN_IN_PATH = re.compile(r"/[^/]+/oauth2/(?:v2\.0/)?(?:token|devicecode|authorize)\Z")


def local_name(segment: str) -> str:
    """Name an action or function without its namespace: `microsoft.graph.disconnect` is one."""
    return segment.removeprefix("microsoft.graph.")


@lru_cache(maxsize=1024)
def last_segment(url: str) -> str:
    """Return the action, function or key a URL ends in, decoded, without namespace or arguments."""
    segment = unquote(path_of(url).rstrip("/").rpartition("/")[2])
    return local_name(segment).partition("(")[0]


def short(url: str) -> str:
    """Return a URL as people read it: of one at a Graph root, path and query alone."""
    for root in GRAPH_ROOTS:
        if url.startswith(root) and url[len(root) : len(root) + 1] in {"", "/", "?"}:
            return url[len(root) :] or "/"
    return url


def decoded(url: str) -> str:
    """Return a URL as `short` does, decoded where that leaves no doubt: `$top`, not `%24top`.

    Bytes beyond UTF-8 become surrogate escapes, and what steers a terminal is decoded, too.
    """
    pieces = _STAYS_ENCODED.split(short(url))
    return "".join(
        piece if number % 2 else unquote(piece, errors="surrogateescape")
        for number, piece in enumerate(pieces)
    )


def path_of(url: str) -> str:
    """Return the path of a URL, or of a reference to one, as it is written."""
    found = _PATH.match(url)
    return found[1] if found else ""


def is_sign_in(url: str) -> bool:
    """Tell whether a URL is one of the token endpoints of Entra ID."""
    return _SIGN_IN_PATH.search(path_of(url)) is not None


def only_reads(method: str, url: str) -> bool:
    """Tell whether a request leaves the tenant as it was.

    A `$batch` counts as writing here; who knows its parts decides by them.
    """
    if method in SAFE_METHODS:
        return True
    if method != "POST":
        return False
    if path_of(url).startswith("/_notifications/"):  # what Graph tells an app
        return True
    return _READING_SEGMENT.match(last_segment(url)) is not None or is_sign_in(url)


def error_body(
    code: str, message: str, *, date: str, request_id: str, client_request_id: str | None
) -> bytes:
    """Write an error as Graph does (Microsoft Graph error responses and resource types).

    Args:
        code: For `error.code`.
        message: For `error.message`.
        date: UTC, ISO 8601 without zone, as Graph writes it: `2026-11-23T12:00:00`.
        request_id: A GUID.
        client_request_id: As the client sent it; Graph repeats its own id where none was sent.
    """
    inner = {
        "date": date,
        "request-id": request_id,
        CALLER_ID: client_request_id or request_id,
    }
    error = {"error": {"code": code, "message": message, "innerError": inner}}
    return json.dumps(error, ensure_ascii=False).encode("utf-8", "surrogateescape")


def error_response(
    code: str,
    message: str,
    *,
    status: int,
    reason: str,
    date: str,
    request_id: str,
    client_request_id: str | None,
) -> Response:
    """Answer with an error as Graph does; arguments as in `error_body`."""
    body = error_body(
        code, message, date=date, request_id=request_id, client_request_id=client_request_id
    )
    fields = [
        ("Cache-Control", "no-cache"),
        ("Content-Type", "application/json"),
        ("request-id", request_id),
    ]
    if client_request_id is not None:
        fields.append((CALLER_ID, client_request_id))
    return Response(status=status, reason=reason, headers=Headers.of(fields), body=body)
