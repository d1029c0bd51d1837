"""The authority: each endpoint of sign-in, answered offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from graphtape.core.signin import azure, discovery
from graphtape.core.signin.ask import Ask
from graphtape.core.signin.authorize import authorize, logout, page
from graphtape.core.signin.grant import device_code, token
from graphtape.core.signin.place import Endpoint, form_of, place_of, query_of
from graphtape.core.signin.terms import TERMS, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.message import Request, Response

_METHODS = frozenset({"GET", "HEAD", "POST"})


def sign_in(request: Request, *, base: str, now: float, terms: Terms = TERMS) -> Response | None:
    """Answer a request for sign-in as Entra ID and Azure Resource Manager do.

    What is answered depends on nothing but the arguments; nothing is remembered between two
    requests, and no secret of a request is in its answer.

    Args:
        request: At Graph's URL, as the data port reads it, or at the authority's own; its body
            whole and decoded.
        base: The data port's own address, session prefix included, without a slash at the end:
            endpoints lead there.
        now: Unix time in seconds.
        terms: What tokens say.

    Returns:
        None where it is no sign-in, or a method that none of its endpoints takes.
    """
    place = place_of(request.url)
    if place is None or request.method not in _METHODS:
        return None
    ask = Ask(
        request=request, place=place, base=base, now=now, terms=terms, fields=_fields(request)
    )
    if place.of_azure and request.method == "POST":
        return None
    return _answer(ask)


def _fields(request: Request) -> Mapping[str, str]:
    """Return the form of a POST over the query it was sent with."""
    query = query_of(request.url)
    if request.method != "POST":
        return query
    return query | form_of(request.body.decode("utf-8", "replace"))


def _answer(ask: Ask) -> Response:  # noqa: C901, PLR0911 - one endpoint each
    endpoint = ask.place.endpoint
    match endpoint:
        case Endpoint.CONFIGURATION:
            return discovery.configuration(ask)
        case Endpoint.KEYS:
            return discovery.keys(ask)
        case Endpoint.INSTANCE:
            return discovery.instance(ask)
        case Endpoint.REALM:
            return discovery.realm(ask)
        case Endpoint.TOKEN:
            return token(ask)
        case Endpoint.DEVICE_CODE:
            return device_code(ask)
        case Endpoint.DEVICE_PAGE:
            return page(ask, "Graphtape signs in by itself: close this page.")
        case Endpoint.AUTHORIZE:
            return authorize(ask)
        case Endpoint.LOGOUT:
            return logout(ask)
        case Endpoint.SUBSCRIPTIONS:
            return azure.subscriptions(ask)
        case Endpoint.TENANTS:
            return azure.tenants(ask)
        case _:
            assert_never(endpoint)
