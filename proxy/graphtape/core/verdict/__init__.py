"""Verdicts on the client: what it did that Graph's documentation advises against."""

from graphtape.core.verdict.tally import Tally
from graphtape.core.verdict.verdict import Kind, Verdict
from graphtape.core.verdict.witness import Witness

__all__ = ["Kind", "Tally", "Verdict", "Witness"]
