"""The resource data of notifications: from tape, and signed."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.message import Request
from graphtape.core.notification.rich import KEY_BYTES, Recipient
from graphtape.core.signin.signer import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphtape.core.matching.body import Json
    from graphtape.core.notification.change import Change
    from graphtape.core.notification.payload import Notification
    from graphtape.core.notification.subscription import Subscription
    from graphtape.core.tape.session import Session

_VERSIONS = ("v1.0", "beta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Signs with one key for a run.

    Attributes:
        signer: Its key.
        clock: Unix seconds.
    """

    signer: Signer
    clock: Callable[[], float]

    @classmethod
    async def new(cls, clock: Callable[[], float]) -> Signing:
        """Make a key."""
        return cls(signer=await asyncio.to_thread(Signer.new), clock=clock)

    def tokens(self, told: Sequence[Notification]) -> list[str]:
        """Write one token for each app and tenant, where a notification holds data."""
        owners = {each.subscription.owner for each in told if "encryptedContent" in each.fields}
        return [
            self.signer.validation_token(
                application=owner.application, tenant=owner.tenant, now=int(self.clock())
            )
            for owner in sorted(owners, key=repr)
        ]


def content(subscription: Subscription, change: Change, play: Session) -> dict[str, Json] | None:
    """Return `encryptedContent` of a change; None of what is deleted.

    The data is what the tape has for a read of the resource, else what the call said of it.
    """
    if change.type == "deleted":
        return None
    said = subscription.said
    recipient = Recipient.of(
        str(said["encryptionCertificate"]), str(said["encryptionCertificateId"])
    )
    data = {**_recorded(change, play), **change.data}
    data.setdefault("id", change.path[-1])
    return recipient.encrypted(data, key=secrets.token_bytes(KEY_BYTES))


def _recorded(change: Change, play: Session) -> dict[str, Json]:
    for version in _VERSIONS:
        url = f"https://graph.microsoft.com/{version}/{change.resource}"
        found = play.find(Request(method="GET", url=url))
        if found is not None:
            try:
                data = json.loads(found.answer.body)
            except (ValueError, RecursionError):
                continue
            if isinstance(data, dict):
                return {name: data[name] for name in data if name != "@odata.context"}
    return {}
