"""Secrets and identities out of messages, and what was missed found."""

from typing import TYPE_CHECKING

from graphtape.core.lazily import lazily

if TYPE_CHECKING:
    from graphtape.core.redaction.findings import Finding, find, find_in_text
    from graphtape.core.redaction.policy import Policy
    from graphtape.core.redaction.redactor import RedactedRequest, Redactor
    from graphtape.core.redaction.sweep import Rule

__all__ = ["Finding", "Policy", "RedactedRequest", "Redactor", "Rule", "find", "find_in_text"]

if not TYPE_CHECKING:  # a mistyped name stays an error
    __getattr__ = lazily(
        __name__,
        {
            "findings": "Finding find find_in_text",
            "policy": "Policy",
            "redactor": "RedactedRequest Redactor",
            "sweep": "Rule",
        },
    )
