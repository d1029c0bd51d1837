"""Long bodies are written in pieces, and read by stock PyYAML as what they were."""

from __future__ import annotations

import random

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.tape import long_scalar
from graphtape.tape.long_body import LONG, HeldBody
from graphtape.tape.long_scalar import scalar
from graphtape.tape.vcr_format import load
from tapes import written_out

TEXT = (
    '{"name": "Zo\u00eb \\\\ \U0001f600", \'a\': [1, 2]}\r\n\t\u2028\x85\ufeff\x00\x7f # : - \n\n  '
)


def read(body: bytes) -> bytes:
    """Read a scalar as stock PyYAML does, in the place of a body."""
    text = b"a:\n  string: " + b"".join(scalar(HeldBody(body), indent=4)) + b"\n  last: 1\n"
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        tree = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe
        assert tree["a"]["last"] == 1
        found = tree["a"]["string"]
    return found if isinstance(found, bytes) else found.encode()


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode())))
def test_any_body_is_read_as_it_was(body: bytes) -> None:
    assert read(body) == body


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_character_on_the_edge_of_two_pieces_stays_whole(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(long_scalar, "_MOST", size)
    assert read((TEXT * 5).encode()) == (TEXT * 5).encode()


def test_base64_is_written_as_pyyaml_writes_it() -> None:
    body = random.Random(3).randbytes(200_000)
    pieces = b"".join(scalar(HeldBody(body), indent=4))
    assert b"a:\n  b: " + pieces + b"\n" == yaml.safe_dump({"a": {"b": body}}).encode()


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_a_cassette_with_long_bodies_is_read_as_it_was(kind: str) -> None:
    long = TEXT.encode() * (LONG // len(TEXT.encode()) + 1)
    body = long if kind == "text" else random.Random(4).randbytes(LONG + 5)
    fields = Headers.of([("Content-Type", "application/octet-stream")])
    asked = Request(method="PUT", url="https://graph.microsoft.com/v1.0/x", body=body)
    short = Interaction(
        request=Request(method="GET", url="https://graph.microsoft.com/v1.0/y"),
        response=Response(status=200, reason="OK", body=b"graphtape-0"),
    )
    tape = [
        short,
        Interaction(request=asked, response=Response(status=200, headers=fields, body=body[::-1])),
        Interaction(request=asked, response=Response(status=204)),
        short,
    ]
    if kind == "text":
        tape[1] = Interaction(
            request=asked, response=Response(status=200, headers=fields, body=body + b"!")
        )
    written = written_out(tape, metadata=None)
    assert load(written, name="a.yaml").interactions == tuple(tape)
    plain = yaml.load(written, Loader=yaml.CSafeLoader)
    assert plain["version"] == 1
    assert len(plain["interactions"]) == 4
