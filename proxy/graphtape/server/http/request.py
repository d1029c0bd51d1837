"""A request as it arrives on the data port."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphtape.core.address import Address
from graphtape.core.coding import TooLargeError
from graphtape.core.errors import RequestError
from graphtape.core.graph.local_url import at_host, restore_body, split_session, to_graph
from graphtape.core.message import Headers, Request, is_json, media_type
from graphtape.server.control import is_loopback
from graphtape.server.http.connection import Connection
from graphtape.server.http.fields import HOST, OWN_HEADERS
from graphtape.server.record.unpacking import unpacked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from aiohttp.web import BaseRequest

    from graphtape.core.graph.local_url import Target
    from graphtape.server.http.connection import Standing

_SMALL = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Incoming:
    """One request: as Graph is to see it, and as it stands on the wire.

    Attributes:
        request: At Graph's URL, all its headers but our own; the body decoded, and empty while
            `rest` has not been read.
        session: The id its path names, or None.
        base: The proxy's address as the client used it, session prefix included.
        off_graph: Whether it goes to a host that isn't Graph's.
        wire_headers: All its headers but our own, as sent.
        wire_body: The body as sent, as far as it has been read.
        rest: What follows `wire_body`; None once it has been read whole.
        length: Content-Length as sent.
        chunked: Whether it came in chunks.
        options: Our own headers, by lower-case name.
    """

    request: Request
    session: str | None
    base: str
    off_graph: bool
    wire_headers: Headers
    wire_body: bytes = b""
    rest: AsyncIterator[bytes] | None = None
    length: int | None = None
    chunked: bool = False
    options: dict[str, str]


def arrive(
    http: BaseRequest, *, tape_root: str, hosts: Callable[[str | None], Collection[str]]
) -> Incoming:
    """Read a request's head.

    Args:
        http: Where it arrives.
        tape_root: The Graph root that the proxy stands for.
        hosts: The hosts off Graph that a session knows, by its id.

    Raises:
        RequestError: Its target isn't one that can be served.
    """
    pairs = [
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in http.raw_headers
    ]
    options = {n.lower(): v for n, v in pairs if n.lower().startswith(OWN_HEADERS)}
    headers = Headers.of(p for p in pairs if not p[0].lower().startswith(OWN_HEADERS))
    own, target = _target(http, headers, tape_root, hosts)
    base = own if target.session is None else f"{own}/_session/{target.session}"
    length = headers.get("Content-Length")
    coding_of_transfer = (headers.get("Transfer-Encoding") or "chunked").strip().lower()
    if coding_of_transfer != "chunked":
        # The coding would be lost with the hop, and the body with it (RFC 9112 section 6.1).
        raise RequestError(
            f"transfer coding {coding_of_transfer!r} isn't supported: send the body in chunks, "
            "with Content-Encoding if it is compressed",
            status=501,
            code="GraphtapeTransferCoding",
        )
    return Incoming(
        request=Request(method=http.method, url=target.url, headers=headers),
        session=target.session or _session_of(http),
        base=base,
        off_graph=target.off_graph,
        wire_headers=headers,
        length=int(length) if length is not None else None,
        chunked="chunked" in (headers.get("Transfer-Encoding") or "").lower(),
        options=options,
    )


def arrived_whole(request: Request, base: str) -> Incoming:
    """Return a request that was read as its bytes arrived: whole, and without fields of our own.

    Args:
        request: As Graph is to see it.
        base: The proxy's address as the client used it, session prefix included.
    """
    counted = "Content-Length" in request.headers
    return Incoming(
        request=request,
        session=base.partition("/_session/")[2] or None,
        base=base,
        off_graph=False,
        wire_headers=request.headers,
        wire_body=request.body,
        length=len(request.body) if counted else None,
        options={},
    )


def _target(
    http: BaseRequest,
    headers: Headers,
    tape_root: str,
    hosts: Callable[[str | None], Collection[str]],
) -> tuple[str, Target]:
    """Return the address the client knows the proxy by, and what it asks for there."""
    path, standing = http.raw_path, standing_of(http)
    named = hosts(split_session(path)[0] or _session_of(http)) if "/_origin/" in path else ()
    if standing is None:
        own = f"{http.scheme}://{_host(http, headers)}"
        return own, to_graph(path, tape_root=tape_root, own=own, named=named)
    if standing.refused:
        raise RequestError(standing.refused, status=403, code="GraphtapeWrongCloud")
    from graphtape.core.signin.place import is_sign_in_place  # noqa: PLC0415 - few clients ask for tunnels

    target = at_host(path, host=standing.host, named=named)
    if target.off_graph and is_sign_in_place(target.url):
        # At home there, and to be forwarded as it stands where sign-in is.
        target = replace(target, off_graph=False)
    return f"https://{standing.host}", target


def standing_of(http: BaseRequest) -> Standing | None:
    """Return what the connection of a request stands for; None for the proxy itself."""
    protocol = http.protocol
    return protocol.standing if isinstance(protocol, Connection) else None


def _session_of(http: BaseRequest) -> str | None:
    """Return the session that was named as the connection began."""
    standing = standing_of(http)
    return None if standing is None else standing.session


def _host(http: BaseRequest, headers: Headers) -> str:
    """Return the proxy's own host and port, as the client names them where it can be believed.

    With a target in absolute form, Host repeats the target's (RFC 9112 section 3.2.2): it is the
    proxy's only where it names the socket.
    """
    transport = http.transport
    name = transport.get_extra_info("sockname") if transport is not None else None
    socket = Address(name[0], name[1]) if name else Address("127.0.0.1", 0)
    host = headers.get("Host")
    if not host or not HOST.fullmatch(host):
        return str(socket)
    if http.raw_path.startswith("/"):
        return host
    return host if is_loopback(host) and host.endswith(f":{socket.port}") else str(socket)


def ask_for_body(http: BaseRequest) -> None:
    """Ask for a body that waits for it (RFC 9110 section 10.1.1)."""
    expected = http.headers.get("Expect", "").lower() == "100-continue"
    if expected and http.version >= (1, 1) and http.transport is not None and http.can_read_body:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def read_body(
    incoming: Incoming, http: BaseRequest, *, whole: bool, limit: int, tape_root: str
) -> None:
    """Read the body: whole where it must be looked into, else as far as it is small.

    Links in a JSON body that point at the proxy become Graph's, here and on the wire.

    Args:
        incoming: Is completed in place.
        http: Where it arrives.
        whole: It is needed whole, to be matched.
        limit: Bytes; more than this is refused where `whole`, and left unread where not.
        tape_root: The Graph root that the proxy stands for.

    Raises:
        RequestError: It is needed whole and too large.
    """
    if not http.can_read_body:
        return
    media = media_type(incoming.request.headers)
    if not whole:
        limit = min(limit, _SMALL)
        unknown = incoming.length is None and not _worth_reading(media)
        if unknown or (incoming.length or 0) > limit:
            incoming.rest = _chunks(http)
            return
    body = bytearray()
    async for chunk in _chunks(http):
        body += chunk
        if len(body) > limit:
            if whole:
                raise RequestError(
                    f"the request's body is larger than {limit} bytes; raise --max-body",
                    status=413,
                    code="GraphtapeBodyTooLarge",
                )
            incoming.wire_body = bytes(body)
            incoming.rest = _chunks(http)
            return
    incoming.wire_body = bytes(body)
    try:
        decoded = await unpacked(incoming.request, incoming.wire_body, limit=limit)
    except TooLargeError as exc:
        if whole:
            raise RequestError(
                f"the request's body unpacks to more than {limit} bytes; raise --max-body",
                status=413,
                code="GraphtapeBodyTooLarge",
            ) from exc
        incoming.rest = _nothing()  # it is passed on as it came
        return
    _settle_body(incoming, decoded, tape_root=tape_root)


def _settle_body(incoming: Incoming, decoded: Request, *, tape_root: str) -> None:
    """Take a body that has arrived whole, and turn links to the proxy into Graph's."""
    body = restore_body(decoded.body, incoming.base, tape_root)
    incoming.request = replace(decoded, body=body)
    if body != decoded.body:
        incoming.wire_body = body
        incoming.wire_headers = decoded.headers
        incoming.length = None if incoming.chunked else len(body)


def _worth_reading(media: str) -> bool:
    """Tell whether a body of this type may hold links, and so is read before it is sent."""
    return (
        media == ""
        or is_json(media)
        or media in {"application/x-www-form-urlencoded", "text/plain"}
    )


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _chunks(http: BaseRequest) -> AsyncIterator[bytes]:
    async for chunk in http.content.iter_any():
        yield chunk
