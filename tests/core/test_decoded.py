"""What is wrong with a decoded value is said in words of our own, with its place."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from graphtape.core.decoded import convert
from graphtape.core.scenario.key_fault import KeyFault, SpellingError, place


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Leaf(Struct, forbid_unknown_fields=True, rename="kebab"):
    top_speed: Annotated[int, Meta(ge=1, le=9)] | None = None
    colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        if self.top_speed == 7:
            raise KeyFault("seven is taken", "top-speed")


class Root(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, pattern="^[a-z]*$")]
    leaves: list[Leaf] = []
    by_name: dict[str, Leaf] = {}
    wait: Literal["keep"] | float = "keep"
    pair: tuple[int, int] | None = None
    either: Leaf | str | None = None


@pytest.mark.parametrize(
    ("value", "keys", "reason"),
    [
        ([], "", "expected a mapping, got a list"),
        ({}, "", "the key 'name' is missing"),
        ({"name": 1}, "name", "expected a text, got a whole number"),
        ({"name": ""}, "name", "expected a text of length >= 1"),
        ({"name": "A"}, "name", "expected a text that fits ^[a-z]*$"),
        ({"name": "a", "nome": 1}, "nome", "unknown key; allowed: by_name, either, leaves, name, "),
        ({"name": "a", "leaves": {}}, "leaves", "expected a list, got a mapping"),
        ({"name": "a", "leaves": [{}, 3]}, "leaves[1]", "expected a mapping"),
        ({"name": "a", "leaves": [{"top-speed": 0}]}, "leaves[0].top-speed", "a whole number >= 1"),
        ({"name": "a", "leaves": [{"top-speed": 10}]}, "leaves[0].top-speed", "number <= 9"),
        ({"name": "a", "leaves": [{"top-speed": 7}]}, "leaves[0].top-speed", "seven is taken"),
        ({"name": "a", "leaves": [{"topSpeed": 1}]}, "leaves[0].topSpeed", "allowed: colours, top"),
        (
            {"name": "a", "by_name": {"x": {"colours": ["red", "green"]}}},
            "by_name.x.colours[1]",
            "'green' is none of red, blue",
        ),
        ({"name": "a", "wait": "soon"}, "wait", "'soon' is none of keep, a number"),
        ({"name": "a", "wait": None}, "wait", "expected keep or a number, got null"),
        ({"name": "a", "pair": [1]}, "pair", "expected a list of length 2 or null, got 1"),
        ({"name": "a", "pair": [1, "b"]}, "pair[1]", "expected a whole number, got a text"),
        ({"name": "a", "either": {"top-speed": "x"}}, "either.top-speed", "got a text"),
        ({"name": "a", "either": 4}, "either", "a mapping of top-speed, colours or a text or null"),
        ({"name": "a", "leaves": 1.5}, "leaves", "got a number"),
        ({"name": "a", "leaves": True}, "leaves", "got true or false"),
    ],
)
def test_what_is_wrong_is_said_with_its_keys(value: object, keys: str, reason: str) -> None:
    with pytest.raises(SpellingError) as caught:
        convert(value, Root)
    assert place(caught.value.keys) == keys
    assert reason in caught.value.reason


def test_a_text_may_be_a_number_where_the_source_has_only_texts() -> None:
    assert convert({"top-speed": "3"}, Leaf, strict=False) == Leaf(top_speed=3)
    with pytest.raises(SpellingError, match="a whole number or null, got a text"):
        convert({"top-speed": "three"}, Leaf, strict=False)


def test_a_value_that_is_right_is_made() -> None:
    made = convert({"name": "a", "leaves": [{"top-speed": 2}], "wait": 1}, Root)
    assert made == Root(name="a", leaves=[Leaf(top_speed=2)], wait=1.0)
