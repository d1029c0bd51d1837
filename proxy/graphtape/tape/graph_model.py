"""The compiled model of Graph that is shipped: made by tools/graph_model.py."""

from __future__ import annotations

import json
import lzma
from functools import cache
from importlib.resources import files

from graphtape.core.check.model import Model


@cache
def model(version: str) -> Model:
    """Load the model of `v1.0` or `beta`: some tenths of a second, when it is first asked for."""
    packed = files("graphtape").joinpath("model", f"graph-{version}.json.xz").read_bytes()
    return Model.of(json.loads(lzma.decompress(packed)))
