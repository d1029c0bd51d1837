"""Bodies unpacked without holding anybody up: a few kB can hold gigabytes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from graphtape.core.coding import AT_ONCE, TooLargeError, decode

if TYPE_CHECKING:
    from graphtape.core.message import Request, Response

    Message = TypeVar("Message", Request, Response)

_CODING = "Content-Encoding"


async def unpacked(message: Message, wire: bytes, *, limit: int) -> Message:
    """Give a message its body, with its Content-Encoding undone where it can be.

    Args:
        message: Its body is replaced; the field goes with the coding.
        wire: The body as sent.
        limit: Most bytes it may come to, packed or not.

    Raises:
        TooLargeError: It comes to more.
    """
    coding = message.headers.get(_CODING)
    plain: bytes | None = wire
    if coding is not None and wire:
        try:
            plain = decode(wire, coding, limit=min(limit, AT_ONCE))
        except TooLargeError:
            # Again from its start, where it may take its time: few bodies are large.
            plain = await asyncio.to_thread(decode, wire, coding, limit=limit)
    if plain is None:
        plain = wire
    elif coding is not None:
        message = replace(message, headers=message.headers.without(_CODING))
    if len(plain) > limit:
        raise TooLargeError
    return replace(message, body=plain)
