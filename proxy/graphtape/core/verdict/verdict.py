"""One thing a client did, and what it is called."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What a verdict is about; the value is what `--fail-on` takes."""

    EARLY_RETRY = "early-retry"
    NO_RETRY = "no-retry"
    BLIND_RETRY = "blind-retry"
    MADE_UP_SKIPTOKEN = "made-up-skiptoken"
    DISCONNECT_WITH_BODY = "disconnect-with-body"
    NO_TOKEN = "no-token"  # noqa: S105 - a name, not a token
    V1_OVER_BETA = "v1-over-beta"
    LACKS_PERMISSION = "lacks-permission"
    NOT_IN_GRAPH = "not-in-graph"
    SLOW_ACKNOWLEDGEMENT = "slow-acknowledgement"
    WRONG_CLIENT_STATE = "wrong-client-state"
    NEVER_RENEWED = "never-renewed"

    __hash__ = str.__hash__  # the enum's own is written in Python


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A fact about one request.

    Attributes:
        number: The request's, in its session's journal; of a notification, the newest one's.
        text: What was seen, one line; secrets and identities out.
    """

    kind: Kind
    number: int
    text: str
