"""Sessions with a journal, and the reports of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.journal import Entry, Source
from graphtape.core.matching.key import MatchOptions
from graphtape.core.message import Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.report.accounting import account
from graphtape.core.report.report import CassetteFacts, Report, Taping
from graphtape.core.tape.outcome import Mode, Replay
from graphtape.core.tape.position import Order
from graphtape.core.tape.recording import Recording
from graphtape.core.tape.session import Session
from graphtape.core.verdict.tally import Tally
from graphtape.core.verdict.verdict import Kind, Verdict

if TYPE_CHECKING:
    from graphtape.core.scenario.play import Play

ROOT = "https://graph.microsoft.com"
SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z
TAPE = CassetteFacts(
    name="tape.yaml",
    interactions=3,
    recorded_at="2026-07-03T12:00:00Z",
    upstream="sandbox",
    edited=True,
)
WHY = """\
Nothing recorded answers GET /v1.0/you; nearest: interaction 0 (path: 'you', recorded 'me').
Nearest in tape.yaml:
  interaction 0, GET /v1.0/me
    path: 'you', recorded 'me'
To add it: graphtape record tape.yaml --mode new_episodes"""


def tape(*asked: str, name: str = "tape.yaml") -> Recording:
    requests = (each.partition(" ") for each in asked)
    return Recording.of(
        [
            Interaction(
                request=Request(method=method, url=ROOT + path), response=Response(status=200)
            )
            for method, _, path in requests
        ],
        name=name,
        redactor=Redactor(salt="s"),
        options=MatchOptions(),
    )


def session(
    *tapes: Recording, mode: Mode = Mode.NONE, script: Play | None = None, name: str = "default"
) -> Session:
    return Session.over(tapes, mode=mode, order=Order.POSITION, script=script, id=name)


def used() -> Recording:
    return tape("GET /v1.0/me", f"POST {SETTINGS}/disconnect", "GET /v1.0/users?$top=5")


def play(session: Session, path: str) -> None:
    """Play a read whole, as the pipeline does."""
    plan = session.decide(session.compile(Request(method="GET", url=ROOT + path)))
    assert isinstance(plan, Replay)
    session.played(plan)
    journal(session, path, Source.REPLAYED)


def journal(
    session: Session,
    path: str,
    source: Source,
    *,
    method: str = "GET",
    status: int = 200,
    note: str = "",
) -> None:
    session.journal.add(
        Entry(
            number=session.journal.number(),
            method=method,
            url=ROOT + path,
            status=status,
            source=source,
            note=note,
        )
    )


def miss(session: Session, path: str = "/v1.0/you", note: str = WHY) -> None:
    journal(session, path, Source.MISSED, status=599, note=note)


def tell(
    session: Session,
    *verdicts: Verdict,
    cassettes: tuple[CassetteFacts, ...] = (TAPE,),
    taping: Taping | None = None,
    now: float = NOW,
    fail_on_unused: bool = False,
    fail_on: tuple[Kind, ...] = (),
) -> Report:
    tally = Tally()
    tally.add(verdicts)
    return account(
        session,
        tally,
        cassettes=cassettes,
        now=now,
        fail_on_unused=fail_on_unused,
        fail_on=fail_on,
        taping=taping or Taping(),
    )


def eventful(**options: bool) -> Report:
    """Return the report of a session to which everything happened."""
    told = session(used())
    play(told, "/v1.0/me")
    for _ in range(3):
        miss(told)
    miss(told, "/v1.0/groups", "Nothing recorded answers GET /v1.0/groups: and so on.")
    journal(told, "/v1.0/me", Source.INJECTED, status=429, note="scenario 'throttled', rule 1")
    journal(told, "/v1.0/me", Source.INJECTED, status=429, note="scenario 'throttled', rule 1")
    journal(told, "/v1.0/me", Source.INJECTED, status=0, note="scenario 'reset', rule 1: reset")
    journal(told, "/v1.0/x", Source.REFUSED, method="POST", status=0, note="the client left")
    journal(told, "/v1.0/x", Source.REFUSED, status=400, note="the body isn't JSON")
    early = Verdict(kind=Kind.EARLY_RETRY, number=7, text="request 7 (GET /v1.0/me) came back")
    return tell(told, early, **options)  # type: ignore[arg-type]


def fine() -> Report:
    told = session(tape("GET /v1.0/me"))
    play(told, "/v1.0/me")
    return tell(told, cassettes=())
