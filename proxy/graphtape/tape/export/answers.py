"""What a writer makes of a tape: a file, files beside it, and what it can't say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphtape.core.matching.key import key_of
from graphtape.tape.formats.exchange import text_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphtape.core.matching.key import Key
    from graphtape.core.message import Headers, Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A tape in another format.

    Attributes:
        data: The whole file.
        beside: More files, by name relative to its folder.
        lost: What the format can't say, a line each.
    """

    data: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


def by_request(interactions: Sequence[Interaction]) -> list[list[int]]:
    """Group the answers to one request, in tape order, as replay tells requests apart."""
    groups: dict[Key, list[int]] = defaultdict(list)
    for index, interaction in enumerate(interactions):
        groups[key_of(interaction.request)].append(index)
    return list(groups.values())


def text_of(body: bytes, headers: Headers) -> str | None:
    """Return a body as text that is read back as the same bytes; None where there is none."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if text_bytes(text, headers.get("Content-Type") or "") == body else None


def listed(indices: Iterable[int]) -> str:
    """Name interactions: the first ones, and how many there are."""
    numbers = sorted(indices)
    shown = ", ".join(map(str, numbers[:5]))
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""  # noqa: PLR2004 - as above
    return f"interaction{'s' if len(numbers) > 1 else ''} {shown}{more}"
