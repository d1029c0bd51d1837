"""What calls about notifications take and answer; the OpenAPI document is made of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from graphtape.core.scenario.notice import NoticeFault  # noqa: TC001 - msgspec reads it

Count = Annotated[int, Meta(ge=0)]


class NewNotification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change that the app is to be notified of, or an event in the life of subscriptions.

    Attributes:
        resource: Without version: `me/messages/AAMk1`. Of an event what is subscribed to; all
            subscriptions where it isn't said.
        changeType: What happened to it; not with an event.
        lifecycleEvent: In place of a change.
        fault: What goes wrong with a change's notification.
        data: Of the resource, for subscriptions that include it; over what the tape has.
    """

    resource: Annotated[str, Meta(pattern="^[^?#]*[^?#/][^?#]*$")] | None = None
    change_type: Literal["created", "updated", "deleted"] | None = field(
        default=None, name="changeType"
    )
    lifecycle_event: Literal["reauthorizationRequired", "subscriptionRemoved", "missed"] | None = (
        field(default=None, name="lifecycleEvent")
    )
    fault: NoticeFault | None = None
    data: dict[str, object] = {}


class AttemptFacts(Struct, frozen=True, kw_only=True):
    """One POST to the app.

    Attributes:
        status: That it answered; null where it gave no answer.
        milliseconds: Until the answer, or until there was none.
        why: There was none.
    """

    status: int | None
    milliseconds: float
    why: str


class DispatchFacts(Struct, frozen=True, kw_only=True):
    """What one POST carries, and how it went.

    Attributes:
        number: In the order they were made, from 1.
        url: Of the app.
        subscriptions: The ids of those that are told, one for each change.
        changes: What happened, and to what: `updated me/messages/AAMk1`, `missed me/messages`.
        state: `pending`, `delivered` or `dropped`.
        attempts: So far.
    """

    number: Count
    url: str
    subscriptions: list[str]
    changes: list[str]
    state: str
    attempts: list[AttemptFacts]


class DispatchList(Struct, frozen=True, kw_only=True):
    """Notifications, the oldest first; the newest 1000 of a session are kept."""

    notifications: list[DispatchFacts]
