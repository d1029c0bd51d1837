"""A session's report, in the form a client accepts."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from graphtape.core.errors import RequestError
from graphtape.core.report.flat_json import as_json
from graphtape.core.report.junit import as_junit
from graphtape.core.report.markdown import as_markdown
from graphtape.server.control.accept import chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphtape.core.report.report import Report

    Render: TypeAlias = Callable[[Sequence[Report]], str]

_FORMS: Mapping[str, Render] = {
    "application/json": as_json,
    "text/markdown": as_markdown,
    "application/xml": as_junit,
    "text/xml": as_junit,
}
MEDIA = tuple(_FORMS)
"""What a report can be had as; the first unless the client says."""


def wanted_form(request: web.Request) -> str:
    """Return the media type a report is to have.

    Raises:
        RequestError: The client takes none there is.
    """
    accept = ", ".join(request.headers.getall("Accept", []))
    media = chosen(accept, MEDIA)
    if media is None:
        raise RequestError(
            f"Accept {accept[:200]!r} takes none of the forms of a report: {', '.join(MEDIA)} "
            "(JUnit)",
            status=HTTPStatus.NOT_ACCEPTABLE,
            code="GraphtapeAccept",
        )
    return media


def rendered(report: Report, media: str) -> web.Response:
    """Write a report."""
    # A file's name may hold what UTF-8 can't.
    data = _FORMS[media]([report]).encode("utf-8", "backslashreplace")
    return web.Response(body=data, content_type=media, charset="utf-8")
