"""What a scenario notifies an app of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One change, or one event in the life of subscriptions.

    Attributes:
        resource: Below the version, as in a request: what changed; of an event, what is subscribed
            to, and '' for all.
        change_type: `created`, `updated` or `deleted`.
        lifecycle: The event, in place of a change; None of a change.
    """

    resource: str
    change_type: str = "updated"
    lifecycle: str | None = None
