"""Keys in the shapes that their providers publish."""

from __future__ import annotations

import json
import random
import string
from typing import TYPE_CHECKING

import pytest

from graphtape.core.message import Headers, Response
from graphtape.core.redaction.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
# Before, after, the alphabet between and how much of it. Put together here alone, so that no
# scanner takes this file's text for a leak.
SHAPES = {
    "GitHub": ("gh" + "p_", "", LETTERS, 36),
    "GitHub app": ("gh" + "s_", "", LETTERS, 36),
    "GitHub fine-grained": ("github" + "_pat_", "", LETTERS, 82),
    "GitLab": ("gl" + "pat-", "", LETTERS, 20),
    "AWS": ("AK" + "IA", "", string.ascii_uppercase + "234567", 16),
    "Slack": ("xox" + "b-", "", LETTERS, 40),
    "Google": ("AI" + "za", "", LETTERS, 35),
    "Google OAuth": ("ya" + "29.", "", LETTERS, 60),
    "Stripe": ("sk" + "_live_", "", LETTERS, 24),
    "npm": ("np" + "m_", "", LETTERS, 36),
    "PyPI": ("py" + "pi-AgEIcHlwaS5vcmc", "", LETTERS, 80),
    "SendGrid": ("SG" + ".abcdefghij0123456789AB.", "", LETTERS, 43),
    "Azure DevOps": ("a" * 76 + "AZ" + "DO", "", LETTERS, 4),
    "Entra client secret": ("abc8" + "Q~", "", LETTERS, 34),
    "storage": ("q" * 76 + "+AS" + "tt", "==", LETTERS, 6),
    "Databricks": ("da" + "pi", "", HEX, 32),
    "DigitalOcean": ("do" + "p_v1_", "", HEX, 64),
    "Vault": ("hv" + "s.", "", LETTERS, 24),
}


def keys() -> Iterator[tuple[str, str]]:
    choose = random.Random(14)
    for kind, (before, after, alphabet, size) in SHAPES.items():
        yield kind, before + "".join(choose.choices(alphabet, k=size)) + after


def redacted(body: bytes, content_type: str = "application/json") -> bytes:
    response = Response(
        status=200, reason="OK", headers=Headers((("Content-Type", content_type),)), body=body
    )
    redactor = Redactor(salt="s")
    return redactor.response(response, url="https://graph.microsoft.com/v1.0/x").body


@pytest.mark.parametrize(("kind", "key"), list(keys()))
def test_a_key_is_masked_wherever_it_stands(kind: str, key: str) -> None:
    assert kind
    for text in (key, f"use {key}, please", f"https://example.com/{key}/x", json.dumps({"x": key})):
        assert key not in redacted(json.dumps({"note": text}).encode()).decode()
        assert key not in redacted(text.encode(), "text/plain").decode()
    assert key.encode() not in redacted(b"\0\1\2" + key.encode() + b"\0", "application/x-any")
    escaped = "".join(f"\\u{ord(each):04x}" for each in key)
    assert json.loads(redacted(b'{"note": "%b"}' % escaped.encode()))["note"] != key


@pytest.mark.parametrize(
    "value", ["npm_install", "SG.1", "whsec_", "sq0-building", "AKIA", "Q~", "dapi", "hf_a"]
)
def test_what_only_begins_like_a_key_stays(value: str) -> None:
    body = json.dumps({"note": value}).encode()
    assert redacted(body) == body
