"""Header fields as the records of an append file have them, remembered from message to message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.redaction.redactor import is_mark
from graphtape.tape.record import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.redaction import Redactor
    from graphtape.core.redaction.sweep import Change

_REMEMBERED = 4096
_LONGEST = 4096
"""Characters of a value that is remembered."""


class SpelledFields:
    """The fields of all requests, or of all answers, of one recording; clean."""

    def __init__(self, redactor: Redactor, *, answers: bool) -> None:
        """Remember none yet."""
        self._redactor = redactor
        self._answers = answers
        self._known: dict[tuple[str, str], tuple[tuple[bytes, ...], tuple[Change, ...]]] = {}

    def of(self, pairs: Iterable[tuple[str, str]]) -> tuple[list[bytes], list[Change]]:
        """Return name and value of each field as a record has them, and what was changed.

        Args:
            pairs: Name and value of each field, as in `Headers.pairs`.
        """
        texts: list[bytes] = []
        changes: list[Change] = []
        for pair in pairs:
            known = self._known.get(pair) or self._new(pair)
            texts += known[0]
            if known[1]:
                changes += known[1]
        return texts, changes

    def _new(self, pair: tuple[str, str]) -> tuple[tuple[bytes, ...], tuple[Change, ...]]:
        name, value = pair
        clean, changes = self._redactor.field(name, value, answer=self._answers)
        found = spelled(name, clean), changes
        # Values that are others in each message would fill the memory.
        if len(value) <= _LONGEST and not is_mark(name, value):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[pair] = found
        return found
