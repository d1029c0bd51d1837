"""What `/subscriptions` answers.

Microsoft Graph docs, "subscription resource type" and its operations.
"""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import METADATA_CONTENT_TYPE
from graphtape.core.graph.path_template import below_version, keys_apart
from graphtape.core.message import Headers, Request, Response
from graphtape.core.notification.register import NOT_FOUND
from graphtape.core.notification.subscription import Owner, Subscription, subscribed
from graphtape.core.scenario.graph_error import GraphError
from graphtape.core.signin.terms import CLIENT, TENANT, guid_of
from graphtape.core.signin.token import claims_of
from graphtape.server.http.errors import own_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json
    from graphtape.server.notify.webhooks import Webhooks

_NAME = "subscriptions"
_BAD_BODY = GraphError(
    code="BadRequest", status=400, message="Unable to read JSON request payload."
)


def is_subscription_call(request: Request) -> bool:
    """Tell whether a request is one for `/subscriptions`, or below it."""
    path = below_version(request.url)
    return path[:1] != () and keys_apart(path[:1])[0].lower() == _NAME


async def answer(request: Request, webhooks: Webhooks) -> Response:
    """Answer it as Graph does."""
    path = keys_apart(below_version(request.url))
    known = path[1] if len(path) > 1 else None
    match (request.method, known, path[2:]):
        case ("POST", None, ()):
            made = await _create(request, webhooks)
        case ("GET", None, ()):
            listed: list[Json] = [
                each.listed() for each in webhooks.register.active(now=webhooks.now())
            ]
            context = f"https://graph.microsoft.com/{_version(request)}/$metadata#subscriptions"
            return _ok({"@odata.context": context, "value": listed})
        case ("GET" | "PATCH" | "DELETE", str(), ()) | ("POST", str(), ("reauthorize",)):
            made = await _of_one(request, str(known), webhooks)
        case _:
            made = GraphError(
                code="BadRequest", status=405, message="The HTTP method isn't supported here."
            )
    if isinstance(made, GraphError):
        return own_error(request, made.code, made.message, status=made.status)
    return made


async def _of_one(request: Request, known: str, webhooks: Webhooks) -> Response | GraphError:
    found = webhooks.register.find(known, now=webhooks.now())
    if found is None:
        return NOT_FOUND
    match request.method:
        case "GET":
            return _ok(found.shown(_version(request)))
        case "PATCH":
            return await _renew(request, found, webhooks)
        case "DELETE":
            webhooks.register.drop(found.id)
        case _:
            webhooks.authorized(found)
    return Response(status=HTTPStatus.NO_CONTENT, reason="No Content")


async def _create(request: Request, webhooks: Webhooks) -> Response | GraphError:
    body = _body_of(request)
    if body is None:
        return _BAD_BODY
    made = subscribed(body, id=str(uuid.uuid4()), owner=owner_of(request), now=webhooks.now())
    if isinstance(made, GraphError):
        return made
    urls = {made.url: None, made.lifecycle_url or made.url: None}
    for url in urls:
        wrong = await _validated(url, webhooks)
        if wrong is not None:
            return wrong
    await webhooks.add(made)
    return _ok(made.shown(_version(request)), HTTPStatus.CREATED)


async def _renew(
    request: Request, found: Subscription, webhooks: Webhooks
) -> Response | GraphError:
    body = _body_of(request)
    if body is None:
        return _BAD_BODY
    renewed = found.renewed(body, now=webhooks.now())
    if isinstance(renewed, GraphError):
        return renewed
    if renewed.url != found.url:
        wrong = await _validated(renewed.url, webhooks)
        if wrong is not None:
            return wrong
    if webhooks.register.find(found.id, now=webhooks.now()) is None:
        return NOT_FOUND  # it ended while its new URL was validated
    webhooks.register.put(renewed)
    webhooks.authorized(renewed)
    return _ok(renewed.shown(_version(request)))


async def _validated(url: str, webhooks: Webhooks) -> GraphError | None:
    """Return what Graph answers where a notification URL doesn't pass its validation."""
    # The text that Graph's own tokens have; blanks and colons show whether an app decodes it.
    token = (
        "Validation: Testing client application reachability for subscription "
        f"Request-Id: {uuid.uuid4()}"
    )
    why = await webhooks.app.validate(url, token)
    return None if why is None else GraphError(code="ValidationError", status=400, message=why)


def owner_of(request: Request) -> Owner:
    """Return who asks, as the token says; what it doesn't say is the offline authority's."""
    value = request.headers.get("Authorization") or ""
    claims = claims_of(value.partition(" ")[2].strip()) or {}

    def said(name: str, otherwise: str) -> str:
        claim = claims.get(name)
        return claim if isinstance(claim, str) else otherwise

    return Owner(
        application=said("appid", said("azp", CLIENT)),
        creator=said("oid", guid_of("service principal")),
        tenant=said("tid", TENANT),
    )


def _body_of(request: Request) -> Mapping[str, Json] | None:
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _version(request: Request) -> str:
    return "beta" if "/beta/" in request.url else "v1.0"


def _ok(value: Mapping[str, Json], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(
        status=status,
        reason=status.phrase,
        headers=Headers.of([("Content-Type", METADATA_CONTENT_TYPE)]),
        body=json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape"),
    )
