"""Decoded JSON, YAML or TOML made into a struct; what is wrong is said in words of our own.

msgspec judges; its messages are never read, since they may change with its next version.
"""

from __future__ import annotations

import enum
import operator
import re
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from graphtape.core.scenario.key_fault import KeyFault, SpellingError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Keys = tuple[str | int, ...]

_LARGEST_LISTING = 5
"""A mapping of more keys is named without them, where another type would do as well."""

_WORDS: dict[object, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    bytes: "base64",
    object: "any value",
}

_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool], Callable[[Any], Any]]] = {
    "ge": (">=", operator.ge, float),
    "gt": (">", operator.gt, float),
    "le": ("<=", operator.le, float),
    "lt": ("<", operator.lt, float),
    "min_length": ("of length >=", operator.ge, len),
    "max_length": ("of length <=", operator.le, len),
    "pattern": ("that fits", lambda text, pattern: re.search(pattern, text) is not None, str),
}
"""How a limit is written, what holds within it, and what of a value it limits."""


def convert(value: object, kind: type[T], *, strict: bool = True) -> T:
    """Make a value of a type.

    Args:
        value: As decoded: dicts, lists and scalars.
        kind: A msgspec Struct, or any type msgspec knows.
        strict: Whether a text isn't read as a number.

    Raises:
        SpellingError: It isn't one; the first place that is wrong.
    """
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as exc:
        raise _explain(value, kind, exc, strict=strict) from exc


def _explain(
    value: object, kind: object, error: msgspec.ValidationError, *, strict: bool = True
) -> SpellingError:
    """Say what is wrong with a value that msgspec refused, by trying each part of it.

    Args:
        value: As decoded.
        kind: The type it isn't.
        error: msgspec's; of it only what a struct's own check raised is read.
        strict: As in `convert`.
    """
    for keys, part, of in _parts(value, kind):
        try:
            msgspec.convert(part, of, strict=strict)
        except msgspec.ValidationError as exc:
            inner = _explain(part, of, exc, strict=strict)
            return SpellingError(inner.reason, *keys, *inner.keys)
    if isinstance(error.__cause__, KeyFault):
        return SpellingError(str(error.__cause__), *error.__cause__.keys)
    struct = _struct_for(value, kind)
    if struct is not None and isinstance(value, dict) and (fault := _key_fault(value, struct)):
        return fault
    return SpellingError(_mismatch(value, kind))


def _parts(value: object, kind: object) -> list[tuple[Keys, object, object]]:
    """Return the parts of a value, each with its keys and the type it must be."""
    parts: list[tuple[Keys, object, object]] = []
    for arm in _arms(kind):
        arguments = get_args(arm)
        match value, get_origin(arm) or arm:
            case dict(), type() as struct if issubclass(struct, Struct):
                types_of = {f.encode_name: f.type for f in msgspec.structs.fields(struct)}
                parts += [((k,), v, types_of[k]) for k, v in value.items() if k in types_of]
            case dict(), origin if origin is dict and arguments:
                parts += [((str(k),), v, arguments[1]) for k, v in value.items()]
            case ((list() | tuple()), origin) if origin is list and arguments:
                parts += [((n,), v, arguments[0]) for n, v in enumerate(value)]
            case ((list() | tuple()), origin) if origin is tuple and arguments[-1:] == (...,):
                parts += [((n,), v, arguments[0]) for n, v in enumerate(value)]
            case ((list() | tuple()), origin) if origin is tuple and len(arguments) == len(value):
                parts += [
                    ((n,), *pair) for n, pair in enumerate(zip(value, arguments, strict=True))
                ]
            case _:
                pass
    return parts


def _arms(kind: object) -> list[object]:
    """Return the types of a union, else the type alone; what annotates them is left out."""
    if get_origin(kind) is Annotated:
        return _arms(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        return [arm for each in get_args(kind) for arm in _arms(each)]
    return [kind]


def _struct_for(value: object, kind: object) -> type[Struct] | None:
    structs = [arm for arm in _arms(kind) if isinstance(arm, type) and issubclass(arm, Struct)]
    return structs[0] if structs and isinstance(value, dict) else None


def _key_fault(value: dict[object, object], struct: type[Struct]) -> SpellingError | None:
    """Find a key that is unknown, or one that is missing."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    if struct.__struct_config__.forbid_unknown_fields:
        for key in value:
            if key not in fields:
                allowed = f"allowed: {', '.join(sorted(fields))}" if fields else "send none"
                return SpellingError(f"unknown key; {allowed}", str(key))
    for name, field in fields.items():
        if field.required and name not in value:
            return SpellingError(f"the key {name!r} is missing")
    return None


def _mismatch(value: object, kind: object) -> str:
    """Say what was expected and what was found, where no part of it is wrong by itself."""
    chosen = [choice for arm in _arms(kind) for choice in _choices(arm)]
    if isinstance(value, str) and chosen:
        return f"{value!r} is none of {_listed(_expected(kind))}"
    if bounds := _bounds(value, kind):
        return f"expected {bounds}"
    if isinstance(value, list | tuple) and any(get_origin(a) is tuple for a in _arms(kind)):
        return f"expected {' or '.join(_expected(kind))}, got {len(value)}"
    return f"expected {' or '.join(_expected(kind))}, got {_found(value)}"


def _choices(arm: object) -> list[str]:
    if get_origin(arm) is Literal:
        return [str(choice) for choice in get_args(arm)]
    if isinstance(arm, type) and issubclass(arm, enum.Enum):
        return [str(choice.value) for choice in arm]
    return []


def _expected(kind: object) -> list[str]:
    """Name each type that would do."""
    words: list[str] = []
    for arm in _arms(kind):
        origin = get_origin(arm) or arm
        arguments = get_args(arm)
        if choices := _choices(arm):
            words += choices
        elif isinstance(origin, type) and issubclass(origin, Struct):
            names = [field.encode_name for field in msgspec.structs.fields(origin)]
            few = 0 < len(names) <= _LARGEST_LISTING
            words.append(f"a mapping of {', '.join(names)}" if few else "a mapping")
        elif origin is dict:
            words.append("a mapping")
        elif origin is tuple and arguments and arguments[-1] is not ...:
            words.append(f"a list of length {len(arguments)}")
        elif origin in {list, tuple}:
            words.append("a list")
        else:
            words.append(_WORDS.get(arm, str(getattr(arm, "__name__", arm))))
    return list(dict.fromkeys(words))


def _listed(words: list[str]) -> str:
    return ", ".join(word for word in words if word != _WORDS[type(None)])


def _bounds(value: object, kind: object) -> str:
    """Say the limit that a value of the right type is beyond, or nothing."""
    if get_origin(kind) in {Union, types.UnionType}:
        return next((said for arm in get_args(kind) if (said := _bounds(value, arm))), "")
    if get_origin(kind) is not Annotated:
        return ""
    inner, *metas = get_args(kind)
    try:
        msgspec.convert(value, inner, strict=False)
    except msgspec.ValidationError:
        return ""
    word = " or ".join(_expected(inner))
    for meta in metas:
        if isinstance(meta, msgspec.Meta):
            for name, (sign, within, measure) in _LIMITS.items():
                limit = getattr(meta, name)
                if limit is not None and not within(measure(value), limit):
                    return f"{word} {sign} {limit}"
    return _bounds(value, inner)


def _found(value: object) -> str:
    match value:
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return _WORDS.get(type(value), type(value).__name__)
