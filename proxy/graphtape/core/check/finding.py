"""What Graph doesn't have, as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_NAME = re.compile(r"[$@A-Za-z][A-Za-z0-9_.-]{0,59}")


def _name(text: str) -> str:
    return text if _NAME.fullmatch(text) else "of that name"


class Lacks(StrEnum):
    """What of a call, or of what is answered to it, there isn't."""

    OPERATION = "operation"
    OPTION = "query-option"
    PROPERTY = "property"
    MEMBER = "enum-member"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """Something that Graph doesn't have.

    Attributes:
        place: Where it stands: `request.body.onboardingStatus`.
        lacks: What it is.
        what: It, as it was written.
        of: What doesn't have it: an operation, a type, an enum; of an operation what there is.
        near: What was probably meant; None where nothing is near.
    """

    place: str
    lacks: Lacks
    what: str
    of: str = ""
    near: str | None = None

    @property
    def brief(self) -> str:
        """Say it of a call that is named beside it, without a value that the caller wrote."""
        return self._said("operation of Graph", "it", _name(self.what), "such member")

    def __str__(self) -> str:
        return self._said(self.what, self.of, self.what, f"member {self.what}")

    def _said(self, operation: str, taker: str, name: str, member: str) -> str:
        hint = f"; {self.near}?" if self.near else ""
        match self.lacks:
            case Lacks.OPERATION:
                also = f": {self.of}" if self.of else ""
                return f"no {operation}{also}{hint}"
            case Lacks.OPTION:
                return f"{taker} takes no query option {name}{hint}"
            case Lacks.PROPERTY:
                return f"{self.of} has no property {name}{hint}"
            case Lacks.MEMBER:
                return f"{self.of} has no {member}{hint}"
