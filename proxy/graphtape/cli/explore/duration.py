"""Durations as users write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

if TYPE_CHECKING:
    _Seconds = click.ParamType[float]
else:
    _Seconds = click.ParamType  # generic from click 8.4 on


class Duration(_Seconds):
    """`90s`, `5m`, `1h`, or seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds, more than none."""
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value).strip())
        seconds = float(found[1]) * _SECONDS[found[2] or "s"] if found else 0.0
        if not seconds:
            self.fail(f"{value!r} is no duration; write 90s, 5m or 1h", param, ctx)
        return seconds
