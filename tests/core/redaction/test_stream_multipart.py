"""Long multipart bodies: in pieces, however they come, the same comes out as for the whole."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtape.core.redaction import Policy, Redactor, bodies
from graphtape.core.redaction.identities import Pseudonyms
from graphtape.core.redaction.places import rules_of
from graphtape.core.redaction.stream.choose import STREAMED, Form, form_of
from graphtape.core.redaction.stream.multipart_body import MultipartBody
from graphtape.core.redaction.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = 2_000 if os.environ.get("GRAPHTAPE_FULL") else 60
TYPE = "multipart/form-data; boundary=bnd"
DELIMITER = b"--bnd"
FAKE = "Fake-Canary-1"


def table(rows: int) -> bytes:
    lines = (f"{n},p{n}@acme.test,{FAKE}-{n}\r\n" for n in range(rows))
    return ("Id,Mail,Password\r\n" + "".join(lines)).encode()


def noise(rows: int) -> bytes:
    return b"\0\xff" + random.Random(rows).randbytes(rows * 30)


def lines_of(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", b"\r\n")


KINDS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "json": (
        "Content-Type: application/json",
        lambda n: json.dumps([{"mail": "j@acme.test", "password": FAKE}] * n).encode(),
    ),
    "table": ("Content-Type: text/csv", table),
    "bytes": (
        "Content-Type: application/octet-stream",
        lambda n: noise(n) + b"\0password=" + FAKE.encode() + b"\0",
    ),
    "base64 of bytes": (
        "Content-Type: image/png\r\nContent-Transfer-Encoding: base64",
        lambda n: lines_of(noise(n)),
    ),
    "base64 of a table": (
        "Content-Type: text/csv\r\nContent-Transfer-Encoding: base64",
        lambda n: lines_of(table(n)),
    ),
    "gzip": ("Content-Type: application/gzip", lambda n: gzip.compress(table(n), mtime=0)),
    "quoted": (
        "Content-Transfer-Encoding: quoted-printable",
        lambda n: b"a=3Db j=40acme.test\r\n" * n,
    ),
    "words": ("X-Note: j@acme.test", lambda n: b"words of j@acme.test\r\n\r\n\r\n" * n),
}


def part(kind: str, name: str, rows: int) -> bytes:
    head, content = KINDS[kind]
    disposition = f'Content-Disposition: form-data; name="{name}"\r\n{head}\r\n\r\n'
    return disposition.encode() + content(rows)


def body_of(parts: list[bytes]) -> bytes:
    return b"".join(DELIMITER + b"\r\n" + each + b"\r\n" for each in parts) + DELIMITER + b"--\r\n"


multiparts = st.lists(
    st.tuples(
        st.sampled_from(sorted(KINDS)), st.sampled_from(["f1", "password"]), st.integers(1, 300)
    ).map(lambda each: part(*each)),
    min_size=1,
    max_size=4,
).map(body_of)


def sweep() -> Sweep:
    names = Pseudonyms(salt="s", allow=frozenset(), lenient=False)
    return Sweep(rules_of(Policy()), names, answer=True, body=bodies.body)


def in_pieces(body: bytes, cuts: list[int]) -> bytes:
    redactor = Redactor(salt="s")
    parts = MultipartBody(
        sweep(),
        DELIMITER,
        lambda begins, kind: redactor.in_pieces(begins, kind, answer=True),
        held=2000,
    )
    ends = [*sorted(min(cut, len(body)) for cut in cuts), len(body)]
    clean = [parts.feed(body[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    return b"".join(clean) + parts.end()


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(multiparts, st.lists(st.integers(0, 20_000), max_size=9))
def test_a_multipart_body_in_pieces_comes_out_as_the_whole(body: bytes, cuts: list[int]) -> None:
    clean = in_pieces(body, cuts)
    assert clean == bodies.body(sweep(), body, TYPE)
    assert FAKE.encode() not in clean


def test_a_long_part_is_not_held() -> None:
    head = part("bytes", "f1", 0)
    redactor = Redactor(salt="s")
    begins = DELIMITER + b"\r\n" + head + noise(STREAMED // 20)
    assert form_of(begins, TYPE) is Form.MULTIPART
    parts = redactor.in_pieces(begins, TYPE, answer=False)
    assert parts is not None
    out = len(parts.feed(begins))
    for _ in range(20):
        out += len(parts.feed(noise(10_000)))
    assert out > len(begins) + 20 * 300_000 - STREAMED
    parts.feed(b"\r\n" + DELIMITER + b"--\r\n")
    parts.end()


def test_a_long_body_is_redacted_alike_in_pieces_and_in_one() -> None:
    body = body_of([part(kind, "f1", 9000) for kind in ("table", "base64 of a table", "bytes")])
    one = Redactor(salt="s")
    pieces = one.in_pieces(body[: STREAMED + 1], TYPE, answer=False)
    assert pieces is not None
    clean = b"".join(pieces.feed(body[at : at + 9999]) for at in range(0, len(body), 9999))
    clean += pieces.end()
    whole, changes = Redactor(salt="s").content(body, TYPE, answer=False)
    assert clean == whole
    assert one.counts["secrets"] + one.counts["identities"] == len(changes)
    assert FAKE.encode() not in clean
