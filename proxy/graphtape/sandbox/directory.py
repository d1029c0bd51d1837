"""The tenant's people and their photos.

After the pages of the Microsoft Graph reference: "user resource type", "List users", "Get a
user", "Create user", "Update user", "Delete a user", "Get profilePhoto", "Update profilePhoto".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from graphtape.core.message import media_type
from graphtape.sandbox.call import Call, Operations, Version
from graphtape.sandbox.collection import EntitySet, Row, entity_body, page
from graphtape.sandbox.fault import GraphFault, unknown_segment
from graphtape.sandbox.outcome import Document, Empty, Media, Outcome
from graphtape.sandbox.photo import PORTRAIT, Photo, uploaded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.sandbox.identity import IdSource
    from graphtape.sandbox.query import Properties

_WRITABLE: Mapping[str, type] = {
    "accountEnabled": bool,
    "businessPhones": list,
    "department": str,
    "displayName": str,
    "givenName": str,
    "jobTitle": str,
    "mail": str,
    "mailNickname": str,
    "mobilePhone": str,
    "officeLocation": str,
    "preferredLanguage": str,
    "surname": str,
    "usageLocation": str,
    "userPrincipalName": str,
    "userType": str,
}
_REQUIRED = (
    "accountEnabled",
    "displayName",
    "mailNickname",
    "passwordProfile",
    "userPrincipalName",
)
_DEFAULT = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
"""What v1.0 answers where nothing is selected; beta answers everything."""

_USERS = EntitySet(
    path="users",
    type_name="microsoft.graph.user",
    properties=("id", "createdDateTime", *_WRITABLE),
)

_PEOPLE_AT_FIRST = (
    ("Megan", "Bowen", "MeganB@contoso.com", "Marketing Manager"),
    ("Adele", "Vance", "AdeleV@contoso.com", "Retail Manager"),
    ("Alex", "Wilber", "AlexW@contoso.com", "Marketing Assistant"),
    ("Diego", "Siciliani", "DiegoS@contoso.com", "HR Manager"),
    ("Grady", "Archie", "GradyA@contoso.onmicrosoft.com", "Designer"),
    ("Isaiah", "Langer", "IsaiahL@contoso.onmicrosoft.com", "Sales Rep"),
    ("Zoë", "O'Brien", "ZoeO@contoso.com", None),
)
"""Given name, surname, user principal name, job title; the first one is signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user.

    Attributes:
        properties: In full.
    """

    serial: int
    id: str
    properties: Properties
    photo: Photo | None = None

    @property
    def principal_name(self) -> str:
        """The userPrincipalName."""
        return str(self.properties["userPrincipalName"])


@dataclass(slots=True, kw_only=True)
class Directory:
    """The people of one tenant, seven at first.

    Attributes:
        ids: Shared with the rest of the tenant.
        tenant_id: A GUID.
    """

    ids: IdSource
    tenant_id: str
    _people: dict[str, Person] = field(default_factory=dict)
    _serial: int = 0
    _me: str = ""

    def __post_init__(self) -> None:
        for given_name, surname, principal_name, job_title in _PEOPLE_AT_FIRST:
            nickname = principal_name.partition("@")[0]
            properties: dict[str, object] = {
                "accountEnabled": True,
                "businessPhones": ["+1 425 555 0100"],
                "displayName": f"{given_name} {surname}",
                "givenName": given_name,
                "jobTitle": job_title,
                "mail": principal_name,
                "mailNickname": nickname,
                "preferredLanguage": "en-US",
                "surname": surname,
                "usageLocation": "US",
                "userPrincipalName": principal_name,
            }
            self._add(properties, created="2025-11-03T09:00:00Z")
        self._me, first = next(iter(self._people.items()))
        self._people[self._me] = replace(first, photo=PORTRAIT)

    def operations(self, segments: tuple[str, ...]) -> Operations:
        """Tell what can be done at a path that begins with `users` or `me`."""
        match segments:
            case ("users",):
                return {"GET": self._list, "POST": self._create}
            case ("me",):
                return {
                    "GET": partial(self._get, self._me),
                    "PATCH": partial(self._update, self._me),
                }
            case ("users", key):
                return {
                    "GET": partial(self._get, key),
                    "PATCH": partial(self._update, key),
                    "DELETE": partial(self._delete, key),
                }
            case ("me", *rest):
                return self._photo_operations(self._me, tuple(rest))
            case ("users", key, *rest):
                return self._photo_operations(key, tuple(rest))
            case _:
                raise unknown_segment("")

    def _photo_operations(self, key: str, rest: tuple[str, ...]) -> Operations:
        put = partial(self._put_photo, key)
        match rest:
            case ("photo",):
                return {"GET": partial(self._photo_metadata, key)}
            case ("photo", "$value"):
                return {
                    "GET": partial(self._photo_value, key),
                    "PUT": put,
                    "PATCH": put,
                    "DELETE": partial(self._delete_photo, key),
                }
            case ("photo", segment, *_) | (segment, *_):
                raise unknown_segment(segment)
            case _:
                raise unknown_segment("")

    def _add(self, given: Mapping[str, object], *, created: str) -> Person:
        self._serial += 1
        key = self.ids.guid("user")
        absent: dict[str, object] = dict.fromkeys(_WRITABLE)
        fixed = {"id": key, "createdDateTime": created}
        defaults = {"businessPhones": [], "userType": "Member"}
        added = Person(
            serial=self._serial, id=key, properties={**absent, **defaults, **given, **fixed}
        )
        self._people[key] = added
        return added

    def _find(self, key: str) -> Person:
        wanted = key.lower()
        if wanted in self._people:
            return self._people[wanted]
        for person in self._people.values():
            if person.principal_name.lower() == wanted:
                return person
        raise GraphFault(
            404,
            "Request_ResourceNotFound",
            f"Resource '{key}' does not exist or one of its queried reference-property"
            " objects are not present.",
        )

    def _list(self, call: Call) -> Outcome:
        rows = [Row(serial=one.serial, properties=one.properties) for one in self._people.values()]
        return page(call, _USERS, rows, _shown_by_default(call)).document

    def _get(self, key: str, call: Call) -> Outcome:
        properties = self._find(key).properties
        return Document(body=entity_body(call, _USERS, properties, _shown_by_default(call)))

    def _create(self, call: Call) -> Outcome:
        given = _given(call)
        for name in _REQUIRED:
            if given.get(name) is None:
                message = f"A value is required for property '{name}' of resource 'User'."
                raise _directory_fault(message)
        self._refuse_taken_name(given)
        # The password is checked for and dropped: the directory never gives it back.
        del given["passwordProfile"]
        person = self._add(given, created=f"{call.now:%Y-%m-%dT%H:%M:%SZ}")
        location = (
            f"{call.root}/v2/{self.tenant_id}/directoryObjects/{person.id}"
            "/Microsoft.DirectoryServices.User"
        )
        body = entity_body(call, _USERS, person.properties, _shown_by_default(call))
        return Document(body=body, status=201, fields=(("Location", location),))

    def _update(self, key: str, call: Call) -> Outcome:
        person = self._find(key)
        given = _given(call)
        self._refuse_taken_name(given, but_for=person)
        given.pop("passwordProfile", None)
        self._people[person.id] = replace(person, properties={**person.properties, **given})
        return Empty()

    def _delete(self, key: str, _call: Call) -> Outcome:
        del self._people[self._find(key).id]
        return Empty()

    def _refuse_taken_name(
        self, given: Mapping[str, object], *, but_for: Person | None = None
    ) -> None:
        wanted = str(given.get("userPrincipalName", "")).lower()
        for person in self._people.values():
            if person is not but_for and person.principal_name.lower() == wanted:
                raise _directory_fault(
                    "Another object with the same value for property userPrincipalName"
                    " already exists."
                )

    def _photo(self, key: str) -> Photo:
        photo = self._find(key).photo
        if photo is None:
            raise GraphFault(404, "ImageNotFound", "The specified user does not have a photo.")
        return photo

    def _photo_metadata(self, key: str, call: Call) -> Outcome:
        photo = self._photo(key)
        width, height = photo.size
        owner = self._find(key).id
        return Document(
            body={
                "@odata.context": f"{call.base}/$metadata#users('{owner}')/photo/$entity",
                "@odata.mediaContentType": photo.media_type,
                "@odata.mediaEtag": photo.etag,
                "id": f"{width}x{height}",
                "width": width,
                "height": height,
            }
        )

    def _photo_value(self, key: str, _call: Call) -> Outcome:
        photo = self._photo(key)
        return Media(body=photo.data, media_type=photo.media_type, etag=photo.etag)

    def _put_photo(self, key: str, call: Call) -> Outcome:
        person = self._find(key)
        photo = uploaded(call.body, media_type(call.headers))
        self._people[person.id] = replace(person, photo=photo)
        return Empty(status=200)

    def _delete_photo(self, key: str, _call: Call) -> Outcome:
        self._photo(key)
        person = self._find(key)
        self._people[person.id] = replace(person, photo=None)
        return Empty()


def _shown_by_default(call: Call) -> tuple[str, ...]:
    return _USERS.properties if call.version is Version.BETA else _DEFAULT


def _given(call: Call) -> dict[str, object]:
    """Read what a create or update may set."""
    given: dict[str, object] = {}
    for name, value in call.json_object().items():
        if "@" in name:
            continue  # an annotation such as @odata.type
        wanted = dict if name == "passwordProfile" else _WRITABLE.get(name)
        if wanted is None:
            raise _directory_fault(f"Invalid property '{name}'.")
        if value is not None and not isinstance(value, wanted):
            raise _directory_fault(
                f"Invalid value specified for property '{name}' of resource 'User'."
            )
        given[name] = value
    if not given.get("userPrincipalName", "unchanged"):
        raise _directory_fault(
            "A value is required for property 'userPrincipalName' of resource 'User'."
        )
    return given


def _directory_fault(message: str) -> GraphFault:
    return GraphFault(400, "Request_BadRequest", message)
