"""What is packed is opened, redacted, and packed again in the same form."""

from __future__ import annotations

import base64
import gzip
import json
import quopri
import random
from typing import TYPE_CHECKING

import pytest

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction.findings import find
from graphtape.core.redaction.policy import Policy
from graphtape.core.redaction.redactor import Redactor
from graphtape.core.redaction.sweep import DEEPEST
from redacted import redacted_body

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "Hunter2-Fake-Canary"
URL = "https://graph.microsoft.com/v1.0/x"

TEXTS: dict[str, str] = {
    "JSON": json.dumps({"name": "Wi-Fi", "password": SECRET, "more": "a b c"}),
    "form": f"user=jo&client_secret={SECRET}&grant_type=password",
    "XML": f"<profile><name>Wi-Fi</name><keyMaterial>{SECRET}</keyMaterial></profile>",
    "property list": f"<plist><dict><key>Password</key>\n<string>{SECRET}</string></dict></plist>",
    "script": f"# set up\n$password = '{SECRET}'\nInstall-It -Now\n",
    "environment": f"HOST=db.example\nDB_PASS={SECRET}\n",
}


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def in_lines(raw: bytes) -> str:
    return base64.encodebytes(raw).decode().replace("\n", "\r\n")


PACKINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: b64(text.encode()),
    "unpadded": lambda text: b64(text.encode()).rstrip("="),
    "URL-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in lines": lambda text: in_lines((text + " " * 90).encode()),
    "of gzip": lambda text: b64(gzip.compress(text.encode(), mtime=0)),
    "of UTF-16": lambda text: b64(text.encode("utf-16")),
    "of UTF-16 without a mark": lambda text: b64(text.encode("utf-16-le")),
    "of UTF-32": lambda text: b64(text.encode("utf-32")),
    "data URI": lambda text: f"data:application/octet-stream;base64,{b64(text.encode())}",
    "twice": lambda text: b64(b64(text.encode()).encode()),
    "JSON in a string": lambda text: json.dumps({"inner": b64(text.encode())}),
    "in a sentence": lambda text: f"here it is: {b64(text.encode())} .",
    "in XML": lambda text: f"<payload><data>{b64(text.encode())}</data></payload>",
}


def redacted(body: bytes, content_type: str = "application/json") -> bytes:
    response = Response(
        status=200, reason="OK", headers=Headers((("Content-Type", content_type),)), body=body
    )
    return Redactor(salt="s").response(response, url=URL).body


def unpacked(raw: bytes) -> str:
    """Show a body's text with what is packed in it, as an attacker would look."""
    seen, todo = [], [raw]
    while todo:
        each = todo.pop()
        if each[:2] == b"\x1f\x8b":
            todo.append(gzip.decompress(each))
            continue
        text = each
        if each[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            text = each.decode("utf-32" if each[2:4] == b"\0\0" else "utf-16").encode()
        text = text.replace(b"\0", b"")
        seen.append(text.decode("latin-1"))
        joined = text.replace(b"\\r\\n", b"").replace(b"\r\n", b"")
        for piece in joined.translate(bytes.maketrans(b'"<>,:\\', b"      ")).split():
            if len(piece) >= 20:
                bare = piece.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
                try:
                    todo.append(base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True))
                except ValueError:
                    continue
    return "\n".join(seen)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
def test_base64_is_opened_wherever_it_stands(text: str, pack: Callable[[str], str]) -> None:
    packed = pack(text)
    before = json.dumps({"id": "1", "content": packed}).encode()
    assert SECRET in unpacked(before)
    after = redacted(before)
    assert SECRET not in unpacked(after)
    assert redacted(after) == after
    body = json.loads(after)
    assert body["content"] != packed
    assert SECRET not in unpacked(redacted(packed.encode(), "text/plain"))


def test_what_comes_out_has_the_form_of_what_went_in() -> None:
    text = json.dumps({"name": "Wi-Fi", "password": SECRET, "more": "a b"})
    assert b64(text.encode()).endswith("=")
    for pack in (b64, lambda raw: b64(raw).rstrip("=")):
        packed = pack(text.encode())
        (swept,) = json.loads(redacted(json.dumps([packed]).encode()))
        padded = swept + "=" * (-len(swept) % 4)
        assert packed.endswith("=") or "=" not in swept
        assert json.loads(base64.b64decode(padded))["name"] == "Wi-Fi"
    lines = json.loads(redacted(json.dumps([in_lines(text.encode() * 3)]).encode()))[0]
    assert {len(line) for line in lines.split("\r\n")[:-2]} <= {76}


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_wide_characters_are_text(coding: str, text: str) -> None:
    after = redacted(text.encode(coding), "application/octet-stream")
    assert SECRET not in after.decode(coding)
    assert after.decode(coding) != text


@pytest.mark.parametrize("charset", ["latin-1", "cp1252", "shift_jis", ""])
def test_a_legacy_charset_is_text(charset: str) -> None:
    text = json.dumps(
        {"city": "Köln" if charset != "shift_jis" else "東京", "password": SECRET},
        ensure_ascii=False,
    )
    raw = text.encode(charset or "latin-1")
    kind = f"application/json; charset={charset}" if charset else "application/json"
    after = redacted(raw, kind).decode(charset or "latin-1")
    assert SECRET not in after
    assert json.loads(after)["city"] == json.loads(text)["city"]


@pytest.mark.parametrize("coding", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_messages_parts_are_decoded(*, coding: str, nested: bool, text: str) -> None:
    raw = text.encode()
    packed = {
        "base64": base64.encodebytes(raw),
        "quoted-printable": quopri.encodestring(raw),
        "8bit": raw,
    }[coding]
    part = (
        f"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {coding}\r\n\r\n"
    ).encode() + packed
    if nested:
        part = (
            b'Content-Type: multipart/mixed;\r\n\tboundary="in"\r\n\r\n--in\r\n'
            + part
            + b"\r\n--in--"
        )
    message = (
        b"From: a <a@contoso.com>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b1"\r\n\r\nhello\r\n--b1\r\n'
        + part
        + b"\r\n--b1--\r\n"
    )
    for body in (message, base64.b64encode(message)):
        after = redacted(body, "text/plain")
        if body is not message:
            after = base64.b64decode(after)
        assert SECRET not in unpacked(after)
        assert SECRET not in quopri.decodestring(after).decode("latin-1")
        assert after.startswith(b"From: a <a@contoso.com>")


def test_encoded_words_of_a_header_are_decoded() -> None:
    words = f"=?utf-8?B?{b64(f'password={SECRET}'.encode())}?= =?utf-8?Q?=70assword=3D{SECRET}?="
    message = f"Subject: {words}\r\nMIME-Version: 1.0\r\n\r\nhello\r\n".encode()
    after = redacted(message, "text/plain")
    assert SECRET not in unpacked(after.replace(b"?", b" "))
    assert SECRET not in quopri.decodestring(after).decode()


def nested(depth: int) -> str:
    text = json.dumps({"password": SECRET})
    for _ in range(depth):
        text = json.dumps({"a": b64(text.encode())})
    return text


def test_nesting_is_opened_up_to_the_limit_and_noted_beyond() -> None:
    redactor = Redactor(salt="s")
    inside = redacted_body(redactor, nested(DEEPEST).encode(), "")
    assert not redactor.unopened
    for _ in range(DEEPEST):
        inside = base64.b64decode(json.loads(inside)["a"])
    assert json.loads(inside) == {"password": "REDACTED"}
    redacted_body(redactor, nested(DEEPEST + 2).encode(), "")
    assert "8 times" in redactor.unopened
    redacted_body(redactor, b"{}", "")
    assert not redactor.unopened


def test_what_was_too_deep_to_open_is_opened_where_it_stands_less_deep() -> None:
    redactor = Redactor(salt="s")
    packed = b64(f"password={SECRET}".encode())
    text = packed
    for _ in range(DEEPEST + 1):
        text = json.dumps([b64(text.encode())])
    redacted_body(redactor, text.encode(), "")
    assert redactor.unopened
    assert packed not in redacted_body(redactor, json.dumps([packed]).encode(), "").decode()


@pytest.mark.parametrize("kind", ["cut short", "bytes after it", "in base64"])
def test_gzip_that_cannot_be_opened_is_noted_and_found(kind: str) -> None:
    raw = gzip.compress(TEXTS["JSON"].encode(), mtime=0)
    body = {
        "cut short": raw[:-9],
        "bytes after it": raw + b"more",
        "in base64": json.dumps({"x": b64(raw[:-9])}).encode(),
    }[kind]
    redactor = Redactor(salt="s")
    redacted_body(redactor, body, "application/octet-stream")
    assert "gzip" in redactor.unopened
    found = find(
        Interaction(
            request=Request(method="GET", url=URL, headers=Headers(()), body=b""),
            response=Response(status=200, reason="OK", headers=Headers(()), body=body),
        ),
        Policy(),
    )
    assert "unopened" in {each.rule for each in found}


def test_utf_16_among_other_bytes_is_looked_through() -> None:
    jwt = "eyJhbGciOiJub25lIn0.eyJmYWtlIjp0cnVlfQ.fakefakefake"
    raw = b"\x01\x02\0\0\x05" * 40 + f"token {jwt} ".encode("utf-16-le") + b"\x07\0\x06"
    assert jwt.encode("utf-16-le") not in redacted(raw, "application/octet-stream")


def test_what_is_not_text_stays() -> None:
    chance = random.Random(1)
    for size in (40, 400, 4000):
        value = b64(chance.randbytes(size))
        body = json.dumps({"bytes": value, "id": value[:30].replace("/", "_")}).encode()
        assert redacted(body) == body
    for value in (
        "AAMkAGI2THVSAAA=" * 3,
        "deviceManagementConfigurationSettingInstance",
        "01BYE5RZ6QN3ZWBTUFOFD3GSPGOHDJD36K",
        b64(b"an ordinary text, in base64, with nothing in it"),
    ):
        body = json.dumps({"id": value}).encode()
        assert redacted(body) == body
