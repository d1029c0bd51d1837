"""The simulated tenant on a port."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from graphtape.server.http.half_close import HalfClosingRunner
from graphtape.server.http.ports import Addresses, listen, serve, url_of

if TYPE_CHECKING:
    from types import TracebackType

    from graphtape.settings import Settings


async def start_sandbox(stack: AsyncExitStack, address: str = "127.0.0.1:0") -> str:
    """Serve a simulated tenant; return its URL."""
    from graphtape.sandbox.app import make_app  # noqa: PLC0415 - only where one is wanted
    from graphtape.sandbox.tenant import Tenant  # noqa: PLC0415 - likewise

    sock = stack.enter_context(listen(address, "--listen"))
    await serve(stack, HalfClosingRunner(make_app(Tenant()), access_log=None), sock)
    return url_of(sock, address)


@dataclass(slots=True, kw_only=True)
class SandboxServer:
    """The simulated tenant on a port of its own."""

    settings: Settings
    addresses: Addresses = field(init=False)
    _stack: AsyncExitStack = field(init=False)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            url = await start_sandbox(stack, self.settings.listen)
            self.addresses = Addresses(proxy=url, control=None)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def hurry(self) -> None:
        """Do nothing: it never waits."""
