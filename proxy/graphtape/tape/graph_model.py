"""The compiled model of Graph that is shipped: made by tools/graph_model.py."""

from __future__ import annotations

import json
import lzma
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from graphtape.core.check.checker import Checker
from graphtape.core.check.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Request


@cache
def model(version: str) -> Model:
    """Load the model of `v1.0` or `beta`: some tenths of a second, when it is first asked for."""
    packed = files("graphtape").joinpath("model", f"graph-{version}.json.xz").read_bytes()
    return Model.of(json.loads(lzma.decompress(packed)))


def not_in_graph() -> Callable[[Request], tuple[str, ...]]:
    """Return what says of a request what Graph doesn't have; both models are loaded at once.

    Lines name no value that a client sent, but for names of query options and properties.
    """
    loaded = {version: model(version) for version in ("v1.0", "beta")}
    checker = Checker(models=loaded.__getitem__)

    def check(request: Request) -> tuple[str, ...]:
        return tuple(each.brief for each in checker.request(request))

    return check
