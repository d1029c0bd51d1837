from __future__ import annotations

import gzip
import sys
import zlib

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.decoder import PIECE, CodingError, Decoder, decoder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = b"".join(b"line %d of a body\n" % n for n in range(20_000))


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


CODED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY[:5000]) + gzip.compress(BODY[5000:]),
    "deflate": zlib.compress(BODY),
    "Deflate": raw_deflate(BODY),
    "br": brotli.compress(BODY),
    "zstd": zstd.compress(BODY[:5000]) + zstd.compress(BODY[5000:]),
}


@settings(deadline=None, max_examples=25)
@pytest.mark.parametrize("coding", CODED)
@given(cuts=st.lists(st.integers(1, 3000), max_size=6))
def test_a_body_is_decoded_wherever_its_pieces_end(coding: str, cuts: list[int]) -> None:
    made, coded = decoder(coding), CODED[coding]
    assert made is not None
    ends = [*sorted(min(cut, len(coded)) for cut in cuts), len(coded)]
    pieces = [
        piece
        for start, end in zip([0, *ends], ends, strict=False)
        for piece in made.feed(coded[start:end])
    ]
    made.end()
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= 2 * PIECE


@pytest.mark.parametrize("coding", CODED)
def test_a_body_that_is_cut_short_is_told(coding: str) -> None:
    made = decoder(coding)
    assert made is not None
    list(made.feed(CODED[coding][:-9]))
    with pytest.raises(CodingError):
        made.end()


@pytest.mark.parametrize("coding", CODED)
def test_what_is_in_no_coding_is_told(coding: str) -> None:
    made = decoder(coding)
    assert made is not None
    with pytest.raises(CodingError):
        fed(made, b"\xff" * 4096)


def fed(made: Decoder, data: bytes) -> None:
    list(made.feed(data))
    made.end()


def test_an_empty_body_is_in_any_coding() -> None:
    for coding in CODED:
        made = decoder(coding)
        assert made is not None
        made.end()


@pytest.mark.parametrize("coding", ["compress", "gzip, br", "identity"])
def test_other_codings_are_left_to_who_reads_the_whole(coding: str) -> None:
    assert decoder(coding) is None
