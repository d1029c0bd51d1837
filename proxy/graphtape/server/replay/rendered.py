"""What was decided, as the answer it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never

from graphtape.core.graph.batch import joined
from graphtape.core.journal import Source
from graphtape.core.matching.masked import IN_ORDER
from graphtape.core.scenario.play import Answer
from graphtape.core.tape.outcome import Assemble, FailedDependency, Inject, Refuse, Replay
from graphtape.server.http.delivery import PLAIN, Delivery
from graphtape.server.http.errors import failed_dependency, own_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.graph_error import Stamp
    from graphtape.core.tape.outcome import Override
    from graphtape.core.tape.session import Session

    Explain: TypeAlias = Callable[[Request, Refuse], str]
    """Says why nothing recorded answers a request."""

MISS_STATUS = 599
"""What a miss answers: no Graph SDK repeats it, and Graph never sends it."""


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for each answer
class Rendered:
    """An answer as the session gives it, before it is brought up to the present.

    Attributes:
        response: Of tape or scenarios, bent.
        source: Where it comes from.
        index: Of its interaction; None where it isn't from one.
        note: Why it is this one, where that isn't plain.
        delivery: How it goes out.
        stamped: Whether something of it was written by ourselves, with the stamp.
        told: Seconds it tells the client to wait.
    """

    response: Response
    source: Source
    index: int | None = None
    note: str = ""
    delivery: Delivery = PLAIN
    stamped: bool = False
    told: float = 0.0


def rendered(
    outcome: Replay | Assemble | Inject,
    request: Request,
    session: Session,
    *,
    override: Override | None,
    stamp: Stamp,
    explain: Explain,
) -> Rendered:
    """Return what was decided as the answer it is.

    Args:
        outcome: What was decided.
        request: That it answers.
        session: It was asked in.
        override: What the client asked for this request alone.
        stamp: For what is written by ourselves.
        explain: Why a part of a batch has no answer.
    """
    match outcome:
        case Inject(answer=answer):
            response = answer.response(request, stamp)
            return Rendered(
                response=response,
                source=Source.INJECTED,
                delivery=Delivery(wait=answer.wait, fault=answer.fault, why=answer.why),
                stamped=True,
                told=_told(response),
            )
        case Replay():
            response = outcome.answer
            source, note, delivery = Source.REPLAYED, outcome.note, Delivery.of(outcome.bend)
            stamped = False
        case Assemble():
            response, missed = _assembled(outcome, stamp, explain)
            source = Source.MISSED if missed else Source.REPLAYED
            stamped = len(outcome.replays) < len(outcome.parts)
            if not missed and not outcome.replays:
                source = Source.INJECTED
            orders = [IN_ORDER] if any(each.by_order for each in outcome.replays) else []
            note = "\n".join(missed or orders)
            delivery = Delivery.of(outcome.bend, outcome.directed)
        case _:
            assert_never(outcome)
    if outcome.bend is not None:
        response = outcome.bend.apply(response)
    return Rendered(
        response=session.bend(response, to=request, override=override),
        source=source,
        index=outcome.index,
        note=note,
        delivery=delivery,
        stamped=stamped,
    )


def _told(response: Response) -> float:
    """Return the seconds a client is told to wait."""
    value = response.headers.get("Retry-After") or ""
    return float(value) if value.isdigit() else 0.0


def _assembled(outcome: Assemble, stamp: Stamp, explain: Explain) -> tuple[Response, list[str]]:
    """Return the answer to a batch, and why parts of it have none."""
    answers: dict[str, Response] = {}
    bends = outcome.directed.bends if outcome.directed is not None else {}
    missed: list[str] = []
    for part in outcome.parts:
        found, asked = outcome.found[part.id], part.request
        match found:
            case Replay():
                bend = bends.get(part.id)
                answers[part.id] = bend.apply(found.answer) if bend else found.answer
            case Answer():
                answers[part.id] = found.response(asked, stamp)
            case Refuse():
                why = explain(asked, found)
                answers[part.id] = own_error(
                    asked, "GraphtapeMiss", why, status=MISS_STATUS, stamp=stamp
                )
                missed.append(f"part {part.id!r}: {why}")
            case FailedDependency():
                answers[part.id] = failed_dependency(part, on=found.on, stamp=stamp)
            case _:
                assert_never(found)
    return joined(outcome.parts, answers), missed
