"""Where the plain reads of one recording session are seen to, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.errors import UpstreamError
from graphtape.core.graph.actions import last_segment
from graphtape.core.message import Headers, Request
from graphtape.core.redaction.secrets import MASK
from graphtape.core.signin.destination import NotSignIn, course
from graphtape.server.record.known_field import KnownFields
from graphtape.tape.record import spelled

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Change
    from graphtape.core.verdict.verdict import Kind
    from graphtape.server.record.plain_read import Way
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.upstream.client import UpstreamClient
    from graphtape.server.visit import Gate
    from graphtape.tape.recorder import Recorder

_REMEMBERED = 4096
_LONGEST_REMEMBERED = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path asks for, in one session.

    Attributes:
        url: Graph's.
        way: To it.
        begins: What the request begins with on its way up.
        taped: Method and URL as a record spells them, clean.
        changes: What was taken out of the URL for the tape.
        journaled: The URL as the journal has it.
        action: Its last segment, lower case.
    """

    url: str
    way: Way
    begins: bytes
    taped: tuple[bytes, ...]
    changes: tuple[Change, ...]
    journaled: str
    action: str


class Desk:
    """Where the plain reads of one recording session are seen to."""

    def __init__(
        self, live: LiveSession, recorder: Recorder, client: UpstreamClient, gate: Gate
    ) -> None:
        """Know nothing yet."""
        self.live = live
        self.recorder = recorder
        self.client = client
        self.gate = gate
        self.asked = KnownFields(recorder.redactor, answers=False)
        self.answered = KnownFields(recorder.redactor, answers=True)
        root = gate.upstream.root
        at_home = root in {"", gate.upstream.tape_root}
        self._foreign = b"" if at_home else root.partition("://")[2].partition("/")[0].encode()
        self._targets: dict[str, Target] = {}
        self._judged: dict[tuple[str, str], tuple[Kind, ...]] = {}

    def target(self, path: str) -> Target | None:
        """Return what a path asks for, session prefix left out; None where that isn't plain."""
        known = self._targets.get(path)
        if known is not None:
            return known
        gate, url = self.gate, self.gate.upstream.tape_root + path
        request = Request(method="GET", url=url)
        where = course(request, upstream=gate.upstream, forwards=True, record=gate.record_signin)
        try:
            way = self.client.plain_way(gate.upstream.address(url))
        except UpstreamError:  # the usual way says why
            return None
        if way is None or not isinstance(where, NotSignIn):
            return None
        clean, changes = self.recorder.redactor.location(url)
        if any(change.after == MASK for change in changes):
            return None  # what was masked is to be told from other requests'
        target = Target(
            url=url,
            way=way,
            begins=way.begins,
            taped=spelled("GET", clean),
            changes=changes,
            journaled=self.live.clean.url(url),
            action=last_segment(url).lower(),
        )
        if len(path) <= _LONGEST_REMEMBERED:
            if len(self._targets) >= _REMEMBERED:
                self._targets.clear()
            self._targets[path] = target
        return target

    def kinds(self, url: str, token: str | None) -> tuple[Kind, ...] | None:
        """Return what the witness says of each read like this one; None where that depends."""
        key = (url, token or "")
        known = self._judged.get(key)
        if known is not None:
            return known
        fields = () if token is None else (("Authorization", token),)
        kinds = self.live.witness.of_each(Request(method="GET", url=url, headers=Headers(fields)))
        if kinds is not None:
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[key] = kinds
        return kinds

    def names_upstream(self, body: bytes) -> bool:
        """Tell whether the upstream's own address may stand in a body: it is no Graph's."""
        return bool(self._foreign) and self._foreign in body
