"""Where a request for sign-in goes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.graph.cloud import CLOUDS, LOGIN_HOSTS, Upstream, origin_of
from graphtape.core.signin.place import MANAGEMENT, Endpoint, place_of

if TYPE_CHECKING:
    from graphtape.core.message import Request, Response

_LOGIN = {cloud.name: cloud.login for cloud in CLOUDS}
_CLOUD_OF = {cloud.graph: cloud.name for cloud in CLOUDS}
_DISCOVERY = frozenset({Endpoint.CONFIGURATION, Endpoint.INSTANCE})
_AUTHORITY = re.compile(
    rb"https:(?:\\?/){2}(?:%s)(?=[\\/?#\"])"
    % b"|".join(re.escape(host).encode() for host in sorted(LOGIN_HOSTS)),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSignIn:
    """It asks for something of Graph's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHere:
    """Graphtape is the authority: `sign_in` answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAuthority:
    """The real authority answers.

    Attributes:
        url: There.
        taped: Whether request and answer are recorded.
    """

    url: str
    taped: bool


Course: TypeAlias = "NotSignIn | AnswerHere | AskAuthority"


def course(request: Request, *, upstream: Upstream, forwards: bool, record: bool) -> Course:
    """Say where a request goes that the tape has no answer for.

    The sandbox has no authority of Entra's that would know it, and an upstream of the user's own is
    its own: a token for the real Graph must not be asked for on their account.

    Args:
        request: At Graph's URL, or at the authority's own.
        upstream: Of the session.
        forwards: Whether the session may reach it.
        record: Whether the user wants sign-in on tape.
    """
    place = place_of(request.url)
    if place is None:
        return NotSignIn()
    if not forwards or upstream.name == "sandbox":
        return AnswerHere()
    if upstream.name not in _LOGIN:
        if record:  # as anything else there is
            return NotSignIn()
        return AskAuthority(url=upstream.address(request.url), taped=False)
    return AskAuthority(url=_moved(request.url, upstream.name), taped=record)


def at_authority(request: Request) -> Request | None:
    """Return a sign-in on the data port as a HAR or a forward proxy would have recorded it.

    None where it is none, or is at the authority already.
    """
    cloud = _CLOUD_OF.get(origin_of(request.url) or "")
    if cloud is None or place_of(request.url) is None:
        return None
    return request.with_url(_moved(request.url, cloud))


def led_here(response: Response, *, to: Request, base: str) -> Response:
    """Point the endpoints that a recorded authority names at the proxy; any other answer stays.

    A client that took them as they stand would send its secret to the real authority.

    Args:
        response: As recorded.
        to: The request it answers.
        base: The data port's own address, session prefix included, without a slash at the end.
    """
    place = place_of(to.url)
    if place is None or place.endpoint not in _DISCOVERY:
        return response
    root = base.encode()
    return replace(response, body=_AUTHORITY.sub(lambda _: root, response.body))


def _moved(url: str, cloud: str) -> str:
    """Return the URL at a cloud's authority; one that is at an authority stays there."""
    origin = origin_of(url)
    place = place_of(url)
    if place is None or origin not in _CLOUD_OF:
        return url
    root = MANAGEMENT[cloud] if place.of_azure else _LOGIN[cloud]
    _, _, rest = url.partition("://")
    path = rest.lstrip("/").partition("/")[2]
    return f"{root}/{path.lstrip('/')}"
