"""With --fsync an answer waits for the disk; without it, only the save does."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
import requests

from graphtape.tape.store import open_cassette, part_path
from proxies import AUTH, RawServer, recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Count the real calls: inode and size of each regular file that is synced."""
    seen: list[tuple[int, int]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        about = os.fstat(descriptor)
        if stat.S_ISREG(about.st_mode):
            seen.append((about.st_ino, about.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_each_answer_is_durable_before_its_client_has_it(
    tmp_path: Path, synced: list[tuple[int, int]]
) -> None:
    tape = tmp_path / "t.yaml"
    with RawServer() as graph, recording(tape, upstream=graph.url, fsync=True) as proxy:
        part = part_path(tape).stat().st_ino
        assert len(synced) == 1  # the header
        for number in range(1, 6):
            requests.get(f"{proxy.url}/v1.0/{number}", headers=AUTH, timeout=10)
            assert len(synced) == 1 + number
            assert synced[-1] == (part, part_path(tape).stat().st_size)
    assert len(open_cassette(tape).interactions) == 5


def test_without_it_only_the_cassette_is_synced(
    tmp_path: Path, synced: list[tuple[int, int]]
) -> None:
    tape = tmp_path / "t.yaml"
    with RawServer() as graph, recording(tape, upstream=graph.url) as proxy:
        requests.get(f"{proxy.url}/v1.0/x", headers=AUTH, timeout=10)
        assert synced == []
    assert synced == [(tape.stat().st_ino, tape.stat().st_size)]
