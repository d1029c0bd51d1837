"""A notification, as a scenario's file spells it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from graphtape.core.scenario.key_fault import KeyFault
from graphtape.core.scenario.notice import Notice


class SpelledNotice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the app is notified of, once the call is answered: a change, or a lifecycle event."""

    resource: Annotated[
        str,
        Meta(
            description="without version; of a lifecycle event what is subscribed to, all "
            "subscriptions unless said",
            examples=["/me/messages/AAMk1"],
        ),
    ] = ""
    change_type: Annotated[
        Literal["created", "updated", "deleted"] | None, Meta(description="updated, unless said")
    ] = field(default=None, name="changeType")
    lifecycle_event: Annotated[
        Literal["reauthorizationRequired", "subscriptionRemoved", "missed"] | None,
        Meta(description="in place of a change"),
    ] = field(default=None, name="lifecycleEvent")

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Notice:
        """Make the notice.

        Raises:
            KeyFault: The resource is none, or it is neither a change nor an event.
        """
        if "?" in self.resource or (self.resource and not self.resource.strip("/")):
            raise KeyFault(f"{self.resource!r} is no resource; write /me/messages/ID", "resource")
        if self.lifecycle_event is None:
            if not self.resource:
                raise KeyFault("says nothing; write resource, or lifecycleEvent")
            return Notice(resource=self.resource, change_type=self.change_type or "updated")
        if self.change_type is not None:
            raise KeyFault("a lifecycle event is no change; drop one of the two", "changeType")
        return Notice(resource=self.resource, lifecycle=self.lifecycle_event)
