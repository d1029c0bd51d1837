"""Keys in the shapes that their providers publish, so that scanners find them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# A literal that each key of a kind holds, and the kind's shape. From the providers' documentation
# and GitHub's "Supported secret scanning patterns".
_KINDS: tuple[tuple[str, str], ...] = (
    *((f"gh{kind}_", rf"gh{kind}_[A-Za-z0-9]{{30,255}}") for kind in "pousr"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    ("glpat-", r"glpat-[\w-]{20,255}"),
    ("AKIA", r"(?<![A-Za-z0-9])AKIA[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("ASIA", r"(?<![A-Za-z0-9])ASIA[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    ("xapp-", r"xapp-\d-[A-Za-z0-9-]{20,255}"),
    ("hooks.slack.com/", r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/]{20,255}"),
    ("AIza", r"(?<!\w)AIza[\w-]{35}(?![\w-])"),
    ("ya29.", r"ya29\.[\w-]{20,1024}"),
    ("GOCSPX-", r"GOCSPX-[\w-]{28}"),
    ("_live_", r"(?<![a-z])[srp]k_live_[A-Za-z0-9]{16,255}"),
    ("k_test_", r"(?<![a-z])[sr]k_test_[A-Za-z0-9]{16,255}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,255}"),
    ("npm_", r"(?<!\w)npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-[\w-]{50,512}"),
    ("SG.", r"(?<!\w)SG\.[\w-]{16,64}\.[\w-]{32,64}"),
    ("AZDO", r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])"),
    ("Q~", r"(?<![\w~.-])[\w~.-]{3}[0-9]Q~[\w~.-]{31,37}(?![\w~.-])"),
    ("+AStt", r"[A-Za-z0-9+/]{60,90}\+AStt[A-Za-z0-9+/=]{4,20}"),
    ("dapi", r"(?<!\w)dapi[0-9a-f]{32}(?:-\d)?"),
    ("dop_v1_", r"dop_v1_[0-9a-f]{64}"),
    ("dckr_pat_", r"dckr_pat_[\w-]{20,255}"),
    ("hvs.", r"(?<!\w)hvs\.[\w-]{20,255}"),
    ("hf_", r"(?<!\w)hf_[A-Za-z]{30,64}"),
    ("shpat_", r"shpat_[0-9a-f]{32}"),
    ("ATATT3", r"ATATT3[\w=+/-]{60,512}"),
    ("lin_api_", r"lin_api_[A-Za-z0-9]{32,64}"),
    ("sk-ant-", r"sk-ant-[\w-]{20,255}"),
    ("sk-proj-", r"sk-proj-[\w-]{20,255}"),
    ("T3BlbkFJ", r"sk-[\w-]{10,255}T3BlbkFJ[\w-]{10,255}"),
    ("sq0", r"(?<!\w)sq0(?:csp|atp)-[\w-]{22,64}"),
    ("webhook.office.com/", r"(?<=webhook\.office\.com/)webhookb2/[\w@/%-]{20,512}"),
)
_LITERALS = tuple(literal for literal, _ in _KINDS)
# Letters that tell one kind of a provider's keys from another are taken for the same.
_ALIKE = bytes.maketrans(b"ousrK", b"ppppS")
_ALIKE_LITERALS = tuple(dict.fromkeys(each.encode().translate(_ALIKE) for each in _LITERALS))
_PARTED = tuple(each.encode() for each in _LITERALS if set(each) & set(".~"))
"""Literals that no run holds whole."""
_SHAPES = tuple((literal, re.compile(shape, re.ASCII)) for literal, shape in _KINDS)


def may_hold(runs: bytes, raw: bytes) -> bool:
    """Tell whether a body may hold such a key: a few searches for literals.

    Args:
        runs: Its runs of 15 or more letters, digits, `_`, `-`, `+` and `/`.
        raw: The whole.
    """
    low = runs.translate(_ALIKE)
    return any(map(low.__contains__, _ALIKE_LITERALS)) or any(map(raw.__contains__, _PARTED))


def hinted(text: str) -> bool:
    """Tell whether a text may hold such a key."""
    return any(map(text.__contains__, _LITERALS))


def replaced(text: str, replace: Callable[[str], str]) -> str:
    """Put what `replace` makes of it where a key stands."""
    if not hinted(text):
        return text
    for literal, shape in _SHAPES:
        if literal in text:
            text = shape.sub(lambda found: replace(found[0]), text)
    return text


def is_key(value: str) -> bool:
    """Tell whether a value is such a key, whole."""
    return any(
        literal in value and shape.fullmatch(value) is not None for literal, shape in _SHAPES
    )
