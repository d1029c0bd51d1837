"""Which elements are open at a place in a text of tags, and what was said of those that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphtape.core.redaction.vocabulary import Place

if TYPE_CHECKING:
    from graphtape.core.redaction.places import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """What was read of a text of tags up to a place in it.

    Attributes:
        around: Names of the elements that are open, the outermost first.
        key: Of a property list: what the value that comes next is called.
        keyed_from: How deep the list or dictionary is that stands after that key.
        told: What a name said of the values that follow.
        leaves: How many elements without elements in them it still reaches.
    """

    around: tuple[str, ...] = ()
    key: str = ""
    keyed_from: int = 0
    told: Place = Place.PLAIN
    leaves: int = 0

    def tell(self, rules: Rules) -> bool:
        """Tell whether a value that follows may be secret by what came before."""
        return (
            bool(self.key)
            or (self.told is not Place.PLAIN and self.leaves > 0)
            or any(rules.field((name,)) is Place.SECRET for name in self.around)
        )
