"""Rules that replace or bend answers: before a match, and after the answer."""

from typing import TYPE_CHECKING

from graphtape.core.lazily import lazily

if TYPE_CHECKING:
    from graphtape.core.scenario.duration import Wait
    from graphtape.core.scenario.effect import ConnectionFault, WireFault
    from graphtape.core.scenario.graph_error import Stamp
    from graphtape.core.scenario.key_fault import SpellingError
    from graphtape.core.scenario.play import (
        PASS,
        Answer,
        Bend,
        Decision,
        Fault,
        Fit,
        Parts,
        Pass,
        Play,
    )
    from graphtape.core.scenario.rule import Rule, Scenario
    from graphtape.core.scenario.status import StatusRule

__all__ = [
    "PASS",
    "Answer",
    "Bend",
    "ConnectionFault",
    "Decision",
    "Fault",
    "Fit",
    "Parts",
    "Pass",
    "Play",
    "Rule",
    "Scenario",
    "SpellingError",
    "Stamp",
    "StatusRule",
    "Wait",
    "WireFault",
]

if not TYPE_CHECKING:  # a mistyped name stays an error
    __getattr__ = lazily(
        __name__,
        {
            "duration": "Wait",
            "effect": "ConnectionFault WireFault",
            "graph_error": "Stamp",
            "key_fault": "SpellingError",
            "play": "PASS Answer Bend Decision Fault Fit Parts Pass Play",
            "rule": "Rule Scenario",
            "status": "StatusRule",
        },
    )
