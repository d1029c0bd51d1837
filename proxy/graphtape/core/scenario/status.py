"""`--status`: every chromeOSOnboardingStatus answered becomes one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from graphtape.core import json_text
from graphtape.core.errors import UsageError
from graphtape.core.graph.actions import ONBOARDING_ACTIONS, ONBOARDING_STATUSES, local_name

if TYPE_CHECKING:
    from graphtape.core.json_text import Scalar
    from graphtape.core.message import Request, Response

_SETTINGS = "chromeOSOnboardingSettings"
_FIELD = "onboardingStatus"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRule:
    """Every chromeOSOnboardingStatus answered becomes `value`.

    Attributes:
        value: What is answered instead.
        action: `connect` or `disconnect` to bend that action's answer alone; None for all, and
            for the entities.
    """

    value: str
    action: str | None = None

    @classmethod
    def parse(cls, text: str) -> StatusRule:
        """Read `VALUE` or `ACTION=VALUE`.

        Raises:
            UsageError: The action isn't one that answers a status, or the value is empty.
        """
        action, equals, value = text.rpartition("=")
        if not value:
            raise UsageError(
                f"status {text!r} has no value: one of {', '.join(ONBOARDING_STATUSES)}"
            )
        if not equals:
            return cls(value=value)
        if local_name(action) not in ONBOARDING_ACTIONS:
            actions = ", ".join(ONBOARDING_ACTIONS)
            raise UsageError(f"status {text!r}: {action!r} answers no status; one of {actions}")
        return cls(value=value, action=local_name(action))

    @property
    def warning(self) -> str | None:
        """Say so where the value isn't a documented status: allowed, since enums evolve."""
        if self.value in ONBOARDING_STATUSES:
            return None
        known = ", ".join(ONBOARDING_STATUSES)
        return f"status {self.value!r} is none of those documented ({known}); it is answered as is"

    def bend(self, response: Response, *, to: Request) -> Response:
        """Return the answer with its statuses replaced; the same object where it holds none.

        Args:
            response: From the tape or upstream.
            to: Its request, at a Graph root.
        """
        if not 200 <= response.status < 300 or not response.body:  # noqa: PLR2004 - 2xx
            return response
        segments = _segments(to.url)
        batch = segments[-1:] == ("$batch",)
        if not batch and not _may_answer_status(segments):
            return response
        try:
            scalars = list(json_text.scalars(response.body))
        except json_text.NotJsonError:
            return response
        if batch:
            wanted = self._wanted_in_batch(scalars, response.body, to.body)
        else:
            wanted = self._wanted(segments, scalars, depth=0)
        if not wanted:
            return response
        replacement = json_text.quote(self.value)
        edits = [(s.start, s.end, replacement) for s in wanted]
        return replace(response, body=json_text.splice(response.body, edits))

    def _wanted(
        self, segments: tuple[str, ...], scalars: list[Scalar], *, depth: int
    ) -> list[Scalar]:
        """Pick the statuses; `depth` is how many path steps lead to the answer's own root."""
        last = local_name(segments[-1]).partition("(")[0]
        strings = (s for s in scalars if s.string)
        if last in ONBOARDING_ACTIONS or last == _FIELD:
            if self.action is not None and last != self.action:
                return []
            return [s for s in strings if s.path[depth:] == ("value",)]
        if self.action is not None:
            return []
        return [s for s in strings if len(s.path) > depth and s.path[-1] == _FIELD]

    def _wanted_in_batch(
        self, scalars: list[Scalar], answered: bytes, asked: bytes
    ) -> list[Scalar]:
        """Pick the statuses of a `$batch` answer, whose parts name their requests by id alone."""
        urls = _part_urls(asked)
        wanted: list[Scalar] = []
        for part in _parts(scalars):
            own = {s.path[2]: json_text.text(answered, s) for s in part if len(s.path) == 3}  # noqa: PLR2004 - ("responses", n, name)
            segments = _segments(urls.get(own.get("id", ""), ""))
            if _may_answer_status(segments) and own.get("status", "").startswith("2"):
                body = [s for s in part if s.path[2:3] == ("body",)]
                wanted += self._wanted(segments, body, depth=3)
        return wanted


def _parts(scalars: list[Scalar]) -> list[list[Scalar]]:
    parts: dict[str | int, list[Scalar]] = {}
    for scalar in scalars:
        if scalar.path[:1] == ("responses",) and len(scalar.path) > 2:  # noqa: PLR2004 - inside a part
            parts.setdefault(scalar.path[1], []).append(scalar)
    return list(parts.values())


def _part_urls(batch: bytes) -> dict[str, str]:
    """Return the URL of each part of a `$batch` request, by id."""
    ids: dict[str | int, str] = {}
    urls: dict[str | int, str] = {}
    try:
        for scalar in json_text.scalars(batch):
            match scalar.path:
                case ("requests", number, "id"):
                    ids[number] = json_text.text(batch, scalar)
                case ("requests", number, "url"):
                    urls[number] = json_text.text(batch, scalar)
                case _:
                    pass
    except json_text.NotJsonError:
        return {}
    return {ids[number]: url for number, url in urls.items() if number in ids}


def _may_answer_status(segments: tuple[str, ...]) -> bool:
    """Tell whether an answer may hold a chromeOSOnboardingStatus, by its request's path."""
    return any(
        segment == "deviceManagement" or segment.partition("(")[0] == _SETTINGS
        for segment in segments
    )


@lru_cache(maxsize=1024)
def _segments(url: str) -> tuple[str, ...]:
    return tuple(unquote(segment) for segment in urlsplit(url).path.split("/") if segment)
