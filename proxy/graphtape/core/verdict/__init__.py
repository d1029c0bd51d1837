"""Verdicts on the client: what it did that Graph's documentation advises against."""

from graphtape.core.verdict.tally import Tally
from graphtape.core.verdict.verdict import Kind, Verdict
from graphtape.core.verdict.witness import Witness, leaves_open, may_give_links

__all__ = ["Kind", "Tally", "Verdict", "Witness", "leaves_open", "may_give_links"]
