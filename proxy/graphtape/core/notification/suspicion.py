"""Whether an app acts on notifications that it should have refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.notification.change import segments_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.notification.payload import Notification

_MOST = 1000


@dataclass(slots=True)
class Suspicion:
    """The resources that notifications with a wrong clientState named. Its memory is bounded."""

    _named: dict[tuple[str, ...], None] = field(default_factory=dict)

    def named(self, told: Iterable[Notification], *, wrongly: bool) -> None:
        """See notifications accepted; what a right one names, the app may ask for."""
        for each in told:
            segments = segments_of(str(each.fields.get("resource", "")))
            self._named.pop(segments, None)
            if wrongly and segments:
                self._named[segments] = None
        while len(self._named) > _MOST:
            del self._named[next(iter(self._named))]

    def meets(self, url: str) -> bool:
        """Tell whether a call is about such a resource, or what is below it; each is met once."""
        path = segments_of(url)
        for length in range(len(path), 0, -1):
            if path[:length] in self._named:
                del self._named[path[:length]]
                return True
        return False
