"""The head of a recorded answer, written by filling in that of another with the same field names.

Recordings repeat a few sets of field names over and over, with other values. The template of a set
is made by writing the head of an answer whose values are markers, in the one way that every head
is written, and cutting it where the markers stand. So it has no rules of its own.
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from graphtape.core.graph.link import LINK_HEADERS
from graphtape.core.message import Headers, Response
from graphtape.server.http.response import CONTROL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    WriteHead = Callable[[Response, int], str]
    """Writes the head of an answer from the interaction of an index."""

_READ = LINK_HEADERS | {"content-encoding", "retry-after"}
"""Fields, in lower case, whose value or presence counts for more than their own line."""

_INDEX = 10**20 + secrets.randbelow(10**20)
_LENGTH = "\r\nContent-Length: "


class Template(NamedTuple):
    """A head with places to fill in.

    Attributes:
        texts: It, cut where a slot stands; `%s` wherever a value of the answer does.
        values: Which values those are, by text: the place of their field, and behind the last
            field that of the interaction's index and of the body's length.
        slots: Their kinds; each stands behind the text of its place.
    """

    texts: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    slots: tuple[int, ...]

    def fill(self, fields: Sequence[tuple[str, str]], index: int, length: int) -> list[str] | None:
        """Return the texts for an answer; None where a value holds what no line of a head may.

        Args:
            fields: Of the answer, with the names of the template.
            index: Of its interaction.
            length: Bytes of its body.
        """
        values = [value for _, value in fields]
        if CONTROL.search("".join(values)) is not None:
            return None
        values += (str(index), str(length))
        return [
            text % tuple([values[place] for place in places])
            for text, places in zip(self.texts, self.values, strict=True)
        ]


@lru_cache(maxsize=1024)
def template_of(
    names: tuple[str, ...], status: int, reason: str, slots: tuple[str, ...], write: WriteHead
) -> Template | None:
    """Make the template of answers; None where a head takes more than their values.

    Args:
        names: Of their fields.
        status: Of them.
        reason: Likewise.
        slots: The text that stands for each kind of slot.
        write: Writes a head.
    """
    if CONTROL.search("".join((reason, *names))) or not _READ.isdisjoint(map(str.lower, names)):
        return None
    markers = [secrets.token_hex(16) for _ in names]
    headers = Headers(tuple(zip(names, markers, strict=True)))
    head = write(Response(status=status, reason=reason, headers=headers), _INDEX)
    length = secrets.token_hex(16)
    values = {text: place for place, text in enumerate((*markers, str(_INDEX), length))}
    head = head.replace(f"{_LENGTH}0\r\n", f"{_LENGTH}{length}\r\n")
    kinds = {text: kind for kind, text in enumerate(slots)}
    pieces = re.split("(" + "|".join(map(re.escape, (*values, *kinds))) + ")", head)
    texts, places, found = [""], list[list[int]]([[]]), list[int]()
    for piece in pieces:
        if piece in values:
            texts[-1] += "%s"
            places[-1].append(values[piece])
        elif piece in kinds:
            found.append(kinds[piece])
            texts.append("")
            places.append([])
        else:
            texts[-1] += piece.replace("%", "%%")
    return Template(tuple(texts), tuple(map(tuple, places)), tuple(found))
