from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphtape.core.message import Headers, Response
from graphtape.core.redaction import Redactor
from graphtape.core.redaction.stream.choose import Form, form_of
from graphtape.core.redaction.stream.opaque import LONGEST_RUN, OpaqueBody

OCTETS = "application/octet-stream"
TYPED = Headers.of([("Content-Type", OCTETS)])
BEGINS = b"\x89\xff\x00\x01"
SECRETS = (b"password=not-a-real-one", b"Bearer not-a-real-token-0123456789", b"\x00", b"plain")


def in_pieces(body: bytes, cuts: list[int]) -> bytes:
    opaque = Redactor(salt="s").in_pieces(body, OCTETS, answer=True)
    assume(isinstance(opaque, OpaqueBody))  # else it looks like text
    assert opaque is not None
    ends = [*sorted(min(cut, len(body)) for cut in cuts), len(body)]
    starts = [0, *ends]
    clean = [opaque.feed(body[start:end]) for start, end in zip(starts, ends, strict=False)]
    return b"".join((*clean, opaque.end()))


def as_a_whole(body: bytes) -> bytes:
    answer = Response(status=200, headers=TYPED, body=body)
    url = "https://graph.microsoft.com/v1.0/a"
    return Redactor(salt="s").response(answer, url=url).body


@given(
    st.lists(st.sampled_from(SECRETS) | st.binary(max_size=40), max_size=12).map(b"".join),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_a_body_in_pieces_comes_out_as_it_does_whole(rest: bytes, cuts: list[int]) -> None:
    body = BEGINS + rest
    assert in_pieces(body, cuts) == as_a_whole(body)


def test_printable_characters_without_end_are_not_held_without_end() -> None:
    opaque = Redactor(salt="s").in_pieces(BEGINS, OCTETS, answer=True)
    assert opaque is not None
    out = b"".join(opaque.feed(b"word " * 20_000) for _ in range(30))
    assert len(out) > 30 * 100_000 - LONGEST_RUN - 100_000


@pytest.mark.parametrize(
    ("begins", "content_type"),
    [
        pytest.param(b'{"a": 1}\xff\x00', "application/octet-stream", id="json"),
        pytest.param(b"plain words", "application/octet-stream", id="text"),
        pytest.param(b"\xff\x00", "text/csv", id="text-by-type"),
        pytest.param(b"\xff\x00", "application/problem+json", id="json-by-suffix"),
        pytest.param(b"\xff\x00", "multipart/form-data; boundary=x", id="multipart"),
        pytest.param(b"a=\xff\x00", "", id="form"),
        pytest.param(b"\x1f\x8b\x08\x00", "application/gzip", id="gzip"),
        pytest.param("words".encode("utf-16"), "", id="utf-16"),
        pytest.param(("words " * 50).encode("utf-16-le"), "", id="utf-16-unmarked"),
    ],
)
def test_what_may_be_text_is_not_opaque(begins: bytes, content_type: str) -> None:
    assert form_of(begins, content_type) is not Form.OPAQUE
