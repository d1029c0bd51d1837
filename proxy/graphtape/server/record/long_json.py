"""A long JSON answer on its way: links and statuses change in it while it passes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.decoder import CodingError, decoder
from graphtape.core.errors import UpstreamError
from graphtape.core.json_text import NotJsonError, scalars
from graphtape.core.json_text import text as unquoted
from graphtape.core.redaction.stream.json_windows import JsonWindows, StringPiece, Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphtape.core.redaction.stream.json_windows import Event
    from graphtape.server.record.tee import Tee


@dataclass(slots=True, kw_only=True)
class LongJson:
    """One such answer.

    Attributes:
        chunks: As received.
        coding: Its Content-Encoding, one that can be undone while it passes; or empty.
        tee: Keeps it for the tape.
        to_tape: Makes a JSON text what the tape has of it.
        to_client: Makes that what the client sees.
        links: The links that stand in it beside the list, by name: they lead to its next page.
    """

    chunks: AsyncIterator[bytes]
    coding: str
    tee: Tee
    to_tape: Callable[[bytes], bytes]
    to_client: Callable[[bytes], bytes]
    links: dict[str, str] = field(default_factory=dict)

    async def out(self) -> AsyncIterator[bytes]:
        """Give the body for the client, decoded.

        Raises:
            UpstreamError: It isn't in the coding that it says.
        """
        windows = JsonWindows()
        async for plain in _decoded(self.chunks, self.coding):
            for event in windows.feed(plain):
                if piece := await self._passed(event):
                    yield piece
        for event in windows.end():
            if piece := await self._passed(event):
                yield piece
        self.tee.ended = True

    @property
    def seen(self) -> bytes:
        """What is to be learnt of it: a JSON text of its links."""
        return json.dumps(self.links).encode()

    async def _passed(self, event: Event) -> bytes:
        """Keep a stretch for the tape; return it for the client."""
        if isinstance(event, Window):
            self._note_links(event)
            taped = self.to_tape(event.text)
            await self.tee.keep(event.own(taped))
            return event.own(self.to_client(taped))
        data = event.data
        if isinstance(event, StringPiece) and event.ends:
            data += b'"'
        await self.tee.keep(data)
        return data

    def _note_links(self, window: Window) -> None:
        if b'Link"' not in window.data:
            return
        try:
            for scalar in scalars(window.text):
                name = scalar.path[0] if len(scalar.path) == 1 else ""
                if scalar.string and isinstance(name, str) and name.endswith("Link"):
                    self.links[name] = unquoted(window.text, scalar)
        except NotJsonError:
            return


async def _decoded(chunks: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    made = decoder(coding) if coding else None
    try:
        async for chunk in chunks:
            if made is None:
                yield chunk
                continue
            for piece in made.feed(chunk):
                yield piece
        if made is not None:
            made.end()
    except CodingError as exc:
        raise UpstreamError(
            f"upstream's answer is not in the content coding that it says ({exc})",
            status=502,
            code="GraphtapeUpstreamGarbled",
        ) from exc
