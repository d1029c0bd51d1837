"""The tenant's chromeOSOnboardingSettings and how their status moves.

After the pages of the Intune reference, beta: "chromeOSOnboardingSettings resource type", its
List, Get, Create, Update and Delete, "connect action" and "disconnect action". Those leave open
when a status changes; in the sandbox it moves with the reads, never with the clock:

| action     | which settings              | next two reads | from the third read on |
| ---------- | --------------------------- | -------------- | ---------------------- |
| connect    | the owner's, or a new one   | `inprogress`   | `onboarded`            |
| disconnect | all: it names none          | `offboarding`  | `unknown`              |

A list reads every setting on the page it answers, a get reads one; nothing else counts as a read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import ONBOARDING_STATUSES
from graphtape.sandbox.collection import EntitySet, Row, entity_body, page
from graphtape.sandbox.fault import GraphFault, unknown_property, unknown_segment
from graphtape.sandbox.outcome import Document, Empty, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphtape.sandbox.call import Call, Operations
    from graphtape.sandbox.identity import IdSource
    from graphtape.sandbox.query import Properties

_NEVER = "0001-01-01T00:00:00Z"
"""What Intune writes for a time that hasn't come: .NET's least DateTimeOffset."""

_ACTION_STATUS = "inprogress"
"""What both actions answer, always ("connect action", "disconnect action")."""

_SETTINGS = EntitySet(
    path="deviceManagement/chromeOSOnboardingSettings",
    type_name="microsoft.graph.chromeOSOnboardingSettings",
    properties=(
        "id",
        "ownerUserPrincipalName",
        "onboardingStatus",
        "lastModifiedDateTime",
        "lastDirectorySyncDateTime",
    ),
)
_CONNECT_FIELDS = ("ownerUserPrincipalName", "ownerAccessToken")
_OWNERS_AT_FIRST = ("admin@contoso.com", "it@contoso.com", "lab@contoso.onmicrosoft.com")


class Action(StrEnum):
    """The two actions of the collection."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a status is, and where it goes.

    Attributes:
        coming: What the next reads see, one each.
        settled: What every read after them sees.
    """

    coming: tuple[str, ...] = ()
    settled: str

    @property
    def status(self) -> str:
        """What a read sees now."""
        return self.coming[0] if self.coming else self.settled

    def after_read(self) -> Progress:
        """Move on by one read."""
        return replace(self, coming=self.coming[1:])


PROGRESS: Mapping[Action, Progress] = {
    Action.CONNECT: Progress(coming=("inprogress", "inprogress"), settled="onboarded"),
    Action.DISCONNECT: Progress(coming=("offboarding", "offboarding"), settled="unknown"),
}
"""The state machine: what an action starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One chromeOSOnboardingSettings; times as Graph writes them."""

    serial: int
    id: str
    owner: str
    progress: Progress
    modified: str
    synced: str = _NEVER

    @property
    def properties(self) -> Properties:
        """The entity as it reads now."""
        return {
            "id": self.id,
            "ownerUserPrincipalName": self.owner,
            "onboardingStatus": self.progress.status,
            "lastModifiedDateTime": self.modified,
            "lastDirectorySyncDateTime": self.synced,
        }


@dataclass(slots=True, kw_only=True)
class Onboarding:
    """The settings of one tenant, three at first.

    Attributes:
        ids: Shared with the rest of the tenant.
    """

    ids: IdSource
    _settings: dict[str, Setting] = field(default_factory=dict)
    _serial: int = 0

    def __post_init__(self) -> None:
        for day, owner in enumerate(_OWNERS_AT_FIRST, start=5):
            self._add(
                owner=owner,
                progress=Progress(settled="onboarded"),
                modified=f"2026-01-{day:02}T08:30:00.0000000Z",
                synced=f"2026-01-{day:02}T09:15:42.1234567Z",
            )

    def operations(self, segments: tuple[str, ...]) -> Operations:
        """Tell what can be done at a path below the collection."""
        match segments:
            case ():
                return {"GET": self._list, "POST": self._create}
            case (Action.CONNECT,):
                return {"POST": self._connect}
            case (Action.DISCONNECT,):
                return {"POST": self._disconnect}
            case (key,):
                return {
                    "GET": partial(self._get, key),
                    "PATCH": partial(self._update, key),
                    "DELETE": partial(self._delete, key),
                }
            case (_, segment, *_):
                raise unknown_segment(segment)
            case _:
                raise unknown_segment("")

    def _add(self, *, owner: str, progress: Progress, modified: str, synced: str) -> Setting:
        self._serial += 1
        added = Setting(
            serial=self._serial,
            id=self.ids.guid("chromeOSOnboardingSettings"),
            owner=owner,
            progress=progress,
            modified=modified,
            synced=synced,
        )
        self._settings[added.id] = added
        return added

    def _find(self, key: str, call: Call) -> Setting:
        found = self._settings.get(key.lower())
        if found is None:
            raise GraphFault(
                404, "ResourceNotFound", "An error has occurred", intune_path=call.path
            )
        return found

    def _read(self, setting: Setting) -> None:
        self._settings[setting.id] = replace(setting, progress=setting.progress.after_read())

    def _list(self, call: Call) -> Outcome:
        rows = [
            Row(serial=one.serial, properties=one.properties) for one in self._settings.values()
        ]
        shown = page(call, _SETTINGS, rows, _SETTINGS.properties)
        for setting in tuple(self._settings.values()):
            if setting.serial in shown.serials:
                self._read(setting)
        return shown.document

    def _get(self, key: str, call: Call) -> Outcome:
        setting = self._find(key, call)
        body = entity_body(call, _SETTINGS, setting.properties, _SETTINGS.properties)
        self._read(setting)
        return Document(body=body)

    def _create(self, call: Call) -> Outcome:
        given = _given(call)
        setting = self._add(
            owner=given.get("ownerUserPrincipalName", ""),
            progress=Progress(settled=given.get("onboardingStatus", "unknown")),
            modified=_written(call.now),
            synced=given.get("lastDirectorySyncDateTime", _NEVER),
        )
        body = entity_body(call, _SETTINGS, setting.properties, _SETTINGS.properties)
        # Intune's front end gives the bare root, with no path to the new entity.
        return Document(body=body, status=201, fields=(("Location", call.root),))

    def _update(self, key: str, call: Call) -> Outcome:
        old = self._find(key, call)
        given = _given(call)
        progress = old.progress
        if "onboardingStatus" in given:
            progress = Progress(settled=given["onboardingStatus"])
        new = replace(
            old,
            owner=given.get("ownerUserPrincipalName", old.owner),
            progress=progress,
            modified=_written(call.now),
            synced=given.get("lastDirectorySyncDateTime", old.synced),
        )
        self._settings[new.id] = new
        if _prefers_minimal(call):
            return Empty(fields=(("Preference-Applied", "return=minimal"),))
        return Document(body=entity_body(call, _SETTINGS, new.properties, _SETTINGS.properties))

    def _delete(self, key: str, call: Call) -> Outcome:
        del self._settings[self._find(key, call).id]
        return Empty()

    def _connect(self, call: Call) -> Outcome:
        fields = call.json_object()
        for name in _CONNECT_FIELDS:
            if not isinstance(fields.get(name), str) or not fields[name]:
                raise _refused(call, f"The parameter '{name}' is required and must not be empty.")
        # The token goes no further: a tenant that kept it could leak it.
        owner = str(fields["ownerUserPrincipalName"])
        known = [one for one in self._settings.values() if one.owner.lower() == owner.lower()]
        if not known:
            started = PROGRESS[Action.CONNECT]
            self._add(owner=owner, progress=started, modified=_written(call.now), synced=_NEVER)
        for setting in known:
            self._start(Action.CONNECT, setting, call)
        return _action_answer(call)

    def _disconnect(self, call: Call) -> Outcome:
        for setting in tuple(self._settings.values()):
            self._start(Action.DISCONNECT, setting, call)
        return _action_answer(call)

    def _start(self, action: Action, setting: Setting, call: Call) -> None:
        self._settings[setting.id] = replace(
            setting, progress=PROGRESS[action], modified=_written(call.now)
        )


def _given(call: Call) -> dict[str, str]:
    """Read what a create or update may set; the tenant itself keeps ids and modified times."""
    given: dict[str, str] = {}
    for name, value in call.json_object().items():
        if "@" in name:
            continue  # an annotation such as @odata.type
        if name not in _SETTINGS.properties:
            raise unknown_property(name, _SETTINGS.type_name)
        if not isinstance(value, str):
            raise _refused(call, f"The property '{name}' must be a string.")
        given[name] = value
    status = given.get("onboardingStatus")
    if status is not None and status not in ONBOARDING_STATUSES:
        known = ", ".join(ONBOARDING_STATUSES)
        raise _refused(call, f"'{status}' is no onboardingStatus; there are {known}.")
    return given


def _refused(call: Call, message: str) -> GraphFault:
    return GraphFault(400, "BadRequest", message, intune_path=call.path)


def _action_answer(call: Call) -> Document:
    context = f"{call.base}/$metadata#microsoft.graph.chromeOSOnboardingStatus"
    return Document(body={"@odata.context": context, "value": _ACTION_STATUS})


def _prefers_minimal(call: Call) -> bool:
    preferences = ",".join(call.headers.all("Prefer"))
    return any(one.strip().lower() == "return=minimal" for one in preferences.split(","))


def _written(moment: datetime) -> str:
    # Intune writes seven fraction digits, Python has six.
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"
