"""The subscriptions of one session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.scenario.graph_error import GraphError

if TYPE_CHECKING:
    from datetime import datetime

    from graphtape.core.notification.subscription import Subscription

NOT_FOUND = GraphError(code="ResourceNotFound", status=404, message="The object was not found.")
"""Of a subscription that was never made, was deleted, or has expired."""


@dataclass(slots=True)
class Register:
    """Subscriptions by id, in the order they were made."""

    _held: dict[str, Subscription] = field(default_factory=dict)
    _expired: list[Subscription] = field(default_factory=list)

    def put(self, subscription: Subscription) -> None:
        """Keep a subscription, in place of the one with its id."""
        self._held[subscription.id] = subscription

    def find(self, id: str, *, now: datetime) -> Subscription | None:  # noqa: A002 - Graph's own word
        """Return an active one; None where it is gone."""
        self._expire(now=now)
        return self._held.get(id.lower())

    def active(self, *, now: datetime) -> tuple[Subscription, ...]:
        """Return those that haven't expired."""
        self._expire(now=now)
        return tuple(self._held.values())

    def drop(self, id: str) -> None:  # noqa: A002 - Graph's own word
        """Forget one."""
        self._held.pop(id.lower(), None)

    def expired(self, *, now: datetime) -> tuple[Subscription, ...]:
        """Return those that have expired since this was asked last."""
        self._expire(now=now)
        gone, self._expired = tuple(self._expired), []
        return gone

    def _expire(self, *, now: datetime) -> None:
        gone = [each for each in self._held.values() if each.expires <= now]
        for each in gone:
            del self._held[each.id]
        self._expired += gone
