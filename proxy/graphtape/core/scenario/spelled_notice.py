"""A notification, as a scenario's file spells it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from graphtape.core.scenario.key_fault import KeyFault
from graphtape.core.scenario.notice import Notice, NoticeFault

FaultName = Literal[
    "doubled", "out-of-order", "late", "wrong-client-state", "after-expiry", "missed"
]


class SpelledNotice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the app is notified of, once the call is answered: a change, or a lifecycle event."""

    resource: Annotated[
        str,
        Meta(
            description="without version; with a fault alone, what the call itself changes; of a "
            "lifecycle event what is subscribed to, all subscriptions unless said",
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
    fault: Annotated[FaultName | None, Meta(description="what goes wrong with it")] = None

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
            if not self.resource and (self.fault is None or self.change_type is not None):
                raise KeyFault("says nothing; write resource, lifecycleEvent, or fault alone")
            change_type = self.change_type or "updated"
            fault = None if self.fault is None else NoticeFault(self.fault)
            return Notice(resource=self.resource, change_type=change_type, fault=fault)
        if self.fault is not None:
            raise KeyFault("a fault is of a change; drop one of the two", "fault")
        if self.change_type is not None:
            raise KeyFault("a lifecycle event is no change; drop one of the two", "changeType")
        return Notice(resource=self.resource, lifecycle=self.lifecycle_event)
