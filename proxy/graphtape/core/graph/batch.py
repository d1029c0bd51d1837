"""A `$batch` into its parts, and their answers back into one.

Microsoft Graph docs, "Combine multiple HTTP requests using JSON batching".
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.errors import RequestError
from graphtape.core.graph.actions import last_segment
from graphtape.core.graph.cloud import GRAPH_ROOTS, origin_of
from graphtape.core.matching.body import Json, json_of
from graphtape.core.message import Headers, Interaction, Request, Response, is_json, media_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MOST_PARTS = 20
FIRST_FAILURE = 400
"""From this status on the parts that depend on one don't run."""
FAILED_DEPENDENCY = 424

_JSON = "application/json"
_VERSION = re.compile(r"/+(?:v1\.0|beta)(?=[/?#]|\Z)")
_PATH = re.compile(r"[a-z]+://[^/?#]*", re.IGNORECASE)
_STATUSES = range(100, 600)
# What frames or times the whole answer, or answers its request's head.
_OF_THE_WHOLE = (
    "Client-Request-Id",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Date",
    "Keep-Alive",
    "Strict-Transport-Security",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Vary",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One request of a batch.

    Attributes:
        id: Unique in its batch.
        request: As it would be asked alone, without what only the batch's own head says.
        after: Ids of the parts that must have succeeded before.
    """

    id: str
    request: Request
    after: tuple[str, ...] = ()


def is_batch(request: Request) -> bool:
    """Tell whether a request is a `$batch`."""
    if request.method.upper() != "POST":
        return False
    try:
        return last_segment(request.url) == "$batch"
    except ValueError:  # a host no URL can have
        return False


def parts_of(request: Request) -> tuple[Part, ...]:
    """Take a batch apart; its parts are in the order they stand in.

    Raises:
        RequestError: Graph would refuse the batch as a whole.
    """
    try:
        value = json_of(request.headers, request.body)
    except ValueError as exc:
        raise _refused("Invalid batch payload format: the body is no JSON.") from exc
    listed = value.get("requests") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not listed:
        raise _refused("Invalid batch payload format: no list 'requests' with parts.")
    if len(listed) > MOST_PARTS:
        raise _refused(
            f"Number of batch request steps exceeds the maximum value of {MOST_PARTS}: "
            f"there are {len(listed)}."
        )
    base = request.url.partition("?")[0].rstrip("/").rpartition("/")[0]
    parts: dict[str, Part] = {}
    for number, raw in enumerate(listed):
        part = _part(raw, base, place=f"requests[{number}]")
        if part.id in parts:
            raise _refused(f"Request Id {part.id} has to be unique in a batch.")
        parts[part.id] = part
    in_order(tuple(parts.values()))
    return tuple(parts.values())


def in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return parts as they may run: each as early as it is listed, after what it depends on.

    Raises:
        RequestError: One depends on itself, or on what isn't there.
    """
    by_id = {part.id: part for part in parts}
    ordered: dict[str, Part] = {}

    def visit(part: Part, waiting: tuple[str, ...]) -> None:
        if part.id in ordered:
            return
        if part.id in waiting:
            raise _refused(f"Request id {part.id} depends on itself.")
        for needed in part.after:
            if needed not in by_id:
                raise _refused(f"Request id {part.id} depends on {needed!r}, which is missing.")
            visit(by_id[needed], (*waiting, part.id))
        ordered[part.id] = part

    for part in parts:
        visit(part, ())
    return tuple(ordered.values())


def recorded_parts(interaction: Interaction) -> tuple[tuple[Part, Response], ...]:
    """Return the parts of a recorded batch that ran, with their answers; none of any other."""
    if not is_batch(interaction.request):
        return ()
    try:
        parts = parts_of(interaction.request)
    except RequestError:
        return ()
    answers = answers_of(interaction.response)
    found = ((part, answers[part.id]) for part in parts if part.id in answers)
    return tuple(
        (part, answer)
        for part, answer in found
        if not (part.after and answer.status == FAILED_DEPENDENCY)
    )


def answers_of(response: Response) -> dict[str, Response]:
    """Return the answers in a batch's own, by the ids of their parts; what is none is left out."""
    try:
        value = json_of(response.headers, response.body)
    except ValueError:
        return {}
    listed = value.get("responses") if isinstance(value, dict) else None
    answers: dict[str, Response] = {}
    for raw in listed if isinstance(listed, list) else ():
        item = raw if isinstance(raw, dict) else {}
        number, status = item.get("id"), item.get("status")
        if isinstance(number, str) and isinstance(status, int) and status in _STATUSES:
            headers, body = _content(item.get("headers"), item.get("body"))
            reason = _phrase(status)
            answers[number] = Response(status=status, reason=reason, headers=headers, body=body)
    return answers


def joined(parts: Sequence[Part], answers: Mapping[str, Response]) -> Response:
    """Write the answer to a batch, its parts in the order they were asked in.

    Args:
        parts: What was asked.
        answers: By id, one for each.
    """
    items = b",".join(_item(part.id, answers[part.id]) for part in parts)
    return Response(
        status=200,
        reason="OK",
        headers=Headers.of([("Content-Type", _JSON)]),
        body=b'{"responses":[' + items + b"]}",
    )


def _part(raw: Json, base: str, *, place: str) -> Part:
    if not isinstance(raw, dict):
        raise _refused(f"Invalid batch payload format: {place} is no object.")
    texts = []
    for name in ("id", "method", "url"):
        text = raw.get(name)
        if not isinstance(text, str) or not text:
            raise _refused(f"Invalid batch payload format: {place} has no {name!r}.")
        texts.append(text)
    number, method, url = texts
    after: list[str] = []
    for name in ("dependsOn", "depends_on"):  # msgraph-core writes the second
        ids = raw.get(name)
        if ids is None:
            continue
        if not isinstance(ids, list):
            raise _refused(f"Invalid batch payload format: {place}.{name} is no list of ids.")
        after += (str(needed) for needed in ids)
    headers, body = _content(raw.get("headers"), raw.get("body"))
    request = Request(method=method.upper(), url=_absolute(url, base), headers=headers, body=body)
    return Part(id=number, request=request, after=tuple(dict.fromkeys(after)))


def _refused(message: str) -> RequestError:
    return RequestError(message, code="GraphtapeBatch")


def _absolute(url: str, base: str) -> str:
    """Return where a part goes; its URL hangs from its batch's root and version.

    Some clients leave the version in it, or the whole root: then it is what the URL says.
    """
    if origin_of(url) is None:
        path = "/" + url.lstrip("/")
    elif origin_of(url) in GRAPH_ROOTS:
        path = _PATH.sub("", url, count=1)
    else:
        return url
    root, _, version = base.rpartition("/")
    version = f"/{version}"
    while found := _VERSION.match(path):
        version, path = "/" + found[0].lstrip("/"), path[found.end() :]
    return root + version + path


def _content(fields: Json, body: Json) -> tuple[Headers, bytes]:
    """Read the headers and body of a part, of a request or an answer."""
    pairs = fields.items() if isinstance(fields, dict) else ()
    headers = Headers.of((name, _value(value)) for name, value in pairs if value is not None)
    headers = headers.without("Content-Length", "Transfer-Encoding")
    if body is None:
        return headers, b""
    media = media_type(headers)
    if isinstance(body, str):
        return headers, _from_text(body, json=is_json(media))
    return headers if media else headers.set("Content-Type", _JSON), _compact(body)


def _value(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value)


def _from_text(body: str, *, json: bool) -> bytes:
    """Read a body that is a string: base64, or else the content itself.

    The documentation says base64url, its examples are plain base64. msgraph-core writes JSON that
    is no object in base64 too.
    """
    plain = body.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        raw = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return _compact(body) if json else body.encode("utf-8", "surrogatepass")
    if json:
        try:
            json_of(Headers(), raw)
        except ValueError:
            return _compact(body)
    return raw


def _compact(value: Json) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can be
        return json.dumps(value, separators=(",", ":")).encode()


def _item(number: str, answer: Response) -> bytes:
    headers: dict[str, str] = {}
    for name, value in answer.headers.without(*_OF_THE_WHOLE):
        known = next((one for one in headers if one.lower() == name.lower()), name)
        headers[known] = f"{headers[known]}, {value}" if known in headers else value
    members = [
        b'"id":' + _compact(number),
        b'"status":%d' % answer.status,
        b'"headers":' + _compact({**headers}),
    ]
    if answer.body:
        members.append(b'"body":' + _body(answer))
    return b"{" + b",".join(members) + b"}"


def _body(answer: Response) -> bytes:
    """Write a body: JSON as it stands, so that no number changes, anything else in base64."""
    media = media_type(answer.headers)
    if not media or is_json(media):
        try:
            json_of(answer.headers, answer.body)
        except ValueError:
            pass
        else:
            return answer.body.removeprefix(b"\xef\xbb\xbf").strip()
    return _compact(b64encode(answer.body).decode("ascii"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
