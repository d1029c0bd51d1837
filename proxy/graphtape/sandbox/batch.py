"""JSON batching (Combine multiple HTTP requests using JSON batching)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.core.graph.batch import FIRST_FAILURE, MOST_PARTS, Part, in_order
from graphtape.core.message import Headers, Request, Response, is_json, media_type
from graphtape.sandbox.fault import GraphFault, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OF_THE_WHOLE = (
    "Date",
    "Strict-Transport-Security",
    "Vary",
    "client-request-id",
    "request-id",
    "x-ms-ags-diagnostic",
)
"""Header fields that stand on the batch's own answer, not on its parts."""


def read_parts(
    payload: Mapping[str, object], *, root: str, base: str, authorization: str
) -> tuple[Part, ...]:
    """Take a batch apart, into the order its parts may run in.

    Args:
        payload: The batch's body.
        root: The Graph root.
        base: The root with the version; relative URLs of parts hang from it.
        authorization: Of the batch; a part without its own has this one.

    Raises:
        GraphFault: The batch as a whole is refused.
    """
    raw_parts = payload.get("requests")
    if not isinstance(raw_parts, list) or not raw_parts:
        raise bad_request("Invalid batch payload format.")
    if len(raw_parts) > MOST_PARTS:
        raise bad_request(
            f"Number of batch request steps exceeds the maximum value of {MOST_PARTS}."
        )
    parts: dict[str, Part] = {}
    for raw in raw_parts:
        part = _read_part(raw, root=root, base=base, authorization=authorization)
        if part.id in parts:
            raise bad_request(f"Request Id {part.id} has to be unique in a batch.")
        parts[part.id] = part
    try:
        return in_order(tuple(parts.values()))
    except RequestError as error:
        raise bad_request(str(error)) from error


def run_parts(
    parts: tuple[Part, ...],
    dispatch: Callable[[Request], Response],
    refuse: Callable[[Request, GraphFault], Response],
) -> dict[str, object]:
    """Run a batch and write the body of its answer, parts in the order they ran."""
    answered: dict[str, Response] = {}
    for part in parts:
        if any(answered[needed].status >= FIRST_FAILURE for needed in part.after):
            fault = GraphFault(424, "FailedDependency", "A request this one depends on failed.")
            answered[part.id] = refuse(part.request, fault)
        else:
            answered[part.id] = dispatch(part.request)
    return {"responses": [_written(name, response) for name, response in answered.items()]}


def _read_part(raw: object, *, root: str, base: str, authorization: str) -> Part:
    if not isinstance(raw, dict):
        raise bad_request("Invalid batch payload format.")
    key, method, url = (_text(raw.get(name)) for name in ("id", "method", "url"))
    raw_headers, after = raw.get("headers"), raw.get("dependsOn")
    raw_headers = {} if raw_headers is None else raw_headers
    after = [] if after is None else after
    if not isinstance(raw_headers, dict) or not isinstance(after, list):
        raise bad_request("Invalid batch payload format.")
    headers = Headers.of((str(name), str(value)) for name, value in raw_headers.items())
    if "Authorization" not in headers:
        headers = headers.add("Authorization", authorization)
    # Documented is a relative URL; one at Graph's own root leaves no doubt either.
    absolute = url if url.startswith(f"{root}/") else f"{base}/{url.removeprefix('/')}"
    body = _read_body(key, raw.get("body"), headers)
    return Part(
        id=key,
        request=Request(method=method, url=absolute, headers=headers, body=body),
        after=tuple(_text(needed) for needed in after),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise bad_request("Invalid batch payload format.")
    return value


def _read_body(key: str, body: object, headers: Headers) -> bytes:
    if body is None:
        return b""
    media = media_type(headers)
    if not media:
        raise bad_request(f"Write request id : {key} does not contain Content-Type header or body.")
    if is_json(media) or not isinstance(body, str):
        return json.dumps(body).encode()
    # The documentation says base64url, its examples are plain base64.
    plain = body.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"The body of request id : {key} is not base64.") from error


def _written(name: str, response: Response) -> dict[str, object]:
    kept = response.headers.without(*_OF_THE_WHOLE)
    body: object = None
    if response.body and is_json(media_type(kept)):
        body = json.loads(response.body)
    elif response.body:
        body = base64.b64encode(response.body).decode()
    return {
        "id": name,
        "status": response.status,
        "headers": dict(kept),
        "body": body,
    }
