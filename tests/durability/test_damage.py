"""What others do to a recording's files while it runs, or to what a killed one left."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from commands import serving
from graphtape.tape.store import open_cassette, part_path
from proxies import RawServer
from recorded_place import Counter, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    counter = Counter()
    with RawServer(answer=counter) as upstream:
        yield Place(tmp_path, upstream, counter)


def damage(path: Path, at: float) -> bytes:
    """Flip bits in one byte, at a share of the file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0x5A
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("at", [0.4, 0.6, 0.8])
def test_what_stands_behind_damage_is_recovered_and_the_rest_kept(place: Place, at: float) -> None:
    place.kill("once", *"abcdefgh")
    left = damage(part_path(place.tape), at)
    served = place.record("new_episodes", "z")
    assert served.code == 1
    assert len(place.on_tape()) == 8  # seven of the eight, and the new one
    aside = place.folder / "t.yaml.part-damaged-1"
    assert aside.read_bytes() == left
    assert "7 interactions" in served.stderr
    assert aside.name in served.stderr


def test_a_damaged_first_record_loses_nothing(place: Place) -> None:
    place.kill("once", "a", "b")
    left = damage(part_path(place.tape), 0.05)
    served = place.record("once", "c")
    assert served.code == 1
    assert place.on_tape() == ["c3"]
    assert (place.folder / "t.yaml.part-damaged-1").read_bytes() == left


def test_damage_while_it_records_is_told_at_the_stop(place: Place) -> None:
    with serving("record", "t.yaml", "--upstream", place.upstream.url, cwd=place.folder) as served:
        place.ask(served.url, *"abcd")
        path = part_path(place.tape)
        with path.open("r+b") as file:
            file.seek(path.stat().st_size - 10)
            file.write(b"damage")
    assert served.code == 1
    assert place.on_tape() == ["a1", "b2", "c3"]
    assert "3 of 4 are now in t.yaml" in served.stderr
    assert (place.folder / "t.yaml.part-damaged-1").exists()


@pytest.mark.parametrize("mode", ["new_episodes", "all"])
def test_an_edit_made_while_it_records_stays(place: Place, mode: str) -> None:
    place.record("once", "a")
    arguments = ("--upstream", place.upstream.url, "--mode", mode)
    with serving("record", "t.yaml", *arguments, cwd=place.folder) as served:
        place.ask(served.url, "b")
        edited = place.tape.read_bytes().replace(b"version: 1", b"version: 1  # by hand")
        place.tape.write_bytes(edited)
    assert served.code == 1
    assert place.tape.read_bytes() == edited
    beside = place.folder / "t.yaml.new"
    shutil.copy(beside, place.folder / "new.yaml")
    new = open_cassette(place.folder / "new.yaml").interactions
    assert [each.response.body for each in new][-1:] == [b'{"n": 2}']
    assert "t.yaml.new" in served.stderr


def test_a_cassette_that_appears_while_it_records_stays(place: Place) -> None:
    (place.folder / "t.yaml.new").write_text("somebody's")
    with serving("record", "t.yaml", "--upstream", place.upstream.url, cwd=place.folder) as served:
        place.ask(served.url, "a")
        place.tape.write_text("interactions: []\nversion: 1\n")
    assert served.code == 1
    assert place.tape.read_text() == "interactions: []\nversion: 1\n"
    assert (place.folder / "t.yaml.new").read_text() == "somebody's"
    assert (place.folder / "t.yaml.new-1").exists()


def test_an_append_file_that_was_deleted_is_written_anew(place: Place) -> None:
    with serving("record", "t.yaml", "--upstream", place.upstream.url, cwd=place.folder) as served:
        place.ask(served.url, "a")
        part_path(place.tape).unlink()
        place.ask(served.url, "b")
    assert (served.code, place.on_tape()) == (0, ["a1", "b2"])
    assert not part_path(place.tape).exists()


def test_a_file_that_took_its_name_is_set_aside(place: Place) -> None:
    with serving("record", "t.yaml", "--upstream", place.upstream.url, cwd=place.folder) as served:
        place.ask(served.url, "a")
        part_path(place.tape).unlink()
        part_path(place.tape).write_text("somebody's")
    assert (served.code, place.on_tape()) == (0, ["a1"])
    assert (place.folder / "t.yaml.part-1").read_text() == "somebody's"


def test_a_folder_that_was_deleted_is_made_anew(place: Place) -> None:
    arguments = ("record", "sub/t.yaml", "--upstream", place.upstream.url)
    with serving(*arguments, cwd=place.folder) as served:
        place.ask(served.url, "a")
        shutil.rmtree(place.folder / "sub")
    assert served.code == 0
    assert len(open_cassette(place.folder / "sub" / "t.yaml").interactions) == 1
