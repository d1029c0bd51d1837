from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.matching.key import Key, key_of
from graphtape.core.message import Request
from graphtape.core.tape.index import BatchedKey, Index
from graphtape.core.tape.interval import How
from graphtape.core.tape.position import AlreadyPlayed, Hit, Miss, NotRecorded, Order, Player
from hits import find
from unused import unused

READ, WRITE = "GET", "POST"
ROOT = "https://graph.microsoft.com/beta/"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request by the short name its tape gives it."""

    method: str
    name: str

    @property
    def key(self) -> Key:
        return key_of(Request(method=self.method, url=ROOT + self.name))

    @property
    def write(self) -> bool:
        return self.method == WRITE


def asks(text: str) -> list[Ask]:
    """Read `s disconnect! s`: names, and a mark behind those that write."""
    return [Ask(WRITE if "!" in word else READ, word.rstrip("!")) for word in text.split()]


def recorded(text: str) -> Index:
    """Index a tape; `s{a,p!}` is a batch named `s` with its parts."""
    keys, writes, parts = [], [], {}
    for number, word in enumerate(text.split()):
        name, _, inside = word.rstrip("}").partition("{")
        [ask] = asks(name)
        batched = asks(inside.replace(",", " "))
        keys.append(ask.key)
        writes.append(ask.write)
        parts[number] = [
            BatchedKey(id=each.name, key=each.key, write=each.write) for each in batched
        ]
    return Index.of(keys, writes, parts)


class Client:
    """Asks one by one, each answer whole before the next."""

    def __init__(self, tape: str, order: Order = Order.POSITION) -> None:
        self.index = recorded(tape)
        self.player = Player(self.index, order=order)

    def find(self, text: str) -> Hit | Miss:
        [ask] = asks(text)
        return find(self.player, self.index, ask.key, write=ask.write)

    def hit(self, text: str) -> Hit:
        found = self.find(text)
        assert isinstance(found, Hit)
        return found

    def play(self, text: str) -> str:
        """Return indices, each with a mark for how: `0 1 1+ 0< 4>`, and `-` for a miss."""
        return " ".join(self._played(word) for word in text.split())

    def _played(self, word: str) -> str:
        found = self.find(word)
        match found:
            case Hit():
                self.player.played(found)
                marks = {How.NEXT: "", How.REPEATED: "+", How.BEFORE: "<", How.AFTER: ">"}
                part = "" if found.part is None else f".{found.part}"
                return f"{found.index}{part}{marks[found.how]}"
            case Miss():
                return "-"
            case _:
                assert_never(found)


# 0 onboarded, 1 disconnect, 2 and 3 offboarding, 4 unknown, 5 connect, 6 inprogress, 7 onboarded
TAPE = "s disconnect! s s s connect! s s"


@pytest.mark.parametrize(
    ("client", "answers"),
    [
        pytest.param(TAPE, "0 1 2 3 4 5 6 7", id="as-recorded"),
        pytest.param("disconnect! s s s", "1 2 3 4", id="skips-the-first-read"),
        pytest.param("disconnect! s connect! s", "1 2 5 6", id="polls-once"),
        pytest.param(
            "s disconnect! s s s connect! s s s", "0 1 2 3 4 5 6 7 7+", id="polls-three-times"
        ),
        pytest.param(
            "disconnect! s s s s s s s s s s connect! s",
            "1 2 3 4 4+ 4+ 4+ 4+ 4+ 4+ 4+ 5 6",
            id="polls-ten-times",
        ),
        pytest.param("s s s s s", "0 0+ 0+ 0+ 0+", id="never-disconnects"),
        pytest.param("disconnect! s disconnect! s", "1 2 - 3", id="disconnects-twice"),
        pytest.param("connect! s disconnect! s s", "5 6 1 2 3", id="writes-out-of-order"),
        pytest.param(
            "connect! s s disconnect! s connect!", "5 6 7 1 2 -", id="position-goes-back-and-stays"
        ),
        pytest.param("other", "-", id="not-recorded"),
    ],
)
def test_answers_come_in_an_order_that_could_have_happened(client: str, answers: str) -> None:
    assert Client(TAPE).play(client) == answers


@pytest.mark.parametrize(
    ("tape", "client", "answers"),
    [
        pytest.param("p! p! s", "p! s p! s", "0 2> 1 2", id="429-then-200-polled-in-between"),
        pytest.param("s p! p! s", "p! s p! s s", "1 0< 2 3 3+", id="429-then-200"),
        pytest.param("p! s", "s s s", "1> 1> 1>", id="nothing-before-the-first-write"),
        pytest.param(
            "a p! a q! b", "b p! b q! b", "4> 1 4> 3 4", id="taken-early-plays-in-its-turn"
        ),
        pytest.param("p! a a q! b", "q! a a p! a", "3 2< 2< 0 1", id="latest-before"),
        pytest.param("p! q! a r! a", "p! a q! a", "0 2> 1 2", id="first-after"),
        pytest.param("a b p! a b", "a b a b p! b b a", "0 1 0+ 1+ 2 4 4+ 3", id="keys-apart"),
        pytest.param("p! a p! a p! a", "p! a p! a p! a", "0 1 2 3 4 5", id="same-write-again"),
        pytest.param("p! a p! a", "p! p! a a", "0 2 3 3+", id="read-skipped-between-writes"),
        pytest.param("a a a", "a a a a", "0 1 2 2+", id="no-write-at-all"),
        pytest.param("p!", "p! p!", "0 -", id="no-read-at-all"),
        pytest.param("", "a p!", "- -", id="empty-tape"),
    ],
)
def test_a_read_is_answered_from_its_stretch(tape: str, client: str, answers: str) -> None:
    assert Client(tape).play(client) == answers


@given(
    tape=st.lists(st.sampled_from(["a", "b", "p!", "q!"]), max_size=12),
    client=st.lists(st.sampled_from(["a", "b", "p!", "q!"]), max_size=20),
)
def test_agrees_with_a_scan_of_the_whole_tape(tape: list[str], client: list[str]) -> None:
    player = Client(" ".join(tape))
    low, played, given_in_stretch = 0, set[int](), list[int]()
    for word in client:
        places = [place for place, name in enumerate(tape) if name == word]
        answer = player.play(word)
        if "!" in word:
            left = [place for place in places if place not in played]
            assert answer == (str(left[0]) if left else "-")
            if left:
                low, given_in_stretch = left[0], []
                played.add(low)
            continue
        high = next((n for n, name in enumerate(tape) if n > low and "!" in name), len(tape))
        high = high if played or not tape or "!" not in tape[0] else 0
        inside = [place for place in places if low <= place < high]
        fresh = [place for place in inside if place not in given_in_stretch]
        if inside:
            assert answer == (str(fresh[0]) if fresh else f"{inside[-1]}+")
            given_in_stretch += fresh[:1]
        else:
            before = [place for place in places if place < low]
            after = [place for place in places if place >= high]
            expected = f"{before[-1]}<" if before else f"{after[0]}>" if after else "-"
            assert answer == expected


def test_two_tapes_keep_their_own_positions() -> None:
    one, other = Client(TAPE), Client(TAPE)
    assert one.play("s disconnect! s") == "0 1 2"
    assert other.play("s connect! s") == "0 5 6"
    assert one.play("s s") == "3 4"
    assert other.play("s s") == "7 7+"


def test_two_sessions_share_an_index_but_no_position() -> None:
    index = recorded(TAPE)
    one, other = Player(index), Player(index)
    write = Ask(WRITE, "disconnect")
    for player in (one, other):
        found = find(player, index, write.key, write=True)
        assert isinstance(found, Hit)
        player.played(found)
    assert (one.position, other.position) == (1, 1)


def test_two_writes_at_the_same_time_get_different_answers() -> None:
    client = Client("p! a p! b")
    first, second = client.hit("p!"), client.hit("p!")
    assert (first.index, second.index) == (0, 2)
    assert client.find("p!") == Miss(reason=AlreadyPlayed(index=2, recorded=2, position=None))


def test_a_write_moves_the_position_only_once_its_answer_went_out() -> None:
    client = Client(TAPE)
    hit = client.hit("disconnect!")
    assert client.play("s s") == "0 0+"
    client.player.played(hit)
    assert client.player.position == 1
    assert client.play("s") == "2"


def test_a_released_write_plays_again() -> None:
    client = Client("p! p! p!")
    first, second = client.hit("p!"), client.hit("p!")
    client.player.release(second)
    client.player.release(first)
    assert client.player.position is None
    assert client.play("p! p! p! p!") == "0 1 2 -"


def test_a_released_write_counts_as_unused() -> None:
    client = Client("p!")
    client.player.release(client.hit("p!"))
    assert unused(client.player, client.index) == (0,)


def test_a_write_is_played_or_released_but_once() -> None:
    client = Client("p! p!")
    hit = client.hit("p!")
    client.player.played(hit)
    client.player.release(hit)
    assert client.play("p! p!") == "1 -"


def test_the_position_is_that_of_the_write_that_ended_last() -> None:
    client = Client("p! a q! a")
    first, second = client.hit("p!"), client.hit("q!")
    client.player.played(second)
    client.player.played(first)
    assert client.play("a") == "1"


def test_two_reads_at_the_same_time_get_the_same_answer() -> None:
    client = Client("a a a")
    first, second = client.hit("a"), client.hit("a")
    client.player.played(first)
    client.player.played(second)
    assert (first.index, second.index) == (0, 0)
    assert client.play("a") == "1"


def test_a_read_that_did_not_go_out_is_asked_again() -> None:
    client = Client("a a")
    client.player.release(client.hit("a"))
    assert client.play("a a") == "0 1"


def test_a_read_that_ends_after_a_write_leaves_the_new_stretch_alone() -> None:
    client = Client("a p! a a")
    late = client.hit("a")
    assert client.play("p! a") == "1 2"
    client.player.played(late)
    assert client.play("a") == "3"


def test_a_miss_says_that_nothing_like_it_is_recorded() -> None:
    assert Client(TAPE).find("other!") == Miss(reason=NotRecorded())


def test_a_miss_says_what_played_already_and_where_the_tape_stands() -> None:
    client = Client(TAPE)
    client.play("disconnect! connect!")
    assert client.find("disconnect!") == Miss(reason=AlreadyPlayed(index=1, recorded=1, position=5))


def test_rewinding_starts_anew() -> None:
    client = Client(TAPE)
    client.play("s disconnect! s connect! s")
    client.player.rewind()
    assert client.player.position is None
    assert unused(client.player, client.index) == (*range(8),)
    assert client.play(TAPE) == "0 1 2 3 4 5 6 7"


def test_a_write_under_way_while_rewinding_moves_nothing() -> None:
    client = Client(TAPE)
    hit = client.hit("connect!")
    client.player.rewind()
    client.player.played(hit)
    assert client.player.position is None
    assert client.play("s connect!") == "0 5"


@pytest.mark.parametrize(
    ("client", "answers"),
    [
        pytest.param("s s s s s s s", "0 2 3 4 6 7 -", id="reads-play-once-each"),
        pytest.param("connect! s disconnect! s", "5 0 1 2", id="writes-are-no-barriers"),
        pytest.param("disconnect! disconnect!", "1 -", id="writes-play-once-each"),
    ],
)
def test_request_order_plays_each_answer_once(client: str, answers: str) -> None:
    assert Client(TAPE, Order.REQUEST).play(client) == answers


def test_request_order_says_which_read_was_the_last() -> None:
    client = Client("a a", Order.REQUEST)
    client.play("a a")
    assert client.find("a") == Miss(reason=AlreadyPlayed(index=1, recorded=2, position=None))


def test_request_order_gives_two_reads_at_the_same_time_different_answers() -> None:
    client = Client("a a", Order.REQUEST)
    first, second = client.hit("a"), client.hit("a")
    client.player.release(first)
    assert (first.index, second.index, client.hit("a").index) == (0, 1, 0)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    ("client", "left"),
    [
        pytest.param("", (0, 1, 2, 3, 4, 5, 6, 7), id="nothing-asked"),
        pytest.param("s disconnect! s connect!", (), id="fewer-polls"),
        pytest.param("s disconnect!", (5,), id="write-never-played"),
        pytest.param("disconnect! connect!", (0, 2, 3, 4, 6, 7), id="read-never-asked"),
    ],
)
def test_unused_are_writes_never_played_and_reads_never_asked(
    order: Order, client: str, left: tuple[int, ...]
) -> None:
    session = Client(TAPE, order)
    session.play(client)
    assert unused(session.player, session.index) == left


class CountedKey(Key):
    hashed = 0
    compared = 0

    def __hash__(self) -> int:
        CountedKey.hashed += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        CountedKey.compared += 1
        return super().__eq__(other)


class CountedIndex(int):
    compared = 0

    def __lt__(self, other: int) -> bool:
        CountedIndex.compared += 1
        return super().__lt__(other)


def work_of(size: int) -> tuple[int, int, int]:
    """Play a long poll of one key and a write on a tape of which they are every second."""
    tape = asks(f"{'a b p! c ' * (size // 4)}")
    keys = [CountedKey(*ask.key) for ask in tape]
    plain = Index.of(keys, [ask.write for ask in tape])
    index = Index(
        answers={
            key: tuple(CountedIndex(place) for place in places)
            for key, places in plain.answers.items()
        },
        writes=tuple(CountedIndex(place) for place in plain.writes),
        size=plain.size,
    )
    player = Player(index)
    client = [(CountedKey(*ask.key), ask.write) for ask in asks("a a p! a b c p! c a")]
    CountedKey.hashed = CountedKey.compared = CountedIndex.compared = 0
    for key, write in client:
        found = find(player, index, key, write=write)
        assert isinstance(found, Hit)
        player.played(found)
    return CountedKey.hashed, CountedKey.compared, CountedIndex.compared


def test_the_work_per_request_does_not_grow_with_the_tape() -> None:
    requests = 9
    small, large = work_of(100), work_of(10_000)
    assert small[:2] == large[:2] == (requests, requests)
    assert large[2] - small[2] <= 3 * requests * math.log2(10_000 / 100)


@pytest.mark.parametrize(
    ("tape", "client", "answers"),
    [
        pytest.param("x!{a,p!} a", "p! a a", "0.p 0.a 1", id="parts-one-by-one"),
        pytest.param("a x!{a,p!}", "a p! a", "0 1.p 1.a", id="a-part-stands-at-its-batchs-place"),
        pytest.param("x!{a,p!} a", "x! a a", "0 1 1+", id="whole-plays-its-parts"),
        pytest.param(
            "x!{p!} x!{p!}", "p! x! p!", "0.p 1 -", id="a-batch-played-in-parts-is-played"
        ),
        pytest.param("x!{p!} x!{p!}", "x! p! x!", "0 1.p -", id="parts-of-a-batch-played-whole"),
        pytest.param("x!{p!,q!} a b", "p! a q! a b", "0.p 1 0.q 1+ 2", id="two-writes-one-place"),
        pytest.param("x{a,b} a", "x a a", "0 1 1+", id="reads-played-whole"),
        pytest.param("x{a} x{a}", "a x x", "0.a 1 1+", id="reads-played-in-parts"),
        pytest.param("x{a,b} a", "a x a", "0.a 0+ 1", id="partly-read-is-out-of-turn"),
        pytest.param("a x{a} a", "a a a a", "0 1.a 2 2+", id="between-plain-ones"),
        pytest.param("x{a,a}", "a a a", "0.a 0.a 0.a+", id="same-part-twice"),
    ],
)
def test_batches_play_whole_or_in_parts(tape: str, client: str, answers: str) -> None:
    assert Client(tape).play(client) == answers


@pytest.mark.parametrize(
    ("tape", "client", "answers"),
    [
        pytest.param("x{a,b} a x{a,b}", "a x a", "0.a 2 1", id="in-parts-then-whole"),
        pytest.param("x{a,b} a", "x a a", "0 1 -", id="whole-then-parts"),
    ],
)
def test_request_order_plays_each_part_once(tape: str, client: str, answers: str) -> None:
    assert Client(tape, Order.REQUEST).play(client) == answers


def test_parts_of_a_batch_are_reserved_one_by_one() -> None:
    client = Client("x!{p!,q!} x!{p!,q!}")
    p, q = client.hit("p!"), client.hit("q!")
    other = client.hit("x!")
    assert (p.index, q.index, other.index) == (0, 0, 1)
    assert isinstance(client.find("p!"), Miss)
    assert isinstance(client.find("x!"), Miss)


def test_a_released_batch_gives_its_parts_back() -> None:
    client = Client("x!{p!,q!}")
    hit = client.hit("x!")
    assert client.play("p!") == "-"
    client.player.release(hit)
    assert client.play("p! q! x!") == "0.p 0.q -"


def test_a_batch_plays_whole_again_once_its_parts_are_released() -> None:
    client = Client("x!{p!,q!}")
    p, q = client.hit("p!"), client.hit("q!")
    client.player.release(p)
    assert isinstance(client.find("x!"), Miss)
    client.player.release(q)
    assert client.play("x! p!") == "0 -"


def test_looking_ahead_moves_on_without_moving_the_tape() -> None:
    client = Client(TAPE)
    ahead = client.player.ahead()
    hits = []
    for ask in asks("s disconnect! s s"):
        found = find(client.player, client.index, ask.key, write=ask.write, ahead=ahead)
        assert isinstance(found, Hit)
        hits.append(found)
    assert [hit.index for hit in hits] == [0, 1, 2, 3]
    assert client.player.position is None
    assert client.play("s") == "0"
    for hit in hits:
        client.player.played(hit)
    assert client.play("s") == "4"


def test_looking_ahead_knows_what_has_played() -> None:
    client = Client("a a a")
    client.play("a")
    [ask] = asks("a")
    ahead = client.player.ahead()
    found = find(client.player, client.index, ask.key, write=False, ahead=ahead)
    assert isinstance(found, Hit)
    assert found.index == 1


def test_a_miss_names_interactions_where_batches_stand_before_them() -> None:
    client = Client("x!{a,b} p!")
    client.play("p!")
    assert client.find("p!") == Miss(reason=AlreadyPlayed(index=1, recorded=1, position=1))


@pytest.mark.parametrize(
    ("client", "left"),
    [
        pytest.param("x!", (2,), id="whole"),
        pytest.param("p! q! a", (2,), id="in-parts"),
        pytest.param("p! a", (0, 2), id="a-write-left"),
        pytest.param("p! q!", (0, 1, 2), id="a-read-left"),
        pytest.param("y", (0, 1), id="reads-whole"),
        pytest.param("b c", (0, 1), id="reads-in-parts"),
        pytest.param("b", (0, 1, 2), id="reads-in-part"),
    ],
)
def test_an_unused_batch_is_one_with_parts_left(client: str, left: tuple[int, ...]) -> None:
    session = Client("x!{p!,a,q!} a y{b,c}")
    session.play(client)
    assert unused(session.player, session.index) == left
