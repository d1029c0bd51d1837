"""What is POSTed to an app.

Microsoft Graph docs, "changeNotificationCollection resource type" and "changeNotification".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from graphtape.core.notification.subscription import written_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from graphtape.core.matching.body import Json
    from graphtape.core.notification.change import Change
    from graphtape.core.notification.subscription import Subscription

_OF_THEN = frozenset({"clientState", "encryptedContent"})
MEDIA = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One item of a POST.

    Attributes:
        subscription: As it was when the change happened.
        fields: By Graph's names.
    """

    subscription: Subscription
    fields: dict[str, Json]


def notification(
    subscription: Subscription,
    change: Change,
    change_type: str,
    *,
    id: str,  # noqa: A002 - Graph's own word
) -> Notification:
    """Tell a subscription of a change.

    Args:
        subscription: That wants it.
        change: What happened.
        change_type: What it is notified as.
        id: Of the notification, a new one.
    """
    kind = subscription.kind
    data: dict[str, Json] = {"@odata.type": f"#Microsoft.Graph.{kind.name}"}
    # Of drives and lists Graph doesn't say which item it was: a delta query does.
    resource = subscription.resource.strip("/") if kind.whole_tree else change.resource
    if not kind.whole_tree:
        data["@odata.id"] = resource
        etag = change.data.get("@odata.etag")
        if etag is not None:
            data["@odata.etag"] = etag
        data["id"] = change.path[-1]
    fields = _common(subscription) | {
        "id": id,
        "changeType": change_type,
        "resource": resource,
        "resourceData": data,
    }
    return Notification(subscription=subscription, fields=fields)


def renewed_for(subscription: Subscription, item: Mapping[str, Json]) -> Notification:
    """Return a recorded item as a subscription of now is told it; without recorded data."""
    kept = {name: value for name, value in item.items() if name not in _OF_THEN}
    return Notification(subscription=subscription, fields=kept | _common(subscription))


WRONG_STATE = "graphtape-wrong-client-state"


def with_wrong_state(told: Notification) -> Notification:
    """Return it with a clientState that isn't the subscription's."""
    return replace(told, fields=told.fields | {"clientState": WRONG_STATE})


def expired(told: Notification, *, now: datetime) -> Notification:
    """Return it as of a subscription that has just expired."""
    ended = written_time(now - timedelta(seconds=1))
    return replace(told, fields=told.fields | {"subscriptionExpirationDateTime": ended})


def lifecycle_notification(subscription: Subscription, event: str) -> Notification:
    """Tell a subscription of an event in its own life."""
    fields = _common(subscription) | {"lifecycleEvent": event}
    return Notification(subscription=subscription, fields=fields)


def _common(subscription: Subscription) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": written_time(subscription.expires),
        "tenantId": subscription.owner.tenant,
    }
    if subscription.client_state is not None:
        fields["clientState"] = subscription.client_state
    return fields


def collection(notifications: Iterable[Notification], tokens: Iterable[str] = ()) -> bytes:
    """Write what one POST carries.

    Args:
        notifications: Its items.
        tokens: `validationTokens`; none where no item holds data.
    """
    fields: dict[str, Json] = {"value": [dict(each.fields) for each in notifications]}
    signed: list[Json] = [*tokens]
    if signed:
        fields["validationTokens"] = signed
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogateescape")
