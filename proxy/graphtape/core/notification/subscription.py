"""A subscription, and what Graph says of a body that is to become one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from graphtape.core.notification.change import segments_of
from graphtape.core.notification.kind import CHANGES, OTHER, Kind, kind_of
from graphtape.core.scenario.graph_error import GraphError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json
    from graphtape.core.notification.change import Change

_TEXTS = (
    *("resource", "changeType", "clientState", "notificationUrl", "lifecycleNotificationUrl"),
    *("expirationDateTime", "notificationQueryOptions", "notificationUrlAppId"),
    *("encryptionCertificate", "encryptionCertificateId", "latestSupportedTlsVersion"),
)
_OWN = frozenset({"id", "applicationId", "creatorId", "includeResourceData"})
_REQUIRED = ("changeType", "notificationUrl", "resource", "expirationDateTime")
_RENEWED = ("notificationUrl", "encryptionCertificate", "encryptionCertificateId")
_LONGEST_STATE = 128
_SHORTEST = timedelta(minutes=45)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who subscribes.

    Attributes:
        application: Id of the app.
        creator: Id of the signed-in user, or of the app's service principal.
        tenant: Id of the tenant.
    """

    application: str
    creator: str
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """An active subscription.

    Attributes:
        id: A GUID.
        owner: Who made it.
        said: What the app said, by Graph's names; only what Graph knows.
        expires: UTC.
        segments: Of the resource's path, lower case, keys apart.
        kind: Of the resource.
    """

    id: str
    owner: Owner
    said: Mapping[str, Json]
    expires: datetime
    segments: tuple[str, ...]
    kind: Kind

    @property
    def resource(self) -> str:
        """As the app said it."""
        return self._text("resource")

    @property
    def url(self) -> str:
        """Where notifications go."""
        return self._text("notificationUrl")

    @property
    def lifecycle_url(self) -> str | None:
        """Where lifecycle notifications go; None where the app takes none."""
        return self._text("lifecycleNotificationUrl") or None

    @property
    def client_state(self) -> str | None:
        """What each notification repeats, so that the app knows it for Graph's."""
        value = self.said.get("clientState")
        return value if isinstance(value, str) else None

    @property
    def rich(self) -> bool:
        """Whether notifications hold the resource's data."""
        return self.said.get("includeResourceData") is True

    def _text(self, name: str) -> str:
        value = self.said.get(name)
        return value if isinstance(value, str) else ""

    def wants(self, change: Change) -> str | None:
        """Return the change type that a change is notified as; None where it isn't."""
        if not change.is_covered(self.segments, self.kind):
            return None
        wanted = change_types(self._text("changeType"))
        found = self.kind.told_as(change.type)
        return found if found in wanted else None

    def shown(self, version: str) -> dict[str, Json]:
        """Return it as Graph answers it; `version` is `v1.0` or `beta`."""
        context = f"https://graph.microsoft.com/{version}/$metadata#subscriptions/$entity"
        return {"@odata.context": context, **self.listed()}

    def listed(self) -> dict[str, Json]:
        """Return it as an item of a list."""
        return {
            "id": self.id,
            "resource": self.said.get("resource"),
            "applicationId": self.owner.application,
            "changeType": self.said.get("changeType"),
            "clientState": self.said.get("clientState"),
            "notificationUrl": self.said.get("notificationUrl"),
            "notificationQueryOptions": self.said.get("notificationQueryOptions"),
            "lifecycleNotificationUrl": self.said.get("lifecycleNotificationUrl"),
            "expirationDateTime": written_time(self.expires),
            "creatorId": self.owner.creator,
            "includeResourceData": self.said.get("includeResourceData"),
            "latestSupportedTlsVersion": self.said.get("latestSupportedTlsVersion", "v1_2"),
            "encryptionCertificate": None,
            "encryptionCertificateId": self.said.get("encryptionCertificateId"),
            "notificationUrlAppId": self.said.get("notificationUrlAppId"),
        }

    def renewed(self, body: Mapping[str, Json], *, now: datetime) -> Subscription | GraphError:
        """Return it as a PATCH would have it, or what Graph answers instead."""
        wrong = _unknown(body)
        if wrong is not None:
            return wrong
        if not {"expirationDateTime", "notificationUrl"} & body.keys():
            return _invalid(
                "Subscription must contain either the 'expirationDateTime' or 'notificationUrl' "
                "property and its value."
            )
        said = {**self.said, **{name: body[name] for name in _RENEWED if name in body}}
        wrong = _of_data(said, self.kind)
        if wrong is not None:
            return wrong
        renewed = replace(self, said=said)
        if "expirationDateTime" not in body:
            return renewed
        return _expiring(renewed, body["expirationDateTime"], now=now)


def change_types(text: str) -> tuple[str, ...]:
    """Return the change types of `created,updated`."""
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def subscribed(
    body: Mapping[str, Json],
    *,
    id: str,  # noqa: A002 - Graph's own word
    owner: Owner,
    now: datetime,
) -> Subscription | GraphError:
    """Return the subscription that a body asks for, or what Graph answers instead.

    The notification URL isn't validated yet.

    Args:
        body: Of the POST.
        id: A new GUID.
        owner: Who asks.
        now: UTC.
    """
    resource = str(body.get("resource"))
    segments = segments_of(resource)
    kind = kind_of(segments) or OTHER
    wrong = _unknown(body) or _missing(body) or _of_change_type(body, kind)
    wrong = wrong or _of_data(body, kind)
    if wrong is not None:
        return wrong
    if len(str(body.get("clientState") or "")) > _LONGEST_STATE:
        return _invalid(f"clientState is longer than {_LONGEST_STATE} characters.")
    said = {name: value for name, value in body.items() if name in _TEXTS or name in _OWN}
    made = Subscription(id=id, owner=owner, said=said, expires=now, segments=segments, kind=kind)
    return _expiring(made, body["expirationDateTime"], now=now)


def _missing(body: Mapping[str, Json]) -> GraphError | None:
    for name in _REQUIRED:
        if not body.get(name):
            return _invalid(f"{name} is a required property for subscription creation.")
    return None


def _of_data(said: Mapping[str, Json], kind: Kind) -> GraphError | None:
    """Return what is wrong with the wish for resource data, if there is one."""
    if not said.get("includeResourceData"):
        return None
    for name in ("encryptionCertificate", "encryptionCertificateId"):
        if not said.get(name):
            return _invalid(f"{name} is required when includeResourceData is true.")
    if not kind.can_be_rich:
        return _invalid(f"includeResourceData is not supported for {said['resource']!r}.")
    from graphtape.core.notification.rich import Recipient  # noqa: PLC0415 - few ask for data

    try:
        Recipient.of(str(said["encryptionCertificate"]), str(said["encryptionCertificateId"]))
    except ValueError as exc:
        return _invalid(f"encryptionCertificate can't be used: {exc}")
    return None


def _of_change_type(body: Mapping[str, Json], kind: Kind) -> GraphError | None:
    for each in change_types(str(body["changeType"])):
        if each not in CHANGES:
            return _invalid(f"Invalid changeType {each!r}; supported are {', '.join(CHANGES)}.")
        if each not in kind.changes:
            resource = body["resource"]
            return _invalid(f"{each} is not a supported changeType for {resource!r}.")
    return None


def _unknown(body: Mapping[str, Json]) -> GraphError | None:
    for name, value in body.items():
        if name.startswith("@odata.") or name in _OWN:
            continue
        if name not in _TEXTS:
            return _bad(
                f"The property '{name}' does not exist on type 'microsoft.graph.subscription'. "
                "Make sure to only use property names that are defined by the type."
            )
        if value is not None and not isinstance(value, str):
            return _bad(f"The value of the property '{name}' is no text.")
    return None


def _expiring(made: Subscription, wanted: Json, *, now: datetime) -> Subscription | GraphError:
    """Give a subscription its end: no sooner than 45 minutes, no later than the resource allows."""
    expires = read_time(wanted)
    if expires is None:
        return _bad("The value of the property 'expirationDateTime' is no date and time.")
    minutes = made.kind.longest(rich=made.rich)
    if expires > now + timedelta(minutes=minutes):
        return GraphError(
            code="ExtensionError",
            status=400,
            message=f"Subscription expiration can only be {minutes} minutes in the future.",
        )
    if made.kind.needs_lifecycle and expires > now + _HOUR and made.lifecycle_url is None:
        return _invalid(
            "lifecycleNotificationUrl is a required property for subscription creation on this "
            "resource when the expirationDateTime value is set to greater than 1 hour"
        )
    return replace(made, expires=max(expires, now + _SHORTEST))


def read_time(text: Json) -> datetime | None:
    """Read a DateTimeOffset; one without a zone is UTC. None where it is none."""
    try:
        found = datetime.fromisoformat(str(text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def written_time(moment: datetime) -> str:
    """Write a DateTimeOffset as Graph does, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _invalid(message: str) -> GraphError:
    return GraphError(code="InvalidRequest", status=400, message=message)


def _bad(message: str) -> GraphError:
    return GraphError(code="BadRequest", status=400, message=message)
