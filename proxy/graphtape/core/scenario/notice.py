"""What a scenario notifies an app of."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class NoticeFault(enum.StrEnum):
    """What goes wrong with a notification."""

    DOUBLED = "doubled"
    OUT_OF_ORDER = "out-of-order"
    LATE = "late"
    WRONG_CLIENT_STATE = "wrong-client-state"
    AFTER_EXPIRY = "after-expiry"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One change, or one event in the life of subscriptions.

    Attributes:
        resource: Below the version, as in a request: what changed, and '' for what the call itself
            changes; of an event, what is subscribed to, and '' for all.
        change_type: `created`, `updated` or `deleted`.
        lifecycle: The event, in place of a change; None of a change.
        fault: What goes wrong with it; None where nothing does.
    """

    resource: str
    change_type: str = "updated"
    lifecycle: str | None = None
    fault: NoticeFault | None = None
