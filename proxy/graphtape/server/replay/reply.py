"""An answer made ready once, to be written any number of times."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple, Self

from graphtape.core.graph.actions import CALLER_ID
from graphtape.core.graph.local_url import localise
from graphtape.core.message import Headers, Response
from graphtape.core.refresh import http_date
from graphtape.core.scenario.graph_error import Stamp
from graphtape.core.verdict.observer import leaves_open, may_give_links
from graphtape.server.http.cors import readable
from graphtape.server.http.response import Outgoing, bodyless, head_of
from graphtape.server.replay.head_template import template_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.journal import Source
    from graphtape.core.message import Request
    from graphtape.core.refresh import Timing
    from graphtape.server.replay.rendered import Rendered

LARGEST = 64 * 1024
"""Bytes of a body that goes out in one piece; a larger one has to wait for a slow reader."""

# They stand where a value is new each time; nothing recorded can hold them.
_MOMENT = datetime(1600, 1, 1, tzinfo=UTC) + timedelta(seconds=secrets.randbelow(3_000_000_000))
_CALLER = secrets.token_hex(16)
STAMP = Stamp(now=_MOMENT, request_id=str(uuid.UUID(bytes=secrets.token_bytes(16))))
"""What an answer that is to be made ready is written with."""

_DATE, _ID_OF_CALLER, _ID, _ISO, _LENGTH = range(5)
_SLOTS = (http_date(_MOMENT), _CALLER, STAMP.request_id, STAMP.date, secrets.token_hex(16))
"""What stands for a Date, the caller's id, a request-id, an error's date and a body's length."""

_DATE_ALONE = ((1, _DATE),)
_TEXTS = tuple(text.encode() for text in _SLOTS)
_OF_HEAD = (_DATE, _ID_OF_CALLER)
_OF_OWN = (_ID, _ISO)


def asked_by_anyone(request: Request) -> Request:
    """Return a request whose client-request-id, if it has one, stands for any."""
    if CALLER_ID not in request.headers:
        return request
    return replace(request, headers=request.headers.set(CALLER_ID, _CALLER))


def addressed(response: Response, request: Request, base: str | None) -> Response:
    """Return an answer for the client that asked: readable by its page, links to the proxy.

    Args:
        response: Of now.
        request: That it answers.
        base: The proxy's address as the client knows it, session prefix included; None leaves
            links as they are.
    """
    local = readable(response, request)
    return local if base is None else localise(local, base)


def outgoing_of(response: Response, source: Source, index: int | None) -> Outgoing:
    """Return an answer as it goes out; its head says where it came from."""
    pairs = *response.headers.pairs, ("Graphtape-Result", source.value)
    if index is not None:
        pairs = *pairs, ("Graphtape-Interaction", str(index))
    return Outgoing(
        status=response.status,
        reason=response.reason,
        headers=Headers(pairs),
        body=response.body,
    )


class Now:
    """What is written into answers, of one second."""

    __slots__ = ("date", "iso", "second")

    def __init__(self, second: int) -> None:
        """Write down a second of Unix time."""
        moment = datetime.fromtimestamp(second, UTC)
        self.second = second
        self.date = http_date(moment).encode()
        self.iso = Stamp(now=moment, request_id="").date.encode()


@dataclass(slots=True, eq=False)  # not frozen: one is made for each answer
class Reply:
    """The bytes of an answer, and where in them something new stands each time.

    Attributes:
        status: Of the answer.
        linked: Whether it holds links, and so is good for one base alone.
        pieces: Bytes; an empty piece stands where a slot is.
        slots: Places among the pieces, and what stands there.
        own: Whether it has a request-id or a date of an error of its own.
        length: Bytes of its body, without the callers' ids.
        callers: How often the caller's id stands in its body.
        index: Of its interaction; None of none.
        judged: Whether an observer is to see it each time: it tells the client to come back, or
            leaves open what came of the request.
        seen: What an observer sees of it then, and where it expects something; its body may be left
            out where there is no `$batch`.
        teaches: The answer, where an observer may learn links from it.
    """

    status: int
    linked: bool
    pieces: tuple[bytes, ...]
    slots: tuple[tuple[int, int], ...]
    own: bool
    length: int
    callers: int
    index: int | None
    judged: bool
    seen: Response
    teaches: Response | None

    @classmethod
    def of(
        cls, made: Rendered, request: Request, *, base: str, timing: Timing, batch: bool
    ) -> Self | None:
        """Make an answer ready; None where it has to be written anew each time.

        Args:
            made: The answer, written with `STAMP`.
            request: That it answers, as `asked_by_anyone` has it.
            base: The proxy's address as the client knows it, session prefix included.
            timing: What becomes of its times.
            batch: Whether it answers a `$batch`.
        """
        response = made.response
        if len(response.body) > LARGEST:
            return None
        if not batch and (reply := cls._filled(made, request, base, timing)) is not None:
            return reply
        if not timing.lasts(response, batch=batch):
            return None
        caller = request.headers.get(CALLER_ID)
        current = timing.refreshed(response, batch=batch, now=_MOMENT, caller=caller)
        local = addressed(current, request, base)
        empty = bodyless(request.method, local.status)
        head = head_of(
            outgoing_of(local, made.source, made.index),
            empty=empty,
            keep_alive=True,
            date=_SLOTS[_DATE],
        )
        body = b"" if empty else local.body
        callers = body.count(_TEXTS[_ID_OF_CALLER]) if made.stamped else 0
        if callers:  # ids are of any length
            said = b"\r\nContent-Length: "
            head = head.replace(said + b"%d" % len(body), said + _TEXTS[_LENGTH])
        if made.stamped:
            pieces, slots = _cut(head + body, range(len(_SLOTS)))
        else:  # what was recorded holds no slots
            pieces, slots = _cut(head, _OF_HEAD if caller is not None else (_DATE,))
            pieces[-1] += body
        judged = leaves_open(local, batch=batch)
        return cls(
            status=local.status,
            linked=local is not current,
            pieces=tuple(pieces),
            slots=_DATE_ALONE if slots == [*_DATE_ALONE] else tuple(slots),
            own=any(slot in _OF_OWN for _, slot in slots),
            length=len(body) - callers * len(_CALLER),
            callers=callers,
            index=made.index,
            judged=judged,
            seen=local if judged or batch else _bare(local.status),
            teaches=local if batch or may_give_links(local) else None,
        )

    @classmethod
    def _filled(cls, made: Rendered, request: Request, base: str, timing: Timing) -> Self | None:
        """Make an answer ready by a template; None where more than its values matters."""
        response, index = made.response, made.index
        body, fields = response.body, response.headers.pairs
        if made.stamped or index is None or not body or "Origin" in request.headers:
            return None
        bare = Response(status=response.status, body=body)
        if leaves_open(bare, batch=False) or may_give_links(bare):
            return None
        if localise(bare, base) is not bare:
            return None
        empty = bodyless(request.method, response.status)
        template = template_of(
            tuple([name for name, _ in fields]),
            response.status,
            response.reason,
            _SLOTS[: len(_OF_HEAD)],
            _Heads(empty, CALLER_ID in request.headers, made.source, timing),
        )
        texts = None if template is None else template.fill(fields, index, len(body))
        if template is None or texts is None:
            return None
        pieces = [text.encode("utf-8", "surrogateescape") for text in texts]
        if not empty:
            pieces[-1] += body
        slots = tuple([(2 * place + 1, kind) for place, kind in enumerate(template.slots)])
        return cls(
            status=response.status,
            linked=False,
            pieces=tuple(chain(*zip(pieces, repeat(b""))))[:-1],
            slots=_DATE_ALONE if slots == _DATE_ALONE else slots,
            own=False,
            length=0 if empty else len(body),
            callers=0,
            index=index,
            judged=False,
            seen=_bare(response.status),
            teaches=None,
        )

    @property
    def around_date(self) -> tuple[bytes, bytes] | None:
        """The bytes before and after its Date; None where something else is new each time, too."""
        if self.slots != _DATE_ALONE:
            return None
        first, _, last = self.pieces
        return first, last

    def written(self, now: Now, caller: bytes) -> bytes:
        """Return the whole answer: of now, to this caller."""
        pieces = [*self.pieces]
        if self.own:
            length = b"%d" % (self.length + self.callers * len(caller))
            values = (now.date, caller, str(uuid.uuid4()).encode(), now.iso, length)
            for place, slot in self.slots:
                pieces[place] = values[slot]
        else:
            for place, slot in self.slots:
                pieces[place] = caller if slot else now.date
        return b"".join(pieces)

    def __len__(self) -> int:
        """Count its bytes, roughly."""
        return sum(map(len, self.pieces))


class _Heads(NamedTuple):
    """Writes heads, for templates.

    Attributes:
        empty: Whether no body follows.
        called: Whether the caller's id is given back.
        source: Of the answers.
        timing: What becomes of their times.
    """

    empty: bool
    called: bool
    source: Source
    timing: Timing

    def __call__(self, response: Response, index: int) -> str:
        """Write the head of an answer without a body."""
        caller = _CALLER if self.called else None
        current = self.timing.refreshed(response, batch=False, now=_MOMENT, caller=caller)
        outgoing = outgoing_of(current, self.source, index)
        date = _SLOTS[_DATE]
        return head_of(outgoing, empty=self.empty, keep_alive=True, date=date).decode()


@lru_cache(maxsize=64)
def _bare(status: int) -> Response:
    return Response(status=status)


def _cut(data: bytes, kinds: Iterable[int]) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Cut bytes where slots of some kinds stand; an empty piece is left for each."""
    found: list[tuple[int, int]] = []
    for kind in kinds:
        text = _TEXTS[kind]
        at = data.find(text)
        while at >= 0:
            found.append((at, kind))
            at = data.find(text, at + len(text))
    pieces: list[bytes] = []
    slots: list[tuple[int, int]] = []
    done = 0
    for at, kind in sorted(found):
        pieces += (data[done:at], b"")
        slots.append((len(pieces) - 1, kind))
        done = at + len(_TEXTS[kind])
    return [*pieces, data[done:]], slots
