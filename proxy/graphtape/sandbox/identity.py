"""Ids that look random and aren't: the same seed and the same calls give the same ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f0f1d5e-1c53-5c0e-9a39-7a5b3d0c8f11")


@dataclass(slots=True, kw_only=True)
class IdSource:
    """Issues GUIDs.

    Attributes:
        seed: Another seed is another tenant.
    """

    seed: int
    _issued: Counter[str] = field(default_factory=Counter)

    def guid(self, kind: str) -> str:
        """Issue the next GUID of a kind; kinds don't disturb each other's sequence."""
        number = self._issued[kind]
        self._issued[kind] += 1
        return str(uuid5(_NAMESPACE, f"{self.seed}/{kind}/{number}"))
