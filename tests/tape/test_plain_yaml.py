"""What is read an interaction at a time is what vcrpy's loader reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graphtape.core.errors import CassetteError
from graphtape.tape.plain_yaml import NotPlainError, read_plain
from graphtape.tape.vcr_format import load
from proxies import SHARED, needs_recordings

if TYPE_CHECKING:
    from pathlib import Path

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.dates(),
    st.binary(max_size=8),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(["yes", "~", "0x1F", "010", "1:30", "=", "<<", "null", "1e3", "2026-11-23"]),
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(data: bytes) -> dict[object, object]:
    items: list[object] = []
    top = read_plain(data, items.append)
    return {**top, "interactions": items}


@given(items=st.lists(trees, max_size=5), style=st.sampled_from([None, True, False]))
def test_any_tree_is_read_as_the_loader_reads_it(
    items: list[object],
    style: bool | None,  # noqa: FBT001 - PyYAML's own
) -> None:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            del data
            return True

    whole = {"interactions": items, "version": 1}
    data = yaml.dump(whole, Dumper=Dumper, default_flow_style=style, allow_unicode=True).encode()
    assert read(data) == yaml.safe_load(data)


PLAIN = [
    "interactions: [a, 1, 1.5, yes, ~, 2026-11-23, 0o7, 0x1f, 1_000, 1:30]\nversion: 1\n",
    "version: 1\ninteractions:\n- {a: b, a: c}\n- !!binary aGk=\n- !!str 1\n",
    "\ufeff# comment\n---\ninteractions:\n- |\n  - text\n   more\n- 'it''s\n\n  two'\n...\n",
    "interactions: []\nmetadata: {graphtape: {format: 1}}\n",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_people_write_is_read_as_the_loader_reads_it(text: str) -> None:
    data = text.encode()
    assert read(data) == yaml.safe_load(data)


NOT_PLAIN = {
    "an anchor": "interactions: [&a x, *a]",
    "an anchor of a list": "interactions: &a [x]",
    "a merge key": "interactions: [{<<: {a: b}}]",
    "a default value": "interactions: [=]",
    "a tag of Python's": "interactions: [!!python/tuple [a]]",
    "a tag nobody knows": "interactions: [!mine a]",
    "a set": "interactions: [!!set {a}]",
    "a key that is a list": "interactions: [{[a]: b}]",
    "no list": "interactions: {a: b}",
    "no interactions": "version: 1",
    "two lists": "interactions: []\ninteractions: []",
    "a list outside": "- interactions",
    "two documents": "interactions: []\n---\ninteractions: []",
    "a date that isn't": "interactions: [2026-13-45]",
    "base64 that isn't": "interactions: [!!binary 'ü']",
    "an end too early": "interactions: ['a",
    "too many levels": "interactions: " + "[" * 200 + "]" * 200,
}


@pytest.mark.parametrize("text", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_anything_else_is_left_to_the_loader(text: str) -> None:
    with pytest.raises(NotPlainError):
        read(text.encode())


def test_a_fault_in_an_interaction_is_told_with_its_place() -> None:
    text = "interactions:\n- {request: {method: GET, uri: 'https://a/'}, response: 7}\nversion: 1\n"
    with pytest.raises(CassetteError, match=r"interaction 0, response: found 7"):
        load(text.encode(), name="d.yaml")


@needs_recordings
@pytest.mark.parametrize(
    "path", sorted(SHARED.glob("azure-cli/*.yaml")), ids=lambda path: path.stem
)
def test_a_real_recording_is_read_as_the_loader_reads_it(path: Path) -> None:
    data = path.read_bytes()
    assert read(data) == yaml.safe_load(data)
