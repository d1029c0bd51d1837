"""The result of a call, and the HTTP answer that Graph would send for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

from graphtape.core.graph.actions import METADATA_CONTENT_TYPE, error_response
from graphtape.core.message import Headers, Response
from graphtape.core.scenario.graph_error import intune_message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphtape.sandbox.fault import GraphFault

_STRICT_TRANSPORT_SECURITY = "max-age=31536000"
_DIAGNOSTIC = json.dumps(
    {
        "ServerInfo": {
            "DataCenter": "Graphtape Sandbox",
            "Slice": "E",
            "Ring": "0",
            "ScaleUnit": "000",
            "RoleInstance": "SANDBOX0",
        }
    },
    separators=(",", ":"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A JSON answer.

    Attributes:
        fields: Header fields of this answer alone, such as Location.
    """

    body: Mapping[str, object]
    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """The bytes of a media stream."""

    body: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """An answer without a body."""

    status: int = 204
    fields: tuple[tuple[str, str], ...] = ()


Outcome = Document | Media | Empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What marks one answer.

    Attributes:
        request_id: A GUID.
        client_request_id: As the client sent it, if it did.
        now: UTC.
    """

    request_id: str
    client_request_id: str | None
    now: datetime

    def fields(self) -> tuple[tuple[str, str], ...]:
        """List the ids as header fields; the client's own is there only if it sent one."""
        ids = [("request-id", self.request_id)]
        if self.client_request_id is not None:
            ids.append(("client-request-id", self.client_request_id))
        return tuple(ids)

    def common_fields(self) -> tuple[tuple[str, str], ...]:
        """List the other header fields that every answer has."""
        return (
            ("Strict-Transport-Security", _STRICT_TRANSPORT_SECURITY),
            ("x-ms-ags-diagnostic", _DIAGNOSTIC),
            ("Date", format_datetime(self.now, usegmt=True)),
        )


def respond(outcome: Outcome, stamp: Stamp) -> Response:
    """Write the answer to a call that succeeded."""
    match outcome:
        case Document():
            text = json.dumps(outcome.body, ensure_ascii=False, separators=(",", ":"))
            # JSON's escapes let a client store a lone surrogate, which UTF-8 has no bytes for.
            body = text.encode("utf-8", "replace")
            own = (("Content-Type", METADATA_CONTENT_TYPE), *outcome.fields)
            status = outcome.status
        case Media():
            body = outcome.body
            own = (("Content-Type", outcome.media_type), ("ETag", outcome.etag))
            status = 200
        case Empty():
            body = b""
            own = outcome.fields
            status = outcome.status
        case _:
            assert_never(outcome)
    fields = (
        ("Cache-Control", "no-cache"),
        ("Vary", "Accept-Encoding"),
        *stamp.fields(),
        ("OData-Version", "4.0"),
        *own,
        *stamp.common_fields(),
    )
    return Response(
        status=status, reason=HTTPStatus(status).phrase, headers=Headers(fields), body=body
    )


def refuse(fault: GraphFault, stamp: Stamp) -> Response:
    """Write the answer to a call that failed."""
    # A message may quote a name of the client's, lone surrogates and all.
    message = fault.message.encode("utf-8", "replace").decode()
    if fault.intune_path is not None:
        message = intune_message(message, activity_id=stamp.request_id, path=fault.intune_path)
    bare = error_response(
        fault.code,
        message,
        status=fault.status,
        reason=HTTPStatus(fault.status).phrase,
        date=f"{stamp.now:%Y-%m-%dT%H:%M:%S}",
        request_id=stamp.request_id,
        client_request_id=stamp.client_request_id,
    )
    fields = (*bare.headers, *fault.fields, *stamp.common_fields())
    return Response(status=bare.status, reason=bare.reason, headers=Headers(fields), body=bare.body)
