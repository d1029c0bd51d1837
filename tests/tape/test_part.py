from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import istr

from graphtape.core.errors import CassetteError
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.tape.outcome import Mode
from graphtape.tape.digest import digest
from graphtape.tape.entry import settled
from graphtape.tape.long_body import WithLongBodies
from graphtape.tape.part import CHUNK, Part, set_aside
from graphtape.tape.record import SIGNATURE, Header, pack, unpack
from graphtape.tape.recovery import Gap, Recovered, recover
from graphtape.tape.store import open_cassette, part_path, save_cassette
from graphtape.tape.vcr_format import Metadata, dump, load

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
ABOUT = Metadata(graphtape="0", upstream="sandbox", recorded_at="2026-11-23T12:00:00Z", salt="s")
HEADER = Header(mode=Mode.ONCE, cassette="tape.yaml", base=digest(()), metadata=ABOUT)

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes, links and limits")


def interaction(number: int, body: bytes = b"{}") -> Interaction:
    return Interaction(
        request=Request(
            method="POST",
            url=f"https://graph.microsoft.com/v1.0/users/{number}",
            headers=Headers.of([("Accept", "a"), ("Accept", "b")]),
            body=b"asked",
        ),
        response=Response(
            status=201, reason="Created", headers=Headers.of([("Date", "then")]), body=body
        ),
    )


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tape.yaml"


@pytest.fixture
def part(tape: Path) -> Iterator[Part]:
    part = Part.create(tape, HEADER)
    yield part
    part.close()


def recovered(path: Path) -> Recovered:
    found = recover(path)
    assert found is not None
    return found


def test_what_was_appended_is_recovered_with_its_header(part: Part) -> None:
    part.append(1, interaction(1))
    part.append(2, interaction(2))
    found = recovered(part.path)
    assert (found.header, found.damaged, found.cut_off, found.uncommitted) == (
        HEADER,
        False,
        False,
        0,
    )
    assert [*found] == [interaction(1), interaction(2)]


def test_the_order_is_that_of_the_places(part: Part) -> None:
    for place in (2, 3, 1):
        part.append(place, interaction(place))
    assert [*recovered(part.path)] == [interaction(place) for place in (1, 2, 3)]


def test_the_file_lies_beside_the_cassette_in_a_folder_that_is_made(tmp_path: Path) -> None:
    part = Part.create(tmp_path / "deep" / "tape.yaml", HEADER)
    part.close()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["tape.yaml.part"]


@posix
def test_links_to_one_cassette_share_one_file(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "tape.yaml")
    assert part_path(tmp_path / "link.yaml") == part_path(tmp_path / "tape.yaml")


@posix
def test_only_its_owner_can_read_the_file(part: Part) -> None:
    assert stat.S_IMODE(part.path.stat().st_mode) == 0o600


def test_a_second_writer_is_refused(tape: Path, part: Part) -> None:
    part.append(1, interaction(1))
    with pytest.raises(CassetteError, match=r"tape\.yaml\.part: holds a recording that was not"):
        Part.create(tape, HEADER)
    assert [*recovered(part.path)] == [interaction(1)]


@pytest.mark.parametrize("left", [b"", SIGNATURE[:5], SIGNATURE, SIGNATURE + b"\x01\x00"])
def test_a_file_killed_before_its_header_is_replaced(left: bytes, tape: Path) -> None:
    part_path(tape).write_bytes(left)
    assert recover(part_path(tape)) is None
    Part.create(tape, HEADER).close()
    assert len(recovered(part_path(tape))) == 0


def test_a_file_of_something_else_is_refused_and_left_alone(tape: Path) -> None:
    part_path(tape).write_bytes(b"half a download")
    with pytest.raises(CassetteError, match=r"but it isn't one; move it away"):
        Part.create(tape, HEADER)
    assert part_path(tape).read_bytes() == b"half a download"


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Part.create(tmp_path / "file" / "tape.yaml", HEADER)


def test_no_file_is_nothing_to_recover(tmp_path: Path) -> None:
    assert recover(tmp_path / "tape.yaml.part") is None


def test_a_folder_of_the_name_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="is a folder"):
        recover(tmp_path)


def test_another_format_is_refused_with_the_way_out(tape: Path) -> None:
    later = Header(format=2, mode=Mode.ONCE, cassette="tape.yaml", base="", metadata=ABOUT)
    Part.create(tape, later).close()
    with pytest.raises(CassetteError, match=r"another version of Graphtape; recover it with that"):
        recover(part_path(tape))


def test_removing_leaves_nothing_behind(tmp_path: Path, part: Part) -> None:
    part.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_aside_takes_the_next_free_name(tape: Path) -> None:
    names = []
    for number in range(2):
        part = Part.create(tape, HEADER)
        part.append(1, interaction(number))
        part.close()
        names.append(set_aside(part.path).name)
    assert names == ["tape.yaml.part-1", "tape.yaml.part-2"]
    assert [*recovered(tape.with_name(names[1]))] == [interaction(1)]
    assert not part_path(tape).exists()


text = st.text(st.characters(codec=None), max_size=20)
fields = st.lists(st.tuples(text, text), max_size=4).map(Headers.of)


@given(
    st.builds(
        Interaction,
        request=st.builds(Request, method=text, url=text, headers=fields, body=st.binary()),
        response=st.builds(
            Response,
            status=st.integers(100, 599),
            reason=text,
            headers=fields,
            body=st.binary(),
        ),
    )
)
def test_any_interaction_comes_back_as_it_was(any_one: Interaction) -> None:
    assert unpack(pack(any_one)) == any_one


def test_header_names_of_aiohttp_come_back_as_plain_text(part: Part) -> None:
    headers = Headers.of([(istr("Retry-After"), "1")])
    part.append(1, Interaction(request=interaction(1).request, response=Response(status=429)))
    part.append(
        2,
        Interaction(request=interaction(1).request, response=Response(status=429, headers=headers)),
    )
    second = [*recovered(part.path)][1]
    assert [type(name) for name, _ in second.response.headers] == [str]


def test_streamed_bodies_are_put_together_in_front_of_what_is_committed(part: Part) -> None:
    one, two = part.begin(1), part.begin(2)
    one.write_request(b"as")
    one.write(b"on")
    two.write(b"tw")
    one.write(b"e")
    two.commit(interaction(2, b"o"))
    one.write_request(b"k")
    one.commit(interaction(1, b"!"))
    first, second = recovered(part.path)
    assert (first.request.body, first.response.body) == (b"askasked", b"one!")
    assert (second.request.body, second.response.body) == (b"asked", b"two")


def test_a_stream_that_was_not_committed_is_passed_over_and_counted(part: Part) -> None:
    aborted, running, done = part.begin(1), part.begin(2), part.begin(3)
    for stream in (aborted, running, done):
        stream.write(b"x")
    aborted.abort()
    done.commit(interaction(3, b""))
    found = recovered(part.path)
    assert [each.response.body for each in found] == [b"x"]
    assert found.uncommitted == 2


def test_a_stream_that_is_over_takes_no_more(part: Part) -> None:
    stream = part.begin(1)
    stream.abort()
    with pytest.raises(OSError, match="ended before"):
        stream.commit(interaction(1))
    assert len(recovered(part.path)) == 0


def test_a_large_interaction_lies_in_several_records(part: Part) -> None:
    body = random.Random(0).randbytes(2 * CHUNK + 5)
    part.append(1, interaction(1, body))
    part.append(2, interaction(2))
    assert [*recovered(part.path)] == [interaction(1, body), interaction(2)]


def test_memory_does_not_grow_with_a_streamed_body(part: Part) -> None:
    chunk = bytes(64 * 1024)
    tracemalloc.start()
    stream = part.begin(1)
    for _ in range(64 * MIB // len(chunk)):
        stream.write(chunk)
    stream.commit(interaction(1, b""))
    found = recovered(part.path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 1
    assert part.path.stat().st_size > 64 * MIB
    assert peak < 4 * MIB


def test_bodies_are_read_one_interaction_at_a_time(part: Part) -> None:
    for place in range(16):
        part.append(place, interaction(place, bytes(2 * MIB)))
    found = recovered(part.path)
    tracemalloc.start()
    for _ in found:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * MIB


def test_a_file_cut_anywhere_in_its_last_record_keeps_those_before(part: Part) -> None:
    part.append(1, interaction(1))
    before = part.path.stat().st_size
    part.append(2, interaction(2))
    whole = part.path.read_bytes()
    for cut in range(before + 1, len(whole)):
        part.path.write_bytes(whole[:cut])
        found = recovered(part.path)
        assert [*found] == [interaction(1)]
        assert (found.cut_off, found.damaged) == (True, False)


def test_reading_goes_on_behind_any_flipped_byte(part: Part) -> None:
    part.append(1, interaction(1))
    start = part.path.stat().st_size
    part.append(2, interaction(2))
    end = part.path.stat().st_size
    part.append(3, interaction(3))
    whole = part.path.read_bytes()
    for at in range(start, end):
        part.path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        found = recovered(part.path)
        assert [*found] == [interaction(1), interaction(3)]
        assert found.gaps == (Gap(start, end - start),)


def test_a_tail_of_zeros_that_a_power_loss_leaves_is_passed_over(part: Part) -> None:
    part.append(1, interaction(1))
    with part.path.open("ab") as file:
        file.write(bytes(5000))
    found = recovered(part.path)
    assert [*found] == [interaction(1)]
    assert (found.cut_off, found.damaged) == (True, False)


@pytest.mark.parametrize("cut", [1, 7, 21, 40])
@pytest.mark.parametrize("put", [b"", b"\1", bytes(300), b"\3" * 50])
def test_bytes_taken_out_or_put_in_cost_one_record(part: Part, cut: int, put: bytes) -> None:
    starts = []
    for place in range(1, 13):
        starts.append(part.path.stat().st_size)
        part.append(place, interaction(place))
    whole = part.path.read_bytes()
    for lost in (2, 7):
        at = starts[lost - 1]
        part.path.write_bytes(whole[:at] + put + whole[at + cut :])
        found = recovered(part.path)
        assert [*found] == [interaction(n) for n in range(1, 13) if n != lost]
        assert found.damaged


def test_records_inside_a_body_are_not_taken_for_records(part: Part) -> None:
    part.append(1, interaction(1))
    inside = part.path.read_bytes()
    at = part.path.stat().st_size + 60
    part.append(2, interaction(2, inside))
    part.append(3, interaction(3))
    whole = bytearray(part.path.read_bytes())
    whole[at] ^= 1
    part.path.write_bytes(whole)
    assert [*recovered(part.path)] == [interaction(1), interaction(3)]


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_a_body_with_a_damaged_chunk_is_lost_whole_and_counted(part: Part, chunk: int) -> None:
    starts = []
    stream = part.begin(1)
    for number in range(3):
        starts.append(part.path.stat().st_size)
        stream.write(b"%d" % number * 500)
    stream.commit(interaction(1, b""))
    part.append(2, interaction(2))
    whole = bytearray(part.path.read_bytes())
    whole[starts[chunk]] ^= 0xFF
    part.path.write_bytes(whole)
    found = recovered(part.path)
    assert ([*found], found.lost) == ([interaction(2)], 1)


def test_a_damaged_header_is_an_error_that_names_the_file(part: Part) -> None:
    part.append(1, interaction(1))
    data = bytearray(part.path.read_bytes())
    data[len(SIGNATURE) + 30] ^= 1
    part.path.write_bytes(data)
    with pytest.raises(CassetteError, match=r"tape\.yaml\.part: .*first record is damaged"):
        recover(part.path)


def test_the_summary_says_what_is_there_and_what_is_lost(part: Part) -> None:
    part.append(1, interaction(1))
    part.begin(2).write(b"x")
    part.append(3, interaction(3))
    part.path.write_bytes(part.path.read_bytes()[:-1])
    assert recovered(part.path).summary() == (
        f"{part.path}: 1 interactions of a recording that was not saved; 1 more were cut off in "
        "the middle of a body; another was cut off while it was written"
    )


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    import resource  # noqa: PLC0415 - POSIX alone has it

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@posix
def test_a_record_that_no_longer_fits_is_taken_back_and_later_ones_stay_readable(
    part: Part,
) -> None:
    part.append(1, interaction(1))
    size = part.path.stat().st_size
    with files_no_larger_than(size + 1000):
        with pytest.raises(OSError, match="large"):
            part.append(2, interaction(2, bytes(5000)))
        assert part.path.stat().st_size == size
        part.append(3, interaction(3))
    part.append(4, interaction(4))
    found = recovered(part.path)
    assert [*found] == [interaction(1), interaction(3), interaction(4)]
    assert not found.damaged


@posix
def test_a_stream_with_a_hole_is_not_committed(part: Part) -> None:
    stream = part.begin(1)
    stream.write(b"x")
    no_room = files_no_larger_than(part.path.stat().st_size + 100)
    with no_room, pytest.raises(OSError, match="large"):
        stream.write(bytes(5000))
    with pytest.raises(OSError, match="large"):
        stream.commit(interaction(1))
    found = recovered(part.path)
    assert (len(found), found.uncommitted, found.damaged) == (0, 1, False)


@posix
def test_a_file_without_room_for_its_header_is_not_left_behind(tape: Path) -> None:
    with files_no_larger_than(20), pytest.raises(OSError, match="large"):
        Part.create(tape, HEADER)
    assert not part_path(tape).exists()


def test_what_was_appended_can_be_synced(part: Part) -> None:
    part.append(1, interaction(1))
    part.sync()
    assert len(recovered(part.path)) == 1


def test_a_recording_is_missing_from_the_cassette_it_was_for(tape: Path) -> None:
    save_cassette(tape, [interaction(1)], metadata=ABOUT)
    old = open_cassette(tape).interactions
    base = digest(old)
    part = Part.create(
        tape, Header(mode=Mode.NEW_EPISODES, cassette="tape.yaml", base=base, metadata=ABOUT)
    )
    part.append(1, interaction(2))
    part.close()
    missing = recovered(part.path).missing_from(old)
    assert missing == (settled(interaction(2)),)
    save_cassette(tape, (*old, *missing), metadata=ABOUT)
    assert recovered(part.path).missing_from(open_cassette(tape).interactions) == ()


def test_a_recording_is_missing_from_a_cassette_edited_since(part: Part) -> None:
    part.append(1, interaction(1))
    missing = recovered(part.path).missing_from([interaction(7), interaction(8)])
    assert missing == (settled(interaction(1)),)


RECORDER = """
import random, sys
from pathlib import Path
from test_part import HEADER, interaction
from graphtape.tape.part import Part

part = Part.create(Path(sys.argv[1]), HEADER)
dice = random.Random(int(sys.argv[2]))
for place in range(1, 1_000_000):
    body = b"%d:" % place + bytes(dice.choice((0, 1000, 300_000, 1_500_000)))
    if dice.random() < 0.3:
        stream = part.begin(place)
        for start in range(0, len(body), 50_000):
            stream.write(body[start:start + 50_000])
        stream.commit(interaction(place, b""))
    else:
        part.append(place, interaction(place, body))
    print(place, flush=True)
"""


@pytest.mark.parametrize("moment", range(10))
def test_what_was_acknowledged_survives_sigkill(moment: int, tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(tape), str(moment)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline())]
        deadline = time.monotonic() + random.Random(moment).uniform(0, 0.08)
        while time.monotonic() < deadline:
            acknowledged.append(int(process.stdout.readline()))
        process.kill()
        acknowledged += map(int, process.stdout)
    found = recovered(part_path(tape))
    bodies = [each.response.body.partition(b":")[0] for each in found]
    assert bodies == [b"%d" % place for place in range(1, len(bodies) + 1)]
    assert acknowledged[-1] <= len(bodies) <= acknowledged[-1] + 1
    assert not found.damaged


def test_long_bodies_are_left_in_the_file_until_they_are_written(part: Part) -> None:
    asked = ("é" + "words, " * 9).encode() * 20_000
    long = interaction(2, bytes(range(256)) * 8192)
    long = replace(long, request=replace(long.request, body=asked))
    part.append(1, interaction(1))
    part.append(2, long)
    found = recovered(part.path)
    first, second = found.long_apart()
    assert first == interaction(1)
    assert isinstance(second, WithLongBodies)
    assert second.interaction.request.body == second.interaction.response.body == b""
    for body, expected in ((second.asked, asked), (second.answered, long.response.body)):
        assert body is not None
        assert b"".join(body.pieces()) == expected
        assert max(map(len, body.pieces())) <= CHUNK
    apart = b"".join(dump(found.long_apart(), metadata=ABOUT))
    assert apart == b"".join(dump(found, metadata=ABOUT))
    assert load(apart, name="t").interactions == tuple(map(settled, found))
