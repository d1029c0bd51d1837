"""Calls of the control API passed on to other proxies, and their answers passed back."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, web

from graphtape.core.errors import RequestError
from graphtape.core.replica import PASSED_ON
from graphtape.server.control.reading import body_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_PATIENCE = ClientTimeout(total=60, connect=5)
_ASKED = ("Accept", "Content-Type", "Last-Event-ID")
_ANSWERED = ("Content-Type", "Location", "Allow", "Cache-Control")


@dataclass(slots=True, kw_only=True)
class Peers:
    """The control ports of other proxies.

    Attributes:
        own: The name that calls are passed on under.
        urls: By name, scheme to port.
        token: Shown in place of the caller's own; None passes on what the caller showed.
        why: Says why a replica doesn't answer, where that is known; else None.
        keeps_host: Whether they are to see the Host that was called here.
    """

    own: str
    urls: Mapping[str, str]
    token: str | None = None
    why: Callable[[str], str | None] = lambda _: None
    keeps_host: bool = False
    _http: ClientSession | None = field(default=None, init=False)

    @property
    def http(self) -> ClientSession:
        """The client; of the loop that asks it first."""
        if self._http is None:
            self._http = ClientSession(timeout=_PATIENCE, auto_decompress=False)
        return self._http

    async def close(self) -> None:
        """Close the client's connections."""
        if self._http is not None:
            await self._http.close()

    def headers(self, request: web.Request) -> dict[str, str]:
        """Return the fields of a call that go with it."""
        fields = {name: request.headers[name] for name in _ASKED if name in request.headers}
        fields[PASSED_ON] = self.own
        if self.keeps_host:
            fields["Host"] = request.headers["Host"]
        if self.token is not None:
            fields["Authorization"] = f"Bearer {self.token}"
        elif "Authorization" in request.headers:
            fields["Authorization"] = request.headers["Authorization"]
        return fields

    async def pass_on(self, request: web.Request, name: str) -> web.Response:
        """Pass a call on, and its answer back.

        Raises:
            RequestError: 502; it doesn't answer.
        """
        body = await body_bytes(request)
        try:
            async with self.http.request(
                request.method,
                self.urls[name] + request.raw_path,
                headers=self.headers(request),
                data=body or None,
                allow_redirects=False,
            ) as answer:
                return await _passed_back(answer)
        except (ClientError, TimeoutError) as exc:
            raise self.gone(name, exc) from exc

    async def ask(self, request: web.Request, name: str, kind: type[T], path: str = "") -> T:
        """Ask a replica for a part of what a call asks of all of them.

        Raises:
            RequestError: 502; it doesn't answer, or not so.
        """
        url = self.urls[name] + (path or request.raw_path)
        try:
            async with self.http.get(url, headers=self.headers(request)) as answer:
                data = await answer.read()
        except (ClientError, TimeoutError) as exc:
            raise self.gone(name, exc) from exc
        if answer.status != HTTPStatus.OK:
            raise self.gone(name, f"it answers {answer.status}")
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as exc:
            raise self.gone(name, f"what it answers can't be read: {exc}") from exc

    def gone(self, name: str, found: object) -> RequestError:
        """Return what says that a replica doesn't answer."""
        why = self.why(name) or f"{self.urls[name]}: {str(found) or type(found).__name__}"
        return RequestError(
            f"{name} doesn't answer ({why}); its sessions are not to be reached",
            status=502,
            code="GraphtapeReplicaGone",
        )


async def _passed_back(answer: ClientResponse) -> web.Response:
    return web.Response(
        status=answer.status,
        headers={name: answer.headers[name] for name in _ANSWERED if name in answer.headers},
        body=await answer.read(),
    )
