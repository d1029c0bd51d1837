"""What a rule does to one call: before its answer is looked for, or to the answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from graphtape.core.json_text import NotJsonError
from graphtape.core.scenario.canned_answer import CannedAnswer, changed, reason_of
from graphtape.core.scenario.json_path import AppendValue, Edit, RemoveValue, SetValue

if TYPE_CHECKING:
    from graphtape.core.message import Response
    from graphtape.core.scenario.duration import Delay
    from graphtape.core.scenario.notice import Notice


class ConnectionFault(enum.StrEnum):
    """A broken connection in place of an answer; neither upstream nor tape is asked."""

    RESET = "reset"
    CLOSE = "close"
    HANG = "hang"
    GARBAGE = "garbage"


class WireFault(enum.StrEnum):
    """A fault of the connection while the answer is sent."""

    TRUNCATE = "truncate"
    DRIP = "drip"
    BAD_CHUNK = "bad_chunk"


CUT = frozenset({WireFault.TRUNCATE, WireFault.BAD_CHUNK})
"""Faults with which an answer never goes out whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """Answer in Graph's place."""

    answer: CannedAnswer
    fault: WireFault | None = None
    delay: Delay | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """Break the connection."""

    fault: ConnectionFault
    delay: Delay | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Keep the answer of tape or upstream, but for what is said.

    Attributes:
        edits: One after the other, of the body; what isn't JSON stays.
        headers: Set; None takes a field away.
        notices: Changes that the app is notified of once the answer is out.
    """

    edits: tuple[Edit, ...] = ()
    status: int | None = None
    headers: tuple[tuple[str, str | None], ...] = ()
    fault: WireFault | None = None
    delay: Delay | None = None
    notices: tuple[Notice, ...] = ()

    def made_to(self, response: Response) -> Response:
        """Return the answer changed; the same object where nothing changes."""
        body = self._edited(response)
        if body is not response.body:
            response = replace(response, body=body)
        if self.status is not None and self.status != response.status:
            response = replace(response, status=self.status, reason=reason_of(self.status))
        if self.headers:
            response = replace(response, headers=changed(response.headers, self.headers))
        return response

    def _edited(self, response: Response) -> bytes:
        body = response.body
        # An error has no member to add, such as onboardingStatus: only what is there is changed.
        add = 200 <= response.status < 300  # noqa: PLR2004 - 2xx
        try:
            for edit in self.edits:
                body = edit.edit(body, add=add)
        except NotJsonError:
            return response.body
        return body


Effect: TypeAlias = Injection | Breakage | Change

_EDITS = {SetValue: "set", RemoveValue: "remove", AppendValue: "append"}


def names_of(effect: Effect) -> tuple[str, ...]:
    """Name what an effect does, in a scenario file's own words; `answer` goes without saying."""
    names: list[str] = []
    if isinstance(effect, Change):
        names += dict.fromkeys(_EDITS[type(edit)] for edit in effect.edits)
        names += ["status"] if effect.status is not None else []
        names += ["headers"] if effect.headers else []
    names += ["delay"] if effect.delay is not None else []
    names += [effect.fault.value] if effect.fault is not None else []
    names += ["notify"] if effect.notices else []
    return tuple(names)
