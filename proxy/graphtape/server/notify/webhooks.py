"""The subscriptions of one session, and the app they call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphtape.core.notification.register import Register

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.notification.conduct import Conduct
    from graphtape.server.notify.app import App


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """What a session knows of its app's subscriptions.

    Attributes:
        app: Where notifications go.
        conduct: How long is waited for it.
        clock: Unix seconds.
        register: The subscriptions.
    """

    app: App
    conduct: Conduct
    clock: Callable[[], float]
    register: Register = field(default_factory=Register)

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC)
