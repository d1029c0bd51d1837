"""A tunnel that ends here: TLS with a leaf of the local CA, and HTTP inside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from graphtape.server.http.connection import DataServer, Standing

HANDSHAKE = 20.0
"""Seconds a client is given for TLS."""


class _Landing(asyncio.Protocol):
    """Keeps what comes between the end of the handshake and the connection's own protocol.

    Attributes:
        early: Bytes.
        gone: Whether the client has left.
    """

    def __init__(self) -> None:
        self.early = b""
        self.gone = False

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.gone = True


async def terminate(
    transport: asyncio.Transport,
    tail: bytes,
    context: ssl.SSLContext,
    server: DataServer,
    standing: Standing,
) -> None:
    """Speak TLS on a transport, and serve HTTP inside; return once that has begun.

    Args:
        transport: Of a client that was told that its tunnel is there.
        tail: What the client sent before.
        context: To show a leaf of the host.
        server: Makes the connection, and has it from here on.
        standing: For whom.

    Raises:
        OSError: There was no handshake; the transport is closed.
    """
    landing = _Landing()
    secured = await _secured(transport, tail, context, landing)
    if secured is None or landing.gone:  # the client left without a word
        transport.abort()
        raise ConnectionResetError("the client left during the handshake")
    connection = server.connection(standing)
    secured.set_protocol(connection)
    connection.connection_made(secured)
    if landing.early:
        connection.data_received(landing.early)


async def _secured(
    transport: asyncio.Transport, tail: bytes, context: ssl.SSLContext, landing: _Landing
) -> asyncio.Transport | None:
    loop = asyncio.get_running_loop()
    upgrade = loop.start_tls(
        transport, landing, context, server_side=True, ssl_handshake_timeout=HANDSHAKE
    )
    if not tail:
        return await upgrade
    task = asyncio.ensure_future(upgrade)
    try:
        # It begins with the next turn of the loop, and reads the socket only in the one after.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        _feed(transport, tail)
        return await task
    finally:
        task.cancel()


def _feed(transport: asyncio.Transport, data: bytes) -> None:
    """Hand over bytes as if they came from the socket now."""
    protocol = transport.get_protocol()
    if not hasattr(protocol, "get_buffer") or not hasattr(protocol, "buffer_updated"):
        transport.abort()  # a loop of another make; clients that wait for their answer are served
        return
    while data and not transport.is_closing():
        buffer = memoryview(protocol.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
