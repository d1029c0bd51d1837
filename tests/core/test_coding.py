from __future__ import annotations

import gzip
import random
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest

from graphtape.core.coding import TooLargeError, decode

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Packer = Callable[[bytes], bytes]

BODY = b'{"value": "inprogress"}' * 40


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        pytest.param(None, BODY, id="none"),
        pytest.param("", BODY, id="empty"),
        pytest.param("identity", BODY, id="identity"),
        pytest.param("gzip", gzip.compress(BODY), id="gzip"),
        pytest.param("x-gzip", gzip.compress(BODY), id="x-gzip"),
        pytest.param("GZIP", gzip.compress(BODY), id="upper-case"),
        pytest.param("gzip", gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), id="two-members"),
        pytest.param("deflate", zlib.compress(BODY), id="deflate-zlib"),
        pytest.param("deflate", _raw_deflate(BODY), id="deflate-raw"),
        pytest.param("br", brotli.compress(BODY), id="br"),
        pytest.param("zstd", zstd.compress(BODY), id="zstd"),
        pytest.param("zstd", zstd.compress(BODY[:9]) + zstd.compress(BODY[9:]), id="two-frames"),
        pytest.param("gzip, br", brotli.compress(gzip.compress(BODY)), id="gzip-then-br"),
        pytest.param("identity ,zstd,", zstd.compress(BODY), id="spaces-and-blanks"),
    ],
)
def test_decodes_what_was_packed(coding: str | None, packed: bytes) -> None:
    assert decode(packed, coding) == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br", "unheard-of"])
def test_an_empty_body_stays_empty_under_any_coding(coding: str) -> None:
    assert decode(b"", coding) == b""


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        pytest.param("compress", BODY, id="unknown-coding"),
        pytest.param("gzip, compress", gzip.compress(BODY), id="unknown-in-a-row"),
        *[pytest.param(name, BODY, id=f"{name}-plain") for name in ("gzip", "deflate", "zstd")],
        pytest.param("br", b"\xff" * 32, id="br-plain"),
        pytest.param("gzip", gzip.compress(BODY)[:-9], id="gzip-truncated"),
        pytest.param("deflate", zlib.compress(BODY)[:-5], id="deflate-truncated"),
        pytest.param("br", brotli.compress(BODY)[:-2], id="br-truncated"),
        pytest.param("zstd", zstd.compress(BODY)[:-2], id="zstd-truncated"),
        pytest.param("gzip", gzip.compress(BODY) + b"more", id="gzip-trailing-data"),
        pytest.param("zstd", zstd.compress(BODY) + b"more", id="zstd-trailing-data"),
        pytest.param("br", brotli.compress(BODY) + b"more", id="br-trailing-data"),
    ],
)
def test_gives_none_for_what_cannot_be_decoded(coding: str, packed: bytes) -> None:
    assert decode(packed, coding) is None


PACKERS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("deflate", zlib.compress, id="deflate"),
    pytest.param("br", brotli.compress, id="br"),
    pytest.param("zstd", zstd.compress, id="zstd"),
]


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_a_body_as_large_as_the_limit_is_decoded(coding: str, pack: Packer) -> None:
    assert decode(pack(BODY), coding, limit=len(BODY)) == BODY


@pytest.mark.parametrize(("coding", "pack"), PACKERS)
def test_a_body_larger_than_the_limit_is_not_decoded(coding: str, pack: Packer) -> None:
    with pytest.raises(TooLargeError):
        decode(pack(bytes(10_000_000)), coding, limit=1000)


def test_many_small_members_take_linear_time() -> None:
    packed = gzip.compress(b"x") * 50_000
    assert decode(packed, "gzip") == b"x" * 50_000


def test_a_body_of_many_slices_is_decoded_whole() -> None:
    noise = random.Random(0).randbytes(300_000)
    assert decode(zstd.compress(noise), "zstd") == noise
    assert decode(gzip.compress(noise), "gzip") == noise
