"""Changes that a client of the control API lets happen, and what became of notifications."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from graphtape.core.errors import RequestError
from graphtape.core.notification.change import Change, path_of
from graphtape.server.control.details.notification_message import (
    AttemptFacts,
    DispatchFacts,
    DispatchList,
    NewNotification,
)
from graphtape.server.control.reading import fault

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json
    from graphtape.core.notification.payload import Notification
    from graphtape.server.control.message import Nothing
    from graphtape.server.control.route import Call
    from graphtape.server.notify.outbox import Dispatch
    from graphtape.server.notify.webhooks import Webhooks
    from graphtape.server.session.live_session import LiveSession


async def notify(call: Call[Nothing, NewNotification]) -> DispatchList:
    """Notify the app of a change; returns before it is."""
    live, asked = call.session, call.body
    webhooks = _webhooks(call, live)
    if asked.lifecycle_event is not None and asked.change_type is None:
        if asked.fault is not None:
            raise fault("GraphtapeBody", "$.fault", "a fault is of a change; leave it out")
        what: str = asked.lifecycle_event
        sent = webhooks.tell_lifecycle(what, resource=asked.resource or "")
    elif asked.resource and asked.change_type and asked.lifecycle_event is None:
        what = asked.change_type
        data = cast("dict[str, Json]", asked.data)
        change = Change(path=path_of(asked.resource), type=what, data=data)
        if webhooks.wants(change):  # what is missed is wanted, and not sent
            sent = webhooks.tell([(change,)], fault=asked.fault)
            return DispatchList(notifications=[_facts(live, each) for each in sent])
        sent = []
    else:
        raise fault("GraphtapeBody", "$", "write resource and changeType, or lifecycleEvent")
    if not sent:
        raise _unheard(live, webhooks, f"{what} {asked.resource or 'any resource'}"[:200])
    return DispatchList(notifications=[_facts(live, each) for each in sent])


def _unheard(live: LiveSession, webhooks: Webhooks, what: str) -> RequestError:
    active = webhooks.register.active(now=webhooks.now())
    held = ", ".join(live.clean.text(each.resource) for each in active) or "none"
    return RequestError(
        f"no subscription of session {live.play.id!r} is told of {what!r}; it has: {held}. "
        "Lifecycle events go to those with a lifecycleNotificationUrl, and missed and "
        "subscriptionRemoved only to resources that Graph documents them for",
        status=HTTPStatus.CONFLICT,
        code="GraphtapeNoSubscription",
    )


async def notifications(call: Call[Nothing, Nothing]) -> DispatchList:
    """Tell what became of a session's notifications, the oldest first."""
    live = call.session
    kept = _webhooks(call, live).outbox.kept
    return DispatchList(notifications=[_facts(live, each) for each in kept])


def _webhooks(
    call: Call[Nothing, NewNotification] | Call[Nothing, Nothing], live: LiveSession
) -> Webhooks:
    if call.desk.notifier is None or live.play.forwards:
        raise RequestError(
            "this proxy notifies nobody; start it with `graphtape replay --notify URL`",
            status=HTTPStatus.CONFLICT,
            code="GraphtapeNotNotifying",
        )
    return call.desk.notifier.webhooks(live)


def _facts(live: LiveSession, dispatch: Dispatch) -> DispatchFacts:
    return DispatchFacts(
        number=dispatch.number,
        url=live.clean_url(dispatch.url),
        subscriptions=[each.subscription.id for each in dispatch.notifications],
        changes=[_in_short(live, each) for each in dispatch.notifications],
        state=dispatch.state.value,
        attempts=[
            AttemptFacts(status=each.status, milliseconds=each.milliseconds, why=each.why)
            for each in dispatch.attempts
        ],
    )


def _in_short(live: LiveSession, told: Notification) -> str:
    fields = told.fields
    event = fields.get("lifecycleEvent")
    what = told.subscription.resource if event is not None else fields["resource"]
    return f"{event or fields['changeType']} {live.clean.text(str(what))}"
