"""What a test notifies an app of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.errors import UsageError
from graphtape.core.notification.change import Change, path_of
from graphtape.core.notification.kind import CHANGES, LIFECYCLE
from graphtape.core.scenario.notice import NoticeFault

if TYPE_CHECKING:
    from graphtape.server.session.live_session import LiveSession


async def notified(
    live: LiveSession, resource: str, change_type: str, *, event: str | None, fault: str | None
) -> None:
    """Notify the app of a session; arguments as of `ProxySession.notify`.

    Raises:
        UsageError: One of them is wrong.
    """
    webhooks = live.webhooks
    if event is not None:
        _check("lifecycle_event", event, LIFECYCLE)
        if webhooks is not None:
            webhooks.tell_lifecycle(event, resource=resource)
        return
    _check("change_type", change_type, CHANGES)
    if fault is not None:
        _check("fault", fault, tuple(NoticeFault))
    if not resource.strip("/"):
        raise UsageError("resource: say what changed, such as 'me/messages/AAMk1'")
    if webhooks is not None:
        change = Change(path=path_of(resource), type=change_type)
        webhooks.tell([(change,)], fault=None if fault is None else NoticeFault(fault))


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name} {value!r} is none of {', '.join(known)}")
