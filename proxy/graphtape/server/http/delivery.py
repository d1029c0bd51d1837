"""How an answer goes out where a scenario has a say in it: late, slowly, or not whole."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

from graphtape.core.scenario.duration import Wait
from graphtape.core.scenario.effect import ConnectionFault, WireFault
from graphtape.server.http import wire_fault
from graphtape.server.http.response import respond
from graphtape.server.http.wire_fault import Pace

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from aiohttp.web import BaseRequest

    from graphtape.core.scenario.play import Bend, Fault, Parts
    from graphtape.server.http.response import LastByte, Outgoing, Sent

    Responder: TypeAlias = Callable[[BaseRequest, Outgoing], AbstractAsyncContextManager[LastByte]]

_DRIP = Pace(piece=32, seconds=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How one answer goes out.

    Attributes:
        fault: Of the connection, on the way.
        why: The scenarios, rules and effects, for journal and report.
    """

    wait: Wait = Wait()  # noqa: RUF009 - frozen
    fault: WireFault | None = None
    why: str = ""

    @classmethod
    def of(cls, bend: Bend | None, directed: Parts | None = None) -> Delivery:
        """Return how an answer goes out that scenarios bend."""
        delivery = PLAIN
        if bend is not None:
            delivery = cls(wait=bend.wait, fault=bend.change.fault, why=bend.why)
        if directed is None:
            return delivery
        reasons = [each.why for each in directed.answers.values()]
        reasons += [each.why for each in directed.bends.values()]
        return cls(
            wait=delivery.wait.longer(directed.wait),
            fault=delivery.fault or directed.fault,
            why=", ".join(dict.fromkeys(filter(None, (delivery.why, *reasons)))),
        )

    def responder(self, wait_clock: WaitClock, closing: asyncio.Event) -> Responder:
        """Return what writes the answer."""
        match self.fault:
            case None if self.wait.per_byte and not wait_clock.fast:
                pace = Pace.per_byte(self.wait.per_byte)
                return partial(wire_fault.drip, pace=pace, closing=closing)
            case None:
                return respond
            case WireFault.TRUNCATE:
                return wire_fault.truncate
            case WireFault.BAD_CHUNK:
                return wire_fault.bad_chunk
            case WireFault.DRIP:
                pace = replace(_DRIP, seconds=0) if wait_clock.fast else _DRIP
                return partial(wire_fault.drip, pace=pace, closing=closing)
            case _:
                assert_never(self.fault)


PLAIN = Delivery()


@dataclass(slots=True, kw_only=True)
class WaitClock:
    """Whether waits are real, and the clock that budgets are kept by.

    Where they aren't, a wait that was told to the client counts as waited.

    Attributes:
        fast: No injected wait is longer than it must be.
    """

    fast: bool = False
    _skipped: float = field(default=0.0)

    def now(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic() + self._skipped

    def told(self, seconds: float) -> None:
        """Say that a client was told to wait."""
        if self.fast:
            self._skipped += seconds

    async def pause(self, http: BaseRequest, wait: Wait, closing: asyncio.Event) -> None:
        """Wait before an answer's first byte; less long where the client or the proxy leaves."""
        if wait.seconds and not self.fast:
            await wire_fault.pause(http, wait.seconds, closing=closing)


async def break_connection(http: BaseRequest, fault: Fault, closing: asyncio.Event) -> Sent:
    """Give the client no answer at all."""
    match fault.kind:
        case ConnectionFault.RESET:
            return wire_fault.reset(http)
        case ConnectionFault.CLOSE:
            return wire_fault.close(http)
        case ConnectionFault.HANG:
            return await wire_fault.hang(http, closing=closing)
        case ConnectionFault.GARBAGE:
            return await wire_fault.garbage(http, seed=fault.why)
        case _:
            assert_never(fault.kind)
