"""Sessions that take the same steps decide as one session does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from graphtape.core.matching.key import DEFAULT
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.scenario.play import Play
from graphtape.core.tape.outcome import Assemble, Inject, Mode, Refuse, Replay
from graphtape.core.tape.position import Order
from graphtape.core.tape.recording import Recording
from graphtape.core.tape.session import Session
from graphtape.core.tape.steps import (
    LEASE,
    STALE,
    Kind,
    Step,
    Steps,
    encode,
    is_cut,
    needs_step,
    shape_of,
)
from graphtape.scenarios import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.tape.outcome import Outcome
    from graphtape.core.tape.question import Question
    from graphtape.core.tape.steps import Result

ROOT = "https://graph.microsoft.com/beta"
JSON = Headers.of([("Content-Type", "application/json")])
SCENARIO = """
name: mine
seed: 7
rules:
- when: {path: /reads/0}
  calls: {every: 3}
  answer: {status: 503}
- when: {path: /writes/*, method: POST}
  calls: {probability: 0.3}
  answer: {status: 429}
- when: {path: /reads/1, after: "0"}
  set: {$.state: bent}
"""


def request(name: str, *, write: bool, body: bytes = b"") -> Request:
    return Request(method="POST" if write else "GET", url=f"{ROOT}/{name}", headers=JSON, body=body)


def batch(*names: str) -> Request:
    parts = [
        {"id": str(n), "method": "POST" if "write" in name else "GET", "url": f"/{name}"}
        for n, name in enumerate(names)
    ]
    return Request(
        method="POST",
        url=f"{ROOT}/$batch",
        headers=JSON,
        body=json.dumps({"requests": parts}).encode(),
    )


def recorded(asked: Request, number: int) -> Interaction:
    body: object = {"state": number}
    if asked.url.endswith("$batch"):
        body = {
            "responses": [
                {"id": each["id"], "status": 200, "body": {"state": f"{number}.{each['id']}"}}
                for each in json.loads(asked.body)["requests"]
            ]
        }
    answer = Response(status=200, reason="OK", headers=JSON, body=json.dumps(body).encode())
    return Interaction(request=asked, response=answer)


ASKED = [
    *(request(f"reads/{n}", write=False) for n in range(3)),
    *(request(f"writes/{n}", write=True) for n in range(2)),
    batch("reads/0", "writes/1"),
    batch("reads/1", "reads/2"),
    request("never", write=False),
]

tapes = st.lists(st.sampled_from(ASKED[:-1]), min_size=1, max_size=14)
asks = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "abort", "rewind", "join"]),
    st.sampled_from(ASKED),
    st.integers(0, 2),
)


def recording(asked: list[Request]) -> Recording:
    return Recording.of(
        [recorded(each, number) for number, each in enumerate(asked)],
        name="tape.yaml",
        redactor=Redactor(salt="salt"),
        options=DEFAULT,
    )


def session(tape: Recording, order: Order, *, directed: bool) -> Session:
    made = Session.over([tape], mode=Mode.NONE, order=order)
    scenarios = [read(SCENARIO, source="mine.yaml")] if directed else []
    made.direct(Play.over(scenarios), ())
    return made


def steps_of(one: Session, on_direct: Callable[[bytes], None] = lambda _: None) -> Steps:
    return Steps(session=one, on_direct=on_direct, on_rewind=one.rewind)


@dataclass(slots=True)
class Sequencer:
    """Hands every step to all, in one order; a replica takes none before it takes part."""

    replicas: list[Steps]
    now: float = 1000.0
    log: list[tuple[bytes, float]] = field(default_factory=list)
    names: count[int] = field(default_factory=count)

    def step(self, who: int, step: Step) -> Result:
        self.now += 0.001
        self.log.append((msgpack.encode(step), self.now))
        replica = self.replicas[who]
        result: Result = False
        for data, now in self.log[replica.taken :]:
            _, result = replica.take(data, now)
        return result

    def catch_up(self) -> None:
        for replica in self.replicas:
            for data, now in self.log[replica.taken :]:
                replica.take(data, now)

    def join(self, who: int, one: Session) -> None:
        """Put a replica that begins from another one's snapshot in a replica's place."""
        self.catch_up()
        joining = steps_of(one)
        joining.restore(self.replicas[who - 1].snapshot())
        self.replicas[who] = joining

    def decide(self, who: int, question: Question) -> tuple[str, Result]:
        name = f"{who}.{next(self.names)}"
        replica = self.replicas[who]
        replica.asked[name] = question
        configuration = replica.session.configuration
        what = encode(shape_of(question))
        return name, self.step(who, Step(Kind.DECIDE, name, configuration, what))


def told(outcome: object) -> object:
    """Return what of an outcome a client can tell."""
    match outcome:
        case Replay():
            # What is answered the same everywhere takes no step, so nobody knows how often it was.
            how = "next" if len(outcome.hit.answers) == 1 else str(outcome.hit.how)
            return outcome.hit.slot, how, outcome.answer.body, outcome.bend is None
        case Assemble():
            return [told(each) for each in outcome.found.values()]
        case Inject():
            return outcome.answer.answer.status, outcome.answer.why
        case Refuse():
            return "miss"
        case _:
            return type(outcome).__name__


def plain(one: Session, question: Question, *, whole: bool, now: float) -> object:
    outcome = one.decide(question, now=now)
    if isinstance(outcome, (Replay, Assemble)):
        reserved = any(
            each.hit.reserved
            for each in (outcome.replays if isinstance(outcome, Assemble) else (outcome,))
        )
        (one.played if whole or not reserved else one.release)(outcome)
    return told(outcome)


def shared(
    sequencer: Sequencer, who: int, question: Question, *, order: Order, whole: bool
) -> object:
    replica = sequencer.replicas[who]
    if not needs_step(question, order=order):
        outcome: Outcome = replica.session.decide(question)
        return told(outcome)
    name, result = sequencer.decide(who, question)
    if isinstance(result, (Replay, Assemble)):
        kind = Kind.PLAYED if whole else Kind.RELEASE
        sequencer.step(who, Step(kind, name))
    return told(result)


def state_of(one: Session) -> tuple[int | None, tuple[int, int]]:
    player = one.playbacks[0].player
    return player.position, player.interval


def idle(one: Session) -> list[str]:
    """Return the rules that matched nothing, without why they didn't match the last request."""
    return [
        each.partition(",")[0] + each.partition(",")[2].partition(";")[0]
        for each in one.script.idle()
    ]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("directed", [False, True], ids=["as recorded", "scenarios"])
@given(tape=tapes, program=st.lists(asks, max_size=30))
def test_three_replicas_answer_as_one_session_does(
    directed: bool,  # noqa: FBT001 - a parameter of the test
    order: Order,
    tape: list[Request],
    program: list[tuple[str, Request, int]],
) -> None:
    of_all = recording(tape)
    one = session(of_all, order, directed=directed)
    many = [session(of_all, order, directed=directed) for _ in range(3)]
    sequencer = Sequencer([steps_of(each) for each in many])
    for what, asked, who in program:
        if what == "rewind":
            one.rewind()
            sequencer.step(who, Step(Kind.REWIND))
            continue
        if what == "join":  # a replica is started anew, and begins from what another one tells
            many[who] = session(of_all, order, directed=directed)
            sequencer.join(who, many[who])
            continue
        question = one.compile(asked)
        theirs = many[who].compile(asked)
        expected = plain(one, question, whole=what == "ask", now=sequencer.now)
        found = shared(sequencer, who, theirs, order=order, whole=what == "ask")
        if needs_step(theirs, order=order):
            assert found == expected
        elif isinstance(expected, tuple):
            assert isinstance(found, tuple)
            assert found[2] == expected[2]
        else:
            assert found == expected
    sequencer.catch_up()
    for each in many[1:]:
        assert state_of(each) == state_of(many[0])
        assert idle(each) == idle(many[0])


@given(tape=tapes, program=st.lists(asks, max_size=30))
def test_no_write_is_given_twice_and_none_is_lost_while_answers_overlap(
    tape: list[Request], program: list[tuple[str, Request, int]]
) -> None:
    of_all = recording(tape)
    many = [session(of_all, Order.POSITION, directed=False) for _ in range(3)]
    sequencer = Sequencer([steps_of(each) for each in many])
    on_their_way: list[tuple[int, str, list[int]]] = []
    played: list[int] = []
    for what, asked, who in program:
        if what == "join":
            many[who] = session(of_all, Order.POSITION, directed=False)
            sequencer.join(who, many[who])
            continue
        if what != "ask" and on_their_way:
            owner, name, slots = on_their_way.pop(0)
            whole = what == "rewind"
            sequencer.step(owner, Step(Kind.PLAYED if whole else Kind.RELEASE, name))
            played += slots if whole else []
            continue
        name, result = sequencer.decide(who, many[who].compile(asked))
        if isinstance(result, (Replay, Assemble)):
            replays = result.replays if isinstance(result, Assemble) else (result,)
            slots = [each.hit.slot for each in replays if each.hit.reserved]
            if slots:
                on_their_way.append((who, name, slots))
            assert not set(slots) & set(played)
            flying = [slot for _, other, some in on_their_way if other != name for slot in some]
            assert not set(slots) & set(flying)
    for owner, name, slots in on_their_way:
        sequencer.step(owner, Step(Kind.PLAYED, name))
        played += slots
    sequencer.catch_up()
    assert len(played) == len(set(played))
    for each in many:
        assert set(played) <= each.playbacks[0].player.played_slots()


def test_what_a_dead_replica_reserved_is_given_after_its_lease_and_once() -> None:
    of_all = recording([ASKED[3], ASKED[3]])
    many = [session(of_all, Order.POSITION, directed=False) for _ in range(2)]
    sequencer = Sequencer([steps_of(each) for each in many])
    dead, first = sequencer.decide(0, many[0].compile(ASKED[3]))
    _, second = sequencer.decide(1, many[1].compile(ASKED[3]))
    _, none = sequencer.decide(1, many[1].compile(ASKED[3]))
    sequencer.now += LEASE
    _, again = sequencer.decide(1, many[1].compile(ASKED[3]))
    assert isinstance(first, Replay)
    assert isinstance(second, Replay)
    assert isinstance(again, Replay)
    assert (first.hit.slot, second.hit.slot, again.hit.slot) == (0, 1, 0)
    assert isinstance(none, Refuse)
    assert sequencer.step(0, Step(Kind.PLAYED, dead)) is False


def test_a_lease_that_is_renewed_holds() -> None:
    of_all = recording([ASKED[3]])
    one = session(of_all, Order.POSITION, directed=False)
    sequencer = Sequencer([steps_of(one)])
    name, _ = sequencer.decide(0, one.compile(ASKED[3]))
    for _ in range(3):
        sequencer.now += LEASE - 1
        assert sequencer.step(0, Step(Kind.RENEW, name)) is True
    assert sequencer.step(0, Step(Kind.PLAYED, name)) is True


def test_a_question_of_another_configuration_decides_nothing() -> None:
    of_all = recording([ASKED[0], ASKED[3]])
    many = [session(of_all, Order.POSITION, directed=True) for _ in range(2)]

    def anew(one: Session) -> None:
        one.direct(Play.over(()), ())

    sequencer = Sequencer(
        [
            steps_of(many[0], lambda _: anew(many[0])),
            steps_of(many[1], lambda _: anew(many[1])),
        ]
    )
    question = many[1].compile(ASKED[0])
    sequencer.step(0, Step(Kind.DIRECT))
    _, result = sequencer.decide(1, question)
    assert result is STALE
    _, result = sequencer.decide(1, many[1].compile(ASKED[3]))
    assert isinstance(result, Replay)


def test_a_step_holds_nothing_of_request_or_answer() -> None:
    of_all = recording([*ASKED[:-1]])
    one = session(of_all, Order.POSITION, directed=False)
    for asked in ASKED:
        sent = encode(shape_of(one.compile(asked)))
        assert b"reads" not in sent
        assert b"writes" not in sent
        assert b"state" not in sent


def test_an_answer_that_is_cut_never_plays() -> None:
    assert is_cut(Refuse(misses=())) is False
