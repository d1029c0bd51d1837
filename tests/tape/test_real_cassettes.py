"""Real recordings of other projects, laid beside the repository where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import vcr.cassette

from graphtape.core.errors import CassetteError
from graphtape.tape.store import open_cassette
from graphtape.tape.vcr_format import load
from tapes import written_out

SAMPLES = Path(__file__).parents[2].parent / "shared" / "cassettes"

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"the sample cassettes are not at {SAMPLES}"
)

PLAYABLE = {
    "azcli_binary_test_workspace_package.yaml": 22,
    "azcli_pyunicode_test_subscription_locks.yaml": 14,
    "vcrpy_domain_redirect.yaml": 2,
    "vcrpy_gzip_httpx_old_format.yaml": 1,
    "vcrpy_gzip_requests.yaml": 1,
    "vcrpy_new_cassette.json": 1,
    "vcrpy_new_cassette.yaml": 1,
}
REFUSED = ["vcrpy_old_cassette.json", "vcrpy_old_cassette.yaml"]
GRAPH = sorted(SAMPLES.glob("azure-cli/*.yaml"))


def test_every_quirk_is_either_played_or_refused() -> None:
    files = {path.name for path in (SAMPLES / "quirks").iterdir()}
    assert files == {*PLAYABLE, *REFUSED}


@pytest.mark.parametrize(("name", "count"), PLAYABLE.items(), ids=PLAYABLE.keys())
def test_a_quirky_cassette_loads_whole(name: str, count: int) -> None:
    cassette = open_cassette(SAMPLES / "quirks" / name)
    assert len(cassette.interactions) == count
    assert not any("Content-Encoding" in each.response.headers for each in cassette.interactions)


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_before_1_0_is_refused(name: str) -> None:
    with pytest.raises(CassetteError, match=r"before version 1\.0; record it again"):
        open_cassette(SAMPLES / "quirks" / name)


def test_gzip_bodies_are_decoded() -> None:
    (old,) = open_cassette(SAMPLES / "quirks" / "vcrpy_gzip_httpx_old_format.yaml").interactions
    (new,) = open_cassette(SAMPLES / "quirks" / "vcrpy_gzip_requests.yaml").interactions
    assert old.response.body.startswith(b'{\n  "gzipped": true, \n')
    assert (old.response.status, old.response.reason) == (200, "")
    assert new.response.body.startswith(b'{"gzipped":true,')
    assert new.response.reason == "great"


def test_binary_request_bodies_load_as_bytes() -> None:
    tape = open_cassette(SAMPLES / "quirks" / "azcli_binary_test_workspace_package.yaml")
    assert any(b"\0" in each.request.body for each in tape.interactions)


def test_python_2_text_loads_as_text() -> None:
    tape = open_cassette(SAMPLES / "quirks" / "azcli_pyunicode_test_subscription_locks.yaml")
    assert tape.interactions[0].request.body == (
        b'{"name": "cli-test-lock000001", "properties": {"level": "CanNotDelete"}}'
    )


@pytest.mark.parametrize("path", GRAPH, ids=[path.name for path in GRAPH])
def test_a_recording_of_graph_reads_as_stock_vcrpy_reads_it(path: Path) -> None:
    theirs = vcr.cassette.Cassette.load(path=str(path))
    ours = open_cassette(path).interactions
    assert len(ours) == len(theirs.requests)
    for one, request, response in zip(ours, theirs.requests, theirs.responses, strict=True):
        assert (one.request.method, one.request.url) == (request.method, request.uri)
        assert one.request.body == (request.body or b"")
        assert one.response.status == response["status"]["code"]
        assert one.response.body == response["body"]["string"]


@pytest.mark.parametrize("path", GRAPH, ids=[path.name for path in GRAPH])
def test_a_recording_of_graph_dumped_and_loaded_dumps_the_same(path: Path) -> None:
    written = written_out(open_cassette(path).interactions, metadata=None)
    assert written_out(load(written, name=path.name).interactions, metadata=None) == written
