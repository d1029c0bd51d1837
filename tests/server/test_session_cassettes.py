"""Which files a session may record into, and what is said of one that another records into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

import graphtape
from control_api import controlled
from graphtape import runner
from graphtape.core.tape.outcome import Mode
from graphtape.settings import Settings
from proxies import AUTH
from tapes import exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = "interactions:\n- request:\n    body: null\n    headers"
SCRIPT = "#!/bin/sh\necho precious\n"


class Recording:
    """A proxy that records, and whose sessions may; `notes` are what it tells its user."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self.folder = folder
        self.proxy = runner.Proxy(
            settings=Settings(listen="127.0.0.1:0", control="127.0.0.1:0", upstream="sandbox"),
            cassettes=(folder / "own.yaml",),
            mode=Mode.ONCE,
            folder=folder,
            on_note=self.notes.append,
        )
        self.url = ""

    @property
    def control(self) -> str:
        return str(self.proxy.addresses.control)

    def open(self, cassette: str, mode: str, **wish: str) -> tuple[int, str]:
        """Open a session; return the status, and what is wrong or where it is."""
        sent = {"cassettes": cassette, "mode": mode, **wish}
        got = requests.post(f"{self.control}/sessions", json=sent, timeout=5)
        tree = got.json()
        return got.status_code, tree["error"]["message"] if "error" in tree else tree["base_url"]


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Recording]:
    """Record."""
    running = Recording(tmp_path)
    with runner.InThread(running.proxy):
        yield running


@pytest.mark.parametrize("mode", ["all", "once", "new_episodes"])
@pytest.mark.parametrize("name", ["precious.sh", "precious", "t.json"])
def test_only_yaml_files_are_recorded_into(proxy: Recording, name: str, mode: str) -> None:
    (proxy.folder / name).write_text(SCRIPT)
    status, why = proxy.open(name, mode)
    assert status == 409
    assert "only YAML cassettes are written" in why
    assert ".yaml" in why
    assert (proxy.folder / name).read_text() == SCRIPT
    assert [each.name for each in proxy.folder.glob("*.part")] == ["own.yaml.part"]


@pytest.mark.parametrize(
    "text", ["services:\n  web:\n    image: x\n", "version: 1\n", "\x01\x02", "# a comment\n"]
)
def test_mode_all_replaces_nothing_that_was_never_a_cassette(proxy: Recording, text: str) -> None:
    file = proxy.folder / "compose.yaml"
    file.write_text(text)
    status, why = proxy.open("compose.yaml", "all")
    assert status == 409
    assert "is no cassette" in why
    assert file.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        OURS,
        "interacti",
        "",
        "\0" * 64,
        "version: 1\ninteractions: [",
        '{"interactions": [',
        "\ufeffinteractions:\n- {",
    ],
    ids=["truncated", "cut-in-the-key", "empty", "zeros", "version-first", "json", "bom"],
)
def test_mode_all_replaces_a_damaged_cassette(proxy: Recording, text: str) -> None:
    file = proxy.folder / "t.yaml"
    file.write_text(text, encoding="utf-8")
    status, base = proxy.open("t.yaml", "all", id="a")
    assert status == 201, base
    requests.get(f"{base}/v1.0/me", headers=AUTH, timeout=5)
    assert requests.delete(f"{proxy.control}/sessions/a", timeout=5).status_code == 200
    assert "https://graph.microsoft.com/v1.0/me" in file.read_text()


def test_python_refuses_another_suffix_too(tmp_path: Path) -> None:
    (tmp_path / "precious.sh").write_text(SCRIPT)
    with (
        pytest.raises(graphtape.UsageError, match=r"record into .*precious\.yaml"),
        graphtape.record(tmp_path / "precious.sh", upstream="sandbox", mode="all"),
    ):
        raise AssertionError("it started")


def test_a_second_session_into_one_cassette_is_told_which_proxy_has_it(proxy: Recording) -> None:
    assert proxy.open("t.yaml", "once", id="a")[0] == 201
    status, why = proxy.open("t.yaml", "once")
    assert status == 409
    assert "another session of this proxy is recording into it; DELETE that one first" in why
    assert requests.delete(f"{proxy.control}/sessions/a", timeout=5).status_code == 200
    assert proxy.open("t.yaml", "once")[0] == 201


def test_what_is_being_recorded_is_no_leftover(proxy: Recording) -> None:
    _, base = proxy.open("t.yaml", "once", id="a")
    requests.get(f"{base}/v1.0/me", headers=AUTH, timeout=5)
    status, why = proxy.open("t.yaml", "none")
    assert status == 404
    assert "another session of this proxy is recording it" in why
    requests.delete(f"{proxy.control}/sessions/a", timeout=5)
    assert proxy.open("t.yaml", "new_episodes", id="a")[0] == 201
    assert proxy.open("t.yaml", "none")[0] == 201
    assert any("another session of this proxy records into it" in note for note in proxy.notes)
    assert not any("was not saved" in note for note in proxy.notes)


@pytest.mark.parametrize("name", ["", "a\0b"], ids=["empty", "nul"])
async def test_what_is_no_path_is_a_bad_request(tmp_path: Path, name: str) -> None:
    async with controlled(taped(tmp_path, exchanged("GET", "/v1.0/me"))) as control:
        for said in (name, [name]):
            response = await control.ask("POST", "/sessions", json={"cassettes": said})
            assert response.status == 400
            assert "is no path" in (await response.json())["error"]["message"]


async def test_a_name_no_file_can_have_is_refused_and_fails_nothing(tmp_path: Path) -> None:
    async with controlled(taped(tmp_path, exchanged("GET", "/v1.0/me"))) as control:
        response = await control.ask("POST", "/sessions", json={"cassettes": "x" * 5000})
        assert response.status == 400
        assert "can't be read" in (await response.json())["error"]["message"]


def test_an_unknown_status_is_taken_and_noted(proxy: Recording) -> None:
    assert proxy.open("t.yaml", "once", id="a", status="explodedd")[0] == 201
    assert sum("'explodedd' is none of those documented" in note for note in proxy.notes) == 1
    put = requests.put(f"{proxy.control}/sessions/a/scenario", json={"status": "otherr"}, timeout=5)
    assert put.status_code == 200
    assert sum("'otherr' is none of those documented" in note for note in proxy.notes) == 1
