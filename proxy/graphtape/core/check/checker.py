"""A call compared with Graph's model, and what is answered to it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from graphtape.core.check.finding import Finding, Lacks
from graphtape.core.graph.link import shown
from graphtape.core.matching.body import json_of
from graphtape.core.matching.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.check.model import Model, Takes
    from graphtape.core.matching.body import Json
    from graphtape.core.message import Interaction, Request

_FIRST_ERROR = 400
_VERSIONS = ("v1.0", "beta")
# Every collection takes these; they are no OData options of the caller's, but Graph's own.
_ANYWHERE = frozenset({"$skiptoken", "$deltatoken", "$format", "$count", "api-version"})
_LAST = frozenset({"$batch", "$metadata", "$value", "$ref", "$count"})
_DEEPEST = 60


@dataclass(slots=True, kw_only=True)
class Checker:
    """Compares calls with the model of the version that they ask.

    Attributes:
        models: The model of a version, `v1.0` or `beta`; loaded when it is first asked for.
    """

    models: Callable[[str], Model]

    def request(self, request: Request) -> list[Finding]:
        """List what of a request, its body included, Graph doesn't have."""
        found = self.call(request.method, request.url)
        takes = self.takes(request.method, request.url)
        if takes is not None:
            model, operation = takes
            sent = _json(lambda: json_of(request.headers, request.body))
            found += self.value(model, sent, operation.body, place="request.body")
        return found

    def interaction(self, interaction: Interaction) -> list[Finding]:
        """List what of a call, and of the answer to it, Graph doesn't have."""
        request, response = interaction.request, interaction.response
        found = self.request(request)
        takes = self.takes(request.method, request.url)
        if takes is not None and response.status < _FIRST_ERROR:
            model, operation = takes
            answered = _json(lambda: json_of(response.headers, response.body))
            found += self.answer(model, answered, operation.answer, place="response.body")
        return found

    def call(self, method: str, url: str) -> list[Finding]:
        """List what of a request line Graph doesn't have."""
        split = _below(method, url)
        if split is None:
            return []
        version, segments, operation = split
        model = self.models(version)
        methods = model.methods(segments)
        if method not in methods:
            if self._is_known(model, segments, method):
                return []
            what, near, there = str(operation), model.near(segments, method), ""
            if near is None and methods:
                there = f"it takes {', '.join(sorted(methods))}"
            elif near is None:
                other = next(each for each in _VERSIONS if each != version)
                there = f"{other} has it" if method in self.models(other).methods(segments) else ""
            return [Finding(place="request", lacks=Lacks.OPERATION, what=what, of=there, near=near)]
        return self._options(methods[method], url, operation)

    def takes(self, method: str, url: str) -> tuple[Model, Takes] | None:
        """Return what an operation takes; None of one that isn't known."""
        split = _below(method, url)
        if split is None:
            return None
        model = self.models(split[0])
        found = model.methods(split[1]).get(method)
        return None if found is None else (model, found)

    def _is_known(self, model: Model, segments: list[str], method: str) -> bool:
        """Tell whether a path is one that no SDK lists: metadata, and single properties."""
        if segments[-1:] and segments[-1].lower() in _LAST:
            return segments[-1].lower() in {"$batch", "$metadata"} or (
                model.find(segments[:-1]) is not None
            )
        owner = model.methods(segments[:-1]).get("GET") if segments else None
        if owner is None or method != "GET" or owner.answer.endswith("[]"):
            return False
        names = {name.lower() for name in model.properties(owner.answer)}
        return segments[-1].lower() in names or model.knows(segments[-1].lower())

    def _options(self, takes: Takes, url: str, operation: Operation) -> list[Finding]:
        if takes.options is None:
            return []
        known = {name.lower(): name for name in takes.options}
        found = []
        for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True):
            folded = name.lower()
            if folded in known or folded in _ANYWHERE or f"${folded}" in known:
                continue
            near = _near(folded, known)
            found.append(
                Finding(
                    place="request.query",
                    lacks=Lacks.OPTION,
                    what=shown(name),
                    of=str(operation),
                    near=near,
                )
            )
        return found

    def answer(self, model: Model, value: Json, kind: str, *, place: str) -> list[Finding]:
        """List what of an answer's body Graph doesn't have."""
        if not isinstance(value, dict):
            return []
        if kind.startswith("="):
            return self.value(model, value.get("value"), kind[1:], place=f"{place}.value")
        if kind.endswith("[]"):
            items = value.get("value")
            return self.value(model, items, kind, place=f"{place}.value")
        return self.value(model, value, kind, place=place)

    def value(
        self, model: Model, value: Json, kind: str, *, place: str, depth: int = 0
    ) -> list[Finding]:
        """List what of a value of a type Graph doesn't have.

        Args:
            model: Of the version.
            value: As decoded.
            kind: The name of the type, `[]` behind it for a list; empty where it isn't known.
            place: Where the value stands.
            depth: How deep that is.
        """
        if not kind or depth > _DEEPEST:
            return []
        if isinstance(value, list):
            each = kind.removesuffix("[]")
            return [
                finding
                for number, item in enumerate(value)
                for finding in self.value(
                    model, item, each, place=f"{place}[{number}]", depth=depth + 1
                )
            ]
        if isinstance(value, str):
            return _member(model, value, kind.removesuffix("[]"), place)
        if isinstance(value, dict) and not kind.endswith("[]"):
            return self._object(model, value, kind, place, depth)
        return []

    def _object(
        self, model: Model, value: dict[str, Json], kind: str, place: str, depth: int
    ) -> list[Finding]:
        named = value.get("@odata.type")
        if isinstance(named, str):
            own = named.lower().removeprefix("#").removeprefix("microsoft.graph.")
            kind = own if model.knows(own) else kind
        if not model.knows(kind):
            return []
        properties = model.properties(kind)
        folded = {name.lower(): name for name in properties}
        parameters = kind.startswith("!")  # of an action, whose case Graph doesn't mind
        found = []
        for name, child in value.items():
            below = f"{place}.{name}"
            known = folded.get(name.lower()) if parameters else name
            if known in properties:
                found += self.value(model, child, properties[known], place=below, depth=depth + 1)
            elif not _is_free(name):
                found.append(
                    Finding(
                        place=below,
                        lacks=Lacks.PROPERTY,
                        what=name,
                        of=model.spelled(kind),
                        near=folded.get(name.lower()) or _near(name.lower(), folded),
                    )
                )
        return found


def _below(method: str, url: str) -> tuple[str, list[str], Operation] | None:
    """Return version, path below it and operation of a Graph URL; None off Graph."""
    operation = Operation.of(method, url)
    if not operation.path.startswith("/"):
        return None
    version, *segments = [part for part in operation.path.split("/") if part] or [""]
    return (version, segments, operation) if version in _VERSIONS and segments else None


def _member(model: Model, value: str, kind: str, place: str) -> list[Finding]:
    members = model.enums.get(kind)
    if not members:
        return []
    known = {member.lower(): member for member in members}
    return [
        Finding(
            place=place,
            lacks=Lacks.MEMBER,
            what=repr(one),
            of=model.spelled(kind),
            near=known.get(one.lower()) or _near(one.lower(), known),
        )
        for one in (part.strip() for part in value.split(","))  # flags have commas between
        if one not in members
    ]


def _is_free(name: str) -> bool:
    """Tell names that are no property: annotations, and those of schema and open extensions."""
    return "@" in name or "." in name or name.startswith(("extension_", "ext"))


def _near(name: str, known: dict[str, str]) -> str | None:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return known[close[0]] if close else None


def _json(read: Callable[[], Json]) -> Json:
    try:
        return read()
    except ValueError:
        return None
