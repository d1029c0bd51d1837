"""Interactions and keys as bytes, to keep in one buffer and take out one by one."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import msgpack

from graphtape.core.matching.key import Key
from graphtape.core.message import Headers, Interaction, Request, Response

_Pairs: TypeAlias = tuple[tuple[str, str], ...]
_RawPairs: TypeAlias = tuple[tuple[bytes, bytes], ...]

_ENCODE = msgpack.Encoder().encode
_INTERACTION = msgpack.Decoder(
    tuple[tuple[str, str, _Pairs, bytes], tuple[int, str, _Pairs, bytes]]
)
_KEY = msgpack.Decoder(tuple[str, str, str, _Pairs, bytes, _Pairs])
# Texts with surrogates, which stand for bytes beyond UTF-8, go as bytes themselves.
_RAW_INTERACTION = msgpack.Decoder(
    tuple[tuple[bytes, bytes, _RawPairs, bytes], tuple[int, bytes, _RawPairs, bytes]]
)
_RAW_KEY = msgpack.Decoder(tuple[bytes, bytes, bytes, _RawPairs, bytes, _RawPairs])
_RAW = b"\xc1"
"""Stands before those; msgpack begins nothing with it."""


def pack_interaction(interaction: Interaction) -> bytes:
    """Write an interaction."""
    asked, answered = interaction.request, interaction.response
    try:
        return _ENCODE(
            (
                (asked.method, asked.url, asked.headers.pairs, asked.body),
                (answered.status, answered.reason, answered.headers.pairs, answered.body),
            )
        )
    except UnicodeEncodeError:
        return _RAW + _ENCODE(
            (
                (_raw(asked.method), _raw(asked.url), _raw_pairs(asked.headers.pairs), asked.body),
                (
                    answered.status,
                    _raw(answered.reason),
                    _raw_pairs(answered.headers.pairs),
                    answered.body,
                ),
            )
        )


def unpack_interaction(data: memoryview) -> Interaction:
    """Read one again.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    if data[:1] == _RAW:
        (raw_method, raw_url, raw_sent, content), raw_answer = _RAW_INTERACTION.decode(data[1:])
        method, url, sent = _text(raw_method), _text(raw_url), _pairs(raw_sent)
        status, raw_reason, raw_fields, body = raw_answer
        reason, fields = _text(raw_reason), _pairs(raw_fields)
    else:
        (method, url, sent, content), answer = _INTERACTION.decode(data)
        status, reason, fields, body = answer
    return Interaction(
        request=Request(method=method, url=url, headers=Headers(sent), body=content),
        response=Response(status=status, reason=reason, headers=Headers(fields), body=body),
    )


def pack_key(key: Key) -> bytes:
    """Write a key; equal keys are equal bytes, and no others."""
    try:
        return _ENCODE(key)
    except UnicodeEncodeError:
        method, place, path, query, body, conditions = key
        texts = (_raw(method), _raw(place), _raw(path))
        return _RAW + _ENCODE((*texts, _raw_pairs(query), body, _raw_pairs(conditions)))


def unpack_key(data: bytes) -> Key:
    """Read one again."""
    if data.startswith(_RAW):
        method, place, path, query, body, conditions = _RAW_KEY.decode(data[1:])
        texts = (_text(method), _text(place), _text(path))
        return Key(*texts, _pairs(query), body, _pairs(conditions))
    return Key(*_KEY.decode(data))


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _raw_pairs(pairs: _Pairs) -> _RawPairs:
    return tuple((_raw(name), _raw(value)) for name, value in pairs)


def _pairs(raw: _RawPairs) -> _Pairs:
    return tuple((_text(name), _text(value)) for name, value in raw)
