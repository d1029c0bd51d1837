"""The app that is notified: the only place outside that a replay ever calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import quote_plus

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from graphtape.core.graph.cloud import origin_of

if TYPE_CHECKING:
    from types import TracebackType

_LARGEST = 64 * 1024
"""Bytes of an answer that are read."""


class UnreachableError(Exception):
    """The app gave no answer; the text says why."""


class TooSlowError(Exception):
    """The app gave no answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the app answered.

    Attributes:
        media: Type and subtype of the Content-Type, lower case.
        body: Its first 64 KiB.
    """

    status: int
    media: str
    body: bytes


@dataclass(slots=True, kw_only=True)
class App:
    """Calls one origin: neither proxies of the environment nor redirects lead elsewhere.

    Attributes:
        origin: Scheme, host and port.
        limit: Seconds that an answer may take.
    """

    origin: str
    limit: float
    _client: ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        self._client = ClientSession(
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=self.limit),
            trust_env=False,
            headers={"User-Agent": "graphtape"},
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.close()

    def is_at(self, url: str) -> bool:
        """Tell whether a URL leads to the app."""
        try:
            return origin_of(url) == origin_of(self.origin)
        except ValueError:
            return False

    async def post(self, url: str, body: bytes, media: str) -> Answered:
        """Post to the app.

        Args:
            url: At its origin.
            body: To be sent.
            media: Content-Type of the body.

        Raises:
            TooSlowError: It took longer than the limit.
            UnreachableError: It couldn't be reached, or broke off.
        """
        if not self.is_at(url):
            raise UnreachableError(f"it isn't at {self.origin}")
        try:
            async with self._client.post(
                URL(url, encoded=True),
                data=body,
                headers={"Content-Type": media},
                allow_redirects=False,
            ) as answer:
                content = await answer.content.read(_LARGEST)
                return Answered(
                    status=answer.status, media=answer.content_type.lower(), body=content
                )
        except asyncio.TimeoutError as exc:  # noqa: UP041 - aiohttp's is a subclass of both
            raise TooSlowError(f"no answer within {self.limit:g} s") from exc
        except (ClientError, OSError, ValueError) as exc:
            raise UnreachableError(str(exc) or type(exc).__name__) from exc

    async def validate(self, url: str, token: str) -> str | None:
        """Ask a notification URL to repeat a token; return what Graph says where it doesn't."""
        mark = "&" if "?" in url else "?"
        asked = f"{url}{mark}validationToken={quote_plus(token)}"
        failed = "Subscription validation request failed. "
        try:
            answer = await self.post(asked, b"", "text/plain; charset=utf-8")
        except TooSlowError:
            return "Subscription validation request timed out."
        except UnreachableError:
            return f"{failed}Notification endpoint must respond with 200 OK to validation request."
        if answer.status != 200:  # noqa: PLR2004 - OK
            return f"{failed}Notification endpoint must respond with 200 OK to validation request."
        if answer.media != "text/plain":
            return f"{failed}Response must have the content type text/plain."
        if answer.body != token.encode():
            return f"{failed}Response must exactly match validationToken query parameter."
        return None
