"""Real recordings, replayed by clients that poll more or less often than the recorded one."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.core.graph.local_url import localise
from graphtape.core.journal import Source
from graphtape.core.matching.key import Key, key_of, writes
from graphtape.core.message import Headers, Interaction, Response
from graphtape.tape.store import open_cassette
from proxies import SHARED, needs_recordings, replaying
from unused import left_unused

if TYPE_CHECKING:
    from pathlib import Path

    from proxies import Running

pytestmark = needs_recordings

REFUSED = frozenset({"vcrpy_old_cassette.json", "vcrpy_old_cassette.yaml"})
TAPES = [path for path in sorted(SHARED.glob("*/*.*")) if path.name not in REFUSED]
EVERY_TAPE = pytest.mark.parametrize("path", TAPES, ids=lambda path: path.name)
FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True)
class Interval:
    """Reads that follow each other on tape.

    Attributes:
        write: That they follow; None before the first.
        start, end: From, and up to but not including.
    """

    write: int | None
    start: int
    end: int


class Tape:
    """A recording, cut at its writes: the judge of what is replayed."""

    def __init__(self, path: Path) -> None:
        self.interactions: tuple[Interaction, ...] = open_cassette(path).interactions
        self.keys = [key_of(each.request) for each in self.interactions]
        size = len(self.keys)
        changing = [n for n, each in enumerate(self.interactions) if writes(each.request)]
        self.intervals = [Interval(None, 0, changing[0] if changing else size)]
        for write, end in zip(changing, [*changing[1:], size], strict=False):
            self.intervals.append(Interval(write, write + 1, end))
        self.reads: dict[Key, list[int]] = {}
        for number in sorted(set(range(size)) - set(changing)):
            self.reads.setdefault(self.keys[number], []).append(number)

    def polls(self, interval: Interval) -> Counter[Key]:
        """Count how often each read was recorded between two writes."""
        return Counter(self.keys[interval.start : interval.end])

    def possible(self, key: Key, interval: Interval) -> list[int]:
        """Return which answers a read may get between two writes, in their order."""
        recorded = self.reads[key]
        inside = [number for number in recorded if interval.start <= number < interval.end]
        before = recorded[: bisect_left(recorded, interval.start)]
        return inside or before[-1:] or recorded[:1]


class Client:
    """Sends what was recorded, as often as it is told."""

    def __init__(self, tape: Tape, proxy: Running) -> None:
        self.tape = tape
        self.url = proxy.url
        self.session = requests.Session()

    def play(self, wanted: list[dict[Key, int]]) -> None:
        """Play the writes in their order, and after each its reads, which take turns."""
        for interval, polls in zip(self.tape.intervals, wanted, strict=True):
            if interval.write is not None:
                assert self.ask(interval.write) == interval.write
            seen: dict[Key, list[int]] = {key: [] for key in polls}
            for turn in range(max(polls.values(), default=0)):
                for key in (key for key, times in polls.items() if turn < times):
                    seen[key].append(self.ask(self.tape.reads[key][0]))
            for key, answers in seen.items():
                assert answers == sorted(answers), "an answer went back"
                # None is skipped, and none comes from behind the next write.
                possible = self.tape.possible(key, interval)
                assert sorted(set(answers)) == possible[: len(answers)]

    def ask(self, number: int) -> int:
        """Send a recorded request; return the index of what answered it."""
        recorded = self.tape.interactions[number].request
        link = Response(status=302, headers=Headers.of([("Location", recorded.url)]))
        url = localise(link, self.url).headers.get("Location")
        assert url is not None
        got = self.session.request(
            recorded.method,
            url,
            data=recorded.body,
            headers={n: v for n, v in recorded.headers if n.lower() not in FRAMING},
            allow_redirects=False,
            timeout=10,
        )
        assert got.headers["Graphtape-Result"] == "replayed", got.text
        index = int(got.headers["Graphtape-Interaction"])
        assert self.tape.keys[index] == self.tape.keys[number]
        assert got.status_code == self.tape.interactions[index].response.status
        return index


@EVERY_TAPE
@pytest.mark.parametrize("times", [0, 1, 3, 10])
def test_however_often_a_client_polls_it_sees_what_the_writes_allow(path: Path, times: int) -> None:
    tape = Tape(path)
    wanted = [
        {key: times if times != count else times + 1 for key, count in tape.polls(each).items()}
        for each in tape.intervals
    ]
    with replaying(path) as proxy:
        Client(tape, proxy).play(wanted)
        unused = left_unused(proxy.proxy.outcome.session)
    assert {entry.source for entry in proxy.entries} <= {Source.REPLAYED}
    asked = {key for polls in wanted for key, number in polls.items() if number}
    never = {number for key in tape.reads.keys() - asked for number in tape.reads[key]}
    assert {number for each in unused.values() for number in each} == never


@EVERY_TAPE
def test_a_client_that_asks_everything_all_the_time_sees_what_the_writes_allow(path: Path) -> None:
    tape = Tape(path)
    with replaying(path) as proxy:
        Client(tape, proxy).play([dict.fromkeys(tape.reads, 2) for _ in tape.intervals])
        assert not left_unused(proxy.proxy.outcome.session)
    assert {entry.source for entry in proxy.entries} == {Source.REPLAYED}
