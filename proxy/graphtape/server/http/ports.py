"""Ports: taken, served on, and named."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import secrets
import socket
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from graphtape.core.address import Address
from graphtape.core.errors import ListenError, UsageError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.server.tls.secured import Secured

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a run can be reached, as URLs.

    Attributes:
        proxy: The data port's root, without a version.
        control: The control API's; None where there is none.
        console: The web console's page, without a token; likewise.
        secured: How the data port speaks TLS; None where it doesn't.
    """

    proxy: str
    control: str | None
    console: str | None = None
    secured: Secured | None = None

    @property
    def ca(self) -> str | None:
        """The file with the certificate of the local CA, where it is used."""
        certificate = self.secured.certificate if self.secured is not None else None
        return None if certificate is None else str(certificate)

    def write(self, path: Path) -> None:
        """Write the ready file, atomically.

        Raises:
            UsageError: It can't be written.
        """
        facts = {
            "proxy": self.proxy,
            "control": self.control,
            "console": self.console,
            "ca": self.ca,
            "pid": os.getpid(),
        }
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(facts) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as exc:
            draft.unlink(missing_ok=True)
            raise UsageError(
                f"can't write --ready-file {str(path)!r} ({exc.strerror}); name a file in a folder "
                "that can be written"
            ) from exc


def forget_dead(path: Path) -> None:
    """Delete a ready file whose process is gone: whoever waits for the new one would believe it."""
    try:
        pid = json.loads(path.read_text(encoding="utf-8"))["pid"]
        # Our own is of another life: in a container every process is the first.
        if pid == os.getpid():
            pass
        elif sys.platform != "win32":  # there, signal 0 would end the process
            os.kill(pid, 0)
            return
    except (FileNotFoundError, PermissionError):
        return
    except (OSError, ValueError, LookupError, TypeError):
        pass
    with suppress(OSError):  # writing the new one says what is wrong
        if path.is_file():
            path.unlink(missing_ok=True)


def listen(address: str, flag: str, *, shared: bool = False) -> socket.socket:
    """Take a port.

    Args:
        address: HOST:PORT.
        flag: That it was given by.
        shared: Whether others may take it as well: each connection goes to one of them.

    Raises:
        ListenError: It is taken, or not this machine's.
        UsageError: It is no address.
    """
    place = Address.parse(address)
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        return socket.create_server(
            (place.host, place.port), family=family, backlog=512, reuse_port=shared
        )
    except OSError as exc:
        raise ListenError(_why(exc, place, flag)) from exc


def _why(exc: OSError, place: Address, flag: str) -> str:
    match exc.errno:
        case errno.EADDRINUSE:
            return (
                f"port {place.port} is taken: something listens on {place} already; stop it, or "
                f"take a free port with {flag} {Address(place.host, 0)}"
            )
        case errno.EACCES:
            return f"can't listen on {place}: port {place.port} needs rights this user hasn't"
        case _:
            reason = (exc.strerror or str(exc)).partition(" (while")[0]
            return (
                f"can't listen on {place} ({reason}): {place.host!r} is no address of this "
                f"machine; {flag} 127.0.0.1:{place.port} is"
            )


async def serve(
    stack: AsyncExitStack,
    runner: web.ServerRunner | web.AppRunner,
    sock: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve on a port until the stack ends."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, sock, ssl_context=tls).start()


async def serve_once_asked(
    stack: AsyncExitStack, make: Callable[[], web.AppRunner], sock: socket.socket
) -> None:
    """Serve on a port from its first connection on: until then, what serves isn't even loaded.

    The socket listens already, so that nobody is turned away.
    """
    loop = asyncio.get_running_loop()
    # Of its own: it may begin while the other one ends.
    serving = await stack.enter_async_context(AsyncExitStack())
    begun: list[asyncio.Task[None]] = []

    def begin() -> None:
        loop.remove_reader(sock)
        begun.append(loop.create_task(serve(serving, make(), sock)))

    async def end() -> None:
        if not begun:
            loop.remove_reader(sock)
        await asyncio.gather(*begun)

    try:
        loop.add_reader(sock, begin)
    except NotImplementedError:  # Windows' loop watches no sockets of others
        await serve(serving, make(), sock)
    else:
        stack.push_async_callback(end)


def url_of(sock: socket.socket, asked: str, *, scheme: str = "http") -> str:
    """Return the URL a client on this machine reaches a socket by.

    Args:
        sock: That listens.
        asked: The address it was asked for, whose name is kept.
        scheme: That it speaks.
    """
    host = Address.parse(asked).host
    return f"{scheme}://{Address(_ANY.get(host, host), sock.getsockname()[1])}"
