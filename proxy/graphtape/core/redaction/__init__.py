"""Secrets and identities out of messages, and what was missed found."""

from graphtape.core.redaction.findings import Finding, find
from graphtape.core.redaction.policy import Policy
from graphtape.core.redaction.redactor import RedactedRequest, Redactor
from graphtape.core.redaction.sweep import Rule

__all__ = ["Finding", "Policy", "RedactedRequest", "Redactor", "Rule", "find"]
