from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.matching.key import Key, key_of, writes
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.tape.index import Index
from graphtape.core.tape.position import Hit, Player
from graphtape.core.tape.trim import Repeat, Taken, Trimmed, Unreached, Unused, trim
from graphtape.tape.store import open_cassette
from hits import find
from proxies import SHARED, needs_recordings

ROOT = "https://graph.microsoft.com/beta/"


def interaction(
    method: str, path: str, body: str = "{}", *, status: int = 200, **headers: str
) -> Interaction:
    fields = {"content-type": "application/json", **headers}
    return Interaction(
        request=Request(method=method, url=ROOT + path),
        response=Response(
            status=status,
            headers=Headers.of((name.replace("_", "-"), value) for name, value in fields.items()),
            body=body.encode(),
        ),
    )


def recorded(text: str) -> list[Interaction]:
    """Read `s=a w! s=b`: reads with what they answer, and writes."""
    tape = []
    for word in text.split():
        name, _, answer = word.partition("=")
        method = "POST" if name.endswith("!") else "GET"
        tape.append(interaction(method, name.rstrip("!"), f'{{"value": "{answer}"}}'))
    return tape


def keys_of(tape: list[Interaction]) -> list[Key]:
    return [key_of(each.request) for each in tape]


def index_of(tape: list[Interaction]) -> Index:
    return Index.of(keys_of(tape), [writes(each.request) for each in tape])


def trimmed(tape: list[Interaction], unused: tuple[int, ...] = ()) -> Trimmed:
    return trim(tape, index_of(tape), unused=unused)


def left(tape: list[Interaction], trimmed: Trimmed) -> list[Interaction]:
    gone = {taken.index for taken in trimmed.taken}
    return [each for number, each in enumerate(tape) if number not in gone]


def repeats(*pairs: tuple[int, int]) -> tuple[Taken, ...]:
    return tuple(Repeat(index=index, of=of) for index, of in pairs)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        pytest.param("s=a s=a s=a s=b", repeats((1, 0), (2, 0)), id="polls become one"),
        pytest.param("s=a s=b s=a", (), id="a state that comes back stays"),
        pytest.param("s=a t=x s=a t=x", repeats((2, 0), (3, 1)), id="polls of two take turns"),
        pytest.param("s=a w! s=a s=a", repeats((3, 2)), id="a write parts two intervals"),
        pytest.param("w!=a w!=a", (), id="writes stay"),
        pytest.param("", (), id="an empty tape"),
    ],
)
def test_polls_with_the_same_answer_become_one(text: str, taken: tuple[Taken, ...]) -> None:
    assert trimmed(recorded(text)) == Trimmed(taken=taken, parting=())


ERROR = '{"error": {"code": "x", "innerError": {"date": "%s", "request-id": "%s", "code": "%s"}}}'


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        pytest.param(
            interaction("GET", "s", date="1", request_id="1", x_ms_ags_diagnostic="1"),
            interaction("GET", "s", Date="2", Request_Id="2", client_request_id="2"),
            True,
            id="volatile fields",
        ),
        pytest.param(
            interaction("GET", "s", ERROR % ("1", "1", "c"), status=404),
            interaction("GET", "s", ERROR % ("2", "2", "c"), status=404),
            True,
            id="volatile fields of an error",
        ),
        pytest.param(
            interaction("GET", "s", ERROR % ("1", "1", "c"), status=404),
            interaction("GET", "s", ERROR % ("1", "1", "d"), status=404),
            False,
            id="the rest of an error",
        ),
        pytest.param(
            interaction("GET", "s", retry_after="1"),
            interaction("GET", "s", retry_after="2"),
            False,
            id="another field",
        ),
        pytest.param(
            interaction("GET", "s", status=202),
            interaction("GET", "s", status=200),
            False,
            id="status",
        ),
        pytest.param(
            interaction("HEAD", "s", "", content_length="1"),
            interaction("HEAD", "s", "", content_length="2"),
            False,
            id="length of a body that isn't there",
        ),
        pytest.param(
            interaction("GET", "s", "not JSON, an error"),
            interaction("GET", "s", "not JSON, an error", content_length="1"),
            True,
            id="text",
        ),
    ],
)
def test_answers_are_the_same_but_for_what_every_answer_has_anew(
    one: Interaction, two: Interaction, *, same: bool
) -> None:
    assert trimmed([one, two]).taken == (repeats((1, 0)) if same else ())


def test_a_batch_that_reads_stays_since_its_parts_answer_too() -> None:
    body = b'{"requests": [{"id": "1", "method": "GET", "url": "/me"}]}'
    batch = Interaction(
        request=Request(method="POST", url=ROOT + "$batch", body=body),
        response=Response(status=200, body=b'{"responses": []}'),
    )
    assert trimmed([batch, batch]).taken == ()


@pytest.mark.parametrize(
    ("text", "unused", "expected"),
    [
        pytest.param("s=a t=b", (1,), Trimmed(taken=(Unused(index=1),), parting=()), id="read"),
        pytest.param(
            "s=a w! s=b s=c",
            (1,),
            Trimmed(
                taken=(
                    Unused(index=1),
                    Unreached(index=2, write=1),
                    Unreached(index=3, write=1),
                ),
                parting=(),
            ),
            id="a write, with the reads that only it leads to",
        ),
        pytest.param(
            "w! s=a",
            (0,),
            Trimmed(taken=(Unused(index=0),), parting=()),
            id="reads that answer before it comes stay",
        ),
        pytest.param(
            "s=a w! s=b x!",
            (1,),
            Trimmed(taken=(), parting=(1,)),
            id="a write that parts reads which a later write leads to stays",
        ),
        pytest.param(
            "s=a w! s=b x! s=c",
            (1,),
            Trimmed(taken=(Unused(index=1), Unreached(index=2, write=1)), parting=()),
            id="a later write that has an answer of its own",
        ),
    ],
)
def test_what_is_unused_goes(text: str, unused: tuple[int, ...], expected: Trimmed) -> None:
    assert trimmed(recorded(text), unused) == expected


def states(tape: list[Interaction], asked: list[Interaction]) -> dict[Key, list[bytes]]:
    """Play requests in turn; return the answers to each, repeats as one."""
    index = index_of(tape)
    player = Player(index)
    seen: dict[Key, list[bytes]] = {}
    for each in asked:
        key = key_of(each.request)
        hit = find(player, index, key, write=each.request.method == "POST")
        assert isinstance(hit, Hit)
        player.played(hit)
        seen.setdefault(key, []).append(tape[hit.index].response.body)
    return {key: [body for body, _ in groupby(bodies)] for key, bodies in seen.items()}


words = st.sampled_from(["s=a", "s=b", "s=c", "t=a", "t=b", "w!", "x!", "y!=2"])
tapes = st.lists(words, max_size=24).map(lambda chosen: recorded(" ".join(chosen)))


@given(tapes)
def test_a_client_in_recorded_order_sees_the_same_states(tape: list[Interaction]) -> None:
    assert states(left(tape, trimmed(tape)), tape) == states(tape, tape)


@given(tapes, st.sets(st.sampled_from(["w", "x", "y", "t"])))
def test_a_client_without_the_unused_calls_sees_the_same_states(
    tape: list[Interaction], never: set[str]
) -> None:
    unused = tuple(n for n, each in enumerate(tape) if each.request.url[len(ROOT) :] in never)
    asked = [each for n, each in enumerate(tape) if n not in unused]
    assert states(left(tape, trimmed(tape, unused)), asked) == states(tape, asked)


@given(tapes)
def test_trimming_twice_is_trimming_once(tape: list[Interaction]) -> None:
    once = left(tape, trimmed(tape))
    assert trimmed(once).taken == ()


@needs_recordings
def test_a_real_recording_gets_shorter_and_keeps_its_states() -> None:
    tape = [
        *open_cassette(SHARED / "azure-cli" / "test_service_principal_scenario.yaml").interactions
    ]
    short = left(tape, trimmed(tape))
    reads = [each for each in tape if each.request.method == "GET"]
    assert len(short) == len(tape) - 7
    assert {key_of(each.request) for each in short} == {key_of(each.request) for each in tape}
    assert all(each in short or each in reads for each in tape)
