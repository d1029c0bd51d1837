"""Which of several media types a client wants (RFC 9110 section 12.5.1)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY = 50
"""Ranges that are read; a client names a handful."""


def chosen(accept: str, offers: Sequence[str]) -> str | None:
    """Return the offer a client wants most, the first of equals; None where it wants none.

    Args:
        accept: Of the request; empty takes anything.
        offers: Media types in lower case.
    """
    ranges = [_range(text) for text in accept.split(",")[:_MANY] if text.strip()]
    if not ranges:
        return offers[0]
    best = max(offers, key=lambda offer: _weight(offer, ranges))
    return best if _weight(best, ranges) > 0 else None


def _range(text: str) -> tuple[str, float]:
    """Read one range and its weight; a weight that is none doesn't count."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            with suppress(ValueError):
                weight = min(max(float(parameter[2:]), 0.0), 1.0)
    return name, weight


def _weight(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight of the narrowest range an offer is in."""
    wanted = dict(ranges)
    for name in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        if name in wanted:
            return wanted[name]
    return 0.0
