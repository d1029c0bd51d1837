"""The compiled index of a large tape plays as the cassette does, and is never believed blindly."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphtape.core.errors import RequestError
from graphtape.core.matching.key import MatchOptions
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Policy, Redactor
from graphtape.core.tape.outcome import Assemble, Mode, Replay
from graphtape.core.tape.position import Hit, Order
from graphtape.core.tape.recording import Recording
from graphtape.core.tape.session import Session
from graphtape.tape import store
from graphtape.tape.cache import compiled as compiled_tape
from graphtape.tape.cache import folder as cache_folder
from graphtape.tape.cache import load_compiled, opening, packing
from graphtape.tape.cache.compiler import Compiler
from graphtape.tape.cache.folder import Folder
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Cassette, Metadata
from proxies import SHARED, needs_recordings
from tapes import exchanged
from unused import unused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from graphtape.tape.loaded import Loaded

SALT = "0123456789abcdef"
METADATA = Metadata(
    graphtape="0.1.0", upstream="sandbox", recorded_at="2026-11-23T12:00:00Z", salt=SALT
)
GRAPH = "https://graph.microsoft.com/beta"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compile whatever its size, into a folder of the test's own."""
    monkeypatch.setattr(store, "LARGE", 0)
    monkeypatch.setenv("GRAPHTAPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GRAPHTAPE_SALT", raising=False)
    return tmp_path / "cache"


def salt_of(metadata: Metadata | None) -> str:
    return (metadata.salt if metadata else "") or os.environ.get("GRAPHTAPE_SALT") or "made-up"


def opened(path: Path, options: MatchOptions = MatchOptions(), policy: Policy = Policy()) -> Loaded:  # noqa: B008 - frozen
    found = load_compiled(path, name=str(path), policy=policy, salt=salt_of, options=options)
    assert found is not None
    return found


def fresh(path: Path) -> Recording:
    """Index a cassette without any cache."""
    cassette = open_cassette(path)
    return Recording.of(
        cassette.interactions,
        name=str(path),
        upstream=cassette.metadata.upstream if cassette.metadata else None,
        redactor=Redactor(salt=salt_of(cassette.metadata), policy=Policy()),
        options=MatchOptions(),
    )


def kept(folder: Path) -> Path:
    (path,) = folder.glob("*.tape")
    return path


def interaction(method: str, path: str, answer: str = "{}", body: bytes = b"") -> Interaction:
    return Interaction(
        request=Request(
            method=method,
            url=path if "://" in path else GRAPH + path,
            headers=Headers.of([("Content-Type", "application/json")] if body else []),
            body=body,
        ),
        response=Response(
            status=200,
            reason="OK",
            headers=Headers.of([("Content-Type", "application/json")]),
            body=answer.encode(),
        ),
    )


def batch(*parts: tuple[str, str]) -> Interaction:
    requests = [{"id": str(n), "method": m, "url": p} for n, (m, p) in enumerate(parts)]
    answers = [{"id": str(n), "status": 200, "body": {"n": n}} for n in range(len(parts))]
    return interaction(
        "POST",
        "/$batch",
        json.dumps({"responses": answers}),
        json.dumps({"requests": requests}).encode(),
    )


def saved(path: Path, *interactions: Interaction, metadata: Metadata | None = METADATA) -> Path:
    save_cassette(path, interactions, metadata=metadata)
    return path


def plain_tape(tmp_path: Path) -> Path:
    return saved(
        tmp_path / "d.yaml",
        interaction("GET", "/me", '{"n": 1}'),
        interaction("PATCH", "/me", body=b'{"displayName": "A"}'),
        interaction("GET", "/me", '{"n": 2}'),
        batch(("GET", "/me"), ("DELETE", "/users/a")),
        interaction("GET", "https://blob.example.com/file"),
    )


def same(one: Recording, other: Recording) -> None:
    """Two recordings hold the same and find the same."""
    assert tuple(one.interactions) == tuple(other.interactions)
    assert (one.name, one.upstream, one.origins) == (other.name, other.upstream, other.origins)
    assert dict(one.parts) == dict(other.parts)
    for here, there in ((one.index, other.index), (one.playable, other.playable)):
        assert {k: tuple(v) for k, v in here.answers.items()} == {
            k: tuple(v) for k, v in there.answers.items()
        }
        assert list(here.answers) == list(there.answers)
        assert [tuple(v) for v in here.answers.values()] == [
            tuple(v) for v in there.answers.values()
        ]
        assert len(here.answers) == len(there.answers)
        assert tuple(here.writes) == tuple(there.writes)
        assert here.size == there.size
        assert dict(here.parts) == dict(there.parts)
        assert {k: tuple(v) for k, v in here.batches.items()} == {
            k: tuple(v) for k, v in there.batches.items()
        }
        assert {k: tuple(v) for k, v in here.lines.items()} == {
            k: tuple(v) for k, v in there.lines.items()
        }
        slots = range(here.size)
        assert [here.interactions[s] for s in slots] == [there.interactions[s] for s in slots]


def asked_of(tape: tuple[Interaction, ...]) -> list[Request]:
    """Ask all of a tape in order, again, backwards, and what isn't on it."""
    requests = [each.request for each in tape]
    parts = [
        replace(each, url=f"{GRAPH}/me", method=method, body=b"")
        for each in requests[:1]
        for method in ("GET", "DELETE")
    ]
    return [*requests, *requests, *reversed(requests), *parts, Request(method="GET", url=GRAPH)]


def plays(recording: Recording, requests: list[Request], order: Order) -> list[object]:
    """Tell what a session plans for requests, each played before the next one comes."""
    session = Session.over([recording], mode=Mode.NONE, order=order)
    told: list[object] = []
    for request in requests:
        try:
            plan = session.decide(session.compile(request))
        except RequestError as exc:
            told.append(str(exc))
            continue
        match plan:
            case Replay() | Assemble():
                told.append(_plain(plan))
                session.played(plan)
            case _:
                told.append(_plain(plan))
    (playback,) = session.playbacks
    return [*told, unused(playback.player, playback.recording.playable)]


def _plain(tree: object) -> object:
    """Write a plan as plain values: recordings by name, slots of a key as a tuple."""
    if isinstance(tree, Hit):
        return ("hit", tree.index, tree.part, tree.slot, tree.how, tuple(tree.answers))
    if isinstance(tree, Recording):
        return tree.name
    if isinstance(tree, Replay):
        tree = [tree.answer, tree.request, tree.sent, tree.hit, tree.by_order]
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    if isinstance(tree, tuple | list | memoryview):
        return [_plain(each) for each in tree]
    slots = [n for kind in type(tree).__mro__ for n in getattr(kind, "__slots__", ())]
    if not slots or isinstance(tree, str | int | bytes):
        return tree
    named = (name for name in slots if name not in {"player", "playback"} and hasattr(tree, name))
    return {name: _plain(getattr(tree, name)) for name in named}


def plays_the_same(path: Path) -> None:
    reference, first, again = fresh(path), opened(path), opened(path)
    same(first.recording, reference)
    same(again.recording, reference)
    requests = asked_of(tuple(reference.interactions))
    for order in Order:
        expected = plays(reference, requests, order)
        assert plays(first.recording, requests, order) == expected
        assert plays(again.recording, requests, order) == expected


def real() -> list[Path]:
    found = [*SHARED.glob("azure-cli/*.yaml"), *SHARED.glob("quirks/*.yaml")]
    return sorted(path for path in found if path.name != "vcrpy_old_cassette.yaml")


@needs_recordings
@pytest.mark.parametrize("path", real(), ids=lambda path: path.stem)
def test_a_real_recording_plays_from_the_cache_as_from_its_file(path: Path) -> None:
    plays_the_same(path)


def test_batches_parts_and_hosts_off_graph_come_back(tmp_path: Path) -> None:
    path = plain_tape(tmp_path)
    plays_the_same(path)
    assert opened(path).recording.origins == {"https://blob.example.com"}


paths = st.sampled_from(["/me", "/users/a", "/users/ada@tenant.test", "/x%FF", "/ü", "/me?a=1&b="])
calls = st.tuples(st.sampled_from(["GET", "PATCH", "DELETE"]), paths)
entries = st.one_of(
    st.builds(lambda c, n: interaction(c[0], c[1], json.dumps(n)), calls, st.text(max_size=5)),
    st.builds(lambda parts: batch(*parts), st.lists(calls, min_size=1, max_size=4)),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tape=st.lists(entries, max_size=12))
def test_a_made_up_tape_plays_from_the_cache_as_from_its_file(
    tmp_path: Path, tape: list[Interaction]
) -> None:
    plays_the_same(saved(tmp_path / "tape.yaml", *tape))


def test_text_that_is_not_utf_8_comes_back(tmp_path: Path) -> None:
    odd = exchanged("GET", "/beta/me")
    asked = odd["request"]
    assert isinstance(asked, dict)
    asked["headers"] = {"X-Odd": [b"caf\xe9"]}
    path = tmp_path / "odd.yaml"
    path.write_text(yaml.safe_dump({"interactions": [odd], "version": 1}))
    plays_the_same(path)


def test_what_a_cassette_says_about_itself_comes_back(tmp_path: Path) -> None:
    path = plain_tape(tmp_path)
    path.write_text(path.read_text().replace("Interaction", "").replace("'{\"n\": 1}'", "'{}'", 1))
    cassette, first, again = open_cassette(path), opened(path), opened(path)
    for each in (first, again):
        assert (each.metadata, each.edited) == (cassette.metadata, cassette.edited)


def test_metadata_of_the_users_own_is_no_hindrance(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "d.yaml"
    save_cassette(
        path,
        [interaction("GET", "/me")],
        metadata=METADATA,
        other_metadata={"mine": {1: "x"}, "on": yaml.safe_load("2026-11-23")},
    )
    assert opened(path).metadata == open_cassette(path).metadata == opened(path).metadata
    assert len(list(folder.glob("*.tape"))) == 1


def test_the_second_opening_does_not_read_the_cassette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plain_tape(tmp_path)
    expected = tuple(opened(path).recording.interactions)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the cassette was parsed")

    monkeypatch.setattr(opening, "stream", refuse)
    monkeypatch.setattr(opening, "load", refuse)
    assert tuple(opened(path).recording.interactions) == expected


def test_a_small_cassette_is_not_compiled(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("GRAPHTAPE_CACHE_DIR", str(folder))
    path = plain_tape(tmp_path)
    options, policy = MatchOptions(), Policy()
    found = load_compiled(path, name="d", policy=policy, salt=salt_of, options=options)
    assert found is None
    assert not folder.exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"options": MatchOptions(ignore_query=("a",))}, id="match options"),
        pytest.param({"policy": Policy(keep_identities=True)}, id="redaction"),
    ],
)
def test_other_settings_make_another_index(
    tmp_path: Path, folder: Path, change: dict[str, object]
) -> None:
    path = plain_tape(tmp_path)
    opened(path)
    opened(path, **change)  # type: ignore[arg-type]
    assert len(list(folder.glob("*.tape"))) == 2


def test_an_edited_cassette_makes_another_index(tmp_path: Path, folder: Path) -> None:
    path = plain_tape(tmp_path)
    opened(path)
    saved(path, interaction("GET", "/other"))
    assert [each.request.url for each in opened(path).recording.interactions] == [f"{GRAPH}/other"]
    assert len(list(folder.glob("*.tape"))) == 2


def test_a_salt_from_the_environment_is_not_in_the_file(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(
        tmp_path / "d.yaml", interaction("GET", "/me"), metadata=replace(METADATA, salt="")
    )
    monkeypatch.setenv("GRAPHTAPE_SALT", "obviously-fake-salt")
    assert opened(path).recording.redactor.salt == "obviously-fake-salt"
    assert b"obviously-fake-salt" not in kept(folder).read_bytes()
    monkeypatch.setenv("GRAPHTAPE_SALT", "another-fake-salt")
    assert opened(path).recording.redactor.salt == "another-fake-salt"


def test_a_made_up_salt_is_used_again(tmp_path: Path) -> None:
    path = saved(tmp_path / "d.yaml", interaction("GET", "/users/ada@tenant.test"), metadata=None)
    salts = iter(["first", "second"])

    def opening_once() -> Recording:
        found = load_compiled(
            path, name="d", policy=Policy(), salt=lambda _: next(salts), options=MatchOptions()
        )
        assert found is not None
        return found.recording

    assert [opening_once().redactor.salt for _ in range(2)] == ["first", "first"]


def test_progress_ends_with_all_of_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "d.yaml", *(interaction("GET", f"/users/{n}") for n in range(500)))
    told: list[float] = []
    load_compiled(
        path,
        name="d",
        policy=Policy(),
        salt=salt_of,
        options=MatchOptions(),
        progress=lambda done, total: told.append(done / total),
    )
    assert told == sorted(told)
    assert (told[0] < 0.1, told[-1]) == (True, 1.0)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def in_the_head(data: bytes) -> bytes:
    return data[:60] + bytes([data[60] ^ 1]) + data[61:]


def of_another_version(data: bytes) -> bytes:
    return data.replace(b"graphtape tape 2\n", b"graphtape tape 3\n", 1)


def with_more(data: bytes) -> bytes:
    return data + b"x"


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    "damage", [truncated, flipped, in_the_head, of_another_version, with_more, emptied]
)
def test_a_damaged_file_is_ignored_told_and_written_anew(
    tmp_path: Path,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    path = plain_tape(tmp_path)
    opened(path)
    file = kept(folder)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    with caplog.at_level(logging.DEBUG, "graphtape"):
        same(opened(path).recording, fresh(path))
    assert f"{file}: not used" in caplog.text
    assert kept(folder).read_bytes() == whole


def test_a_file_under_another_ones_name_is_ignored(tmp_path: Path, folder: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    opened(saved(first, interaction("GET", "/a")))
    stray = kept(folder).read_bytes()
    kept(folder).unlink()
    opened(saved(second, interaction("GET", "/b")))
    kept(folder).write_bytes(stray)
    same(opened(second).recording, fresh(second))


posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights as POSIX has them")


@posix
def test_a_file_that_others_can_write_is_ignored(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = plain_tape(tmp_path)
    opened(path)
    kept(folder).chmod(0o666)
    with caplog.at_level(logging.DEBUG, "graphtape"):
        same(opened(path).recording, fresh(path))
    assert "others can write it" in caplog.text


@posix
def test_another_users_file_is_ignored(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plain_tape(tmp_path)
    opened(path)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with caplog.at_level(logging.DEBUG, "graphtape"):
        same(opened(path).recording, fresh(path))
    assert "others can write it" in caplog.text
    assert kept(folder).is_file()


@posix
@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_is_ignored(tmp_path: Path, folder: Path, kind: str) -> None:
    path = plain_tape(tmp_path)
    opened(path)
    file = kept(folder)
    whole = file.rename(tmp_path / "whole")
    match kind:
        case "folder":
            file.mkdir()
        case "link":
            file.symlink_to(whole)
        case _:
            os.mkfifo(file)
    same(opened(path).recording, fresh(path))


@posix
def test_files_are_the_users_alone(tmp_path: Path, folder: Path) -> None:
    opened(plain_tape(tmp_path))
    assert (folder.stat().st_mode & 0o777, kept(folder).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file where the folder should be")
    path = plain_tape(tmp_path)
    with caplog.at_level(logging.DEBUG, "graphtape"):
        same(opened(path).recording, fresh(path))
    assert "not kept" in caplog.text


RACER = """
import sys
from pathlib import Path
from graphtape.core.matching.key import MatchOptions
from graphtape.core.redaction import Policy
from graphtape.tape import store
from graphtape.tape.cache import load_compiled
store.LARGE = 0
sys.stdin.read()
played = load_compiled(Path(sys.argv[1]), name="d", policy=Policy(),
    salt=lambda m: m.salt, options=MatchOptions()).recording
print(len(played.interactions), len(played.index.answers))
"""


def test_eight_processes_at_once_do_no_harm(tmp_path: Path, folder: Path) -> None:
    path = saved(tmp_path / "d.yaml", *(interaction("GET", f"/users/{n}") for n in range(300)))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    told = []
    for racer in racers:
        assert racer.stdout is not None
        with racer.stdout as out:
            told.append(out.read().strip())
        assert racer.wait(60) == 0
    assert told == ["300 300"] * 8
    assert [file.suffix for file in folder.iterdir()] == [".tape"]
    same(opened(path).recording, fresh(path))


def test_what_was_used_longest_ago_is_removed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_folder, "_MOST_FILES", 2)
    tapes = [saved(tmp_path / f"{n}.yaml", interaction("GET", f"/{n}")) for n in range(3)]
    files: list[Path] = []
    for number, tape in enumerate(tapes[:2]):
        before = set(folder.glob("*")) if folder.exists() else set()
        opened(tape)
        (new,) = set(folder.glob("*")) - before
        os.utime(new, (number, number))
        files.append(new)
    opened(tapes[0])  # in use, so that the second is the oldest
    draft = folder / "left.draft"
    draft.write_bytes(b"by a process that died")
    os.utime(draft, (1, 1))
    stranger = folder / "notes.txt"
    stranger.write_text("the user's own")
    opened(tapes[2])
    assert files[0].exists()
    assert not files[1].exists()
    assert not draft.exists()
    assert stranger.exists()


def work(recording: Recording, requests: list[Request]) -> int:
    """Count the calls, Python's and C's, that planning takes; no clock is asked."""
    session = Session.over([recording], mode=Mode.NONE, order=Order.POSITION)
    for request in requests:  # so that what is remembered is
        session.decide(session.compile(request))
    count = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        for request in requests:
            plan = session.decide(session.compile(request))
            assert isinstance(plan, Replay)
    finally:
        sys.setprofile(None)
    return count


def compiled(tape: list[Interaction], *, redactor: Redactor) -> Recording:
    compiler = Compiler()
    for each in tape:
        compiler.add(each)
    made = compiler.compiled(
        Cassette(interactions=()), redactor=redactor, options=MatchOptions(), made_up_salt=""
    )
    return made.recording(name="d", redactor=redactor, options=MatchOptions())


def indexed(tape: list[Interaction], *, redactor: Redactor) -> Recording:
    return Recording.of(tape, name="d", redactor=redactor, options=MatchOptions())


@pytest.mark.parametrize("source", [indexed, compiled])
def test_a_request_takes_no_more_work_on_a_longer_tape(
    source: Callable[..., Recording],
) -> None:
    counts = []
    for size in (100, 10_000):
        tape = [interaction("GET", f"/users/{n % (size // 2)}") for n in range(size)]
        often = [interaction("GET", "/me", str(n)) for n in range(size)]
        requests = [tape[n].request for n in (0, 7, 49)] + [often[0].request] * 3
        recording = source([*tape, *often], redactor=Redactor(salt=SALT))
        counts.append(work(recording, requests))
    assert counts[0] == counts[1]


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "d.yaml", *(interaction("GET", f"/users/{n}") for n in range(50)))
    opened(path)
    read: list[int] = []
    unpack = packing.unpack_interaction

    def counted(data: memoryview) -> Interaction:
        read.append(len(data))
        return unpack(data)

    monkeypatch.setattr(compiled_tape, "unpack_interaction", counted)
    recording = opened(path).recording
    assert recording.interactions[7].request.url.endswith("/users/7")
    assert recording.interactions[-1] == recording.interactions[49]
    assert len(read) == 2


def test_the_folder_is_the_platforms_own_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHTAPE_CACHE_DIR")
    assert Folder.of_user().path.name in {"graphtape", "Cache"}
