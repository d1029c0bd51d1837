"""What lies in Redis: the steps of each session, and who takes them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING

import hiredis

from graphtape.core.errors import CassetteError, RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.server.state.link import Link

KEPT = 3600
"""Seconds that a session stays after the last proxy was heard of."""

ALIVE = 15
"""Seconds after which a proxy that isn't heard of is gone."""

BEAT = 5.0
"""Seconds from one sign of life to the next."""

_STAMP = 16
"""Digits: microseconds of Redis's clock, before each step."""

_JOIN = b"""
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
local facts = redis.call('HGET', KEYS[1], 'facts')
if facts and redis.call('ZCARD', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[1], KEYS[2])
  facts = false
end
if not facts then
  redis.call('HSET', KEYS[1], 'facts', ARGV[2], 'epoch', ARGV[3], 'base', 0)
elseif facts ~= ARGV[2] then
  return {0, facts}
end
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[4]), ARGV[1])
for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
return {1, redis.call('HGET', KEYS[1], 'epoch')}
"""
_FACTS = b"""
if redis.call('ZCOUNT', KEYS[3], redis.call('TIME')[1], '+inf') == 0 then return false end
return redis.call('HGET', KEYS[1], 'facts')
"""
_STEP = b"""
local facts = redis.call('HMGET', KEYS[1], 'epoch', 'base')
if facts[1] ~= ARGV[1] then return -1 end
if #ARGV > 2 then
  local time = redis.call('TIME')
  local stamp = time[1] .. string.format('%06d', time[2])
  local steps = {}
  for i = 3, #ARGV do steps[i - 2] = stamp .. ARGV[i] end
  redis.call('RPUSH', KEYS[2], unpack(steps))
end
local from = tonumber(ARGV[2]) - tonumber(facts[2])
if from >= 0 then return {redis.call('LRANGE', KEYS[2], from, -1)} end
return {redis.call('LRANGE', KEYS[2], 0, -1), redis.call('HGET', KEYS[1], 'snapshot')}
"""
_TRIM = b"""
local facts = redis.call('HMGET', KEYS[1], 'epoch', 'base')
if facts[1] ~= ARGV[1] then return 0 end
local more = tonumber(ARGV[2]) - tonumber(facts[2])
if more <= 0 then return 0 end
redis.call('LTRIM', KEYS[2], more, -1)
redis.call('HSET', KEYS[1], 'base', ARGV[2], 'snapshot', ARGV[3])
return 1
"""
_BEAT = b"""
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[3], tonumber(redis.call('TIME')[1]) + tonumber(ARGV[3]), ARGV[1])
for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[4]) end
return 1
"""
_LEAVE = b"""
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', redis.call('TIME')[1])
if redis.call('ZCARD', KEYS[3]) == 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
return 1
"""


class SessionLostError(RequestError):
    """Redis has come back without the session: its tape must not begin anew in silence."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"the state of session {session_id!r} is gone from Redis: it came back empty, or an "
            "older one took over; start all replicas anew",
            status=599,
            code="GraphtapeSessionLost",
        )


class TapeDiffersError(CassetteError):
    """Another replica plays another tape, or in another way."""

    def __init__(self, session_id: str, own: bytes, found: bytes) -> None:
        super().__init__(
            f"GraphtapeTapeDiffers: session {session_id!r} is played with other cassettes, options "
            f"or another version: {found.decode()}, and here {own.decode()}; start all replicas "
            "alike, or take another --session"
        )


@dataclass(slots=True, kw_only=True)
class Store:
    """The sessions in Redis, as one proxy uses them.

    Attributes:
        link: The way there.
        name: Of this proxy among those that serve the same sessions.
    """

    link: Link
    name: str = field(default_factory=lambda: secrets.token_hex(6))
    _digests: dict[bytes, bytes] = field(default_factory=dict)

    async def join(self, session_id: str, facts: bytes) -> bytes:
        """Take part in a session, which begins where nobody else does; return its epoch.

        Raises:
            TapeDiffersError: It is played otherwise.
            UnavailableError: Redis doesn't answer.
        """
        epoch = secrets.token_hex(8)
        found = await self._run(_JOIN, session_id, self.name, facts, epoch, ALIVE, KEPT)
        assert isinstance(found, list)  # noqa: S101 - as the script returns it
        joined, told = found
        if not joined:
            raise TapeDiffersError(session_id, facts, told)
        return bytes(told)

    async def facts(self, session_id: str) -> bytes | None:
        """Return what those who serve a session have in common; None where nobody does.

        Raises:
            UnavailableError: Redis doesn't answer.
        """
        found = await self._run(_FACTS, session_id)
        return found if isinstance(found, bytes) else None

    async def step(
        self, session_id: str, epoch: bytes, taken: int, steps: Sequence[bytes]
    ) -> tuple[bytes | None, list[tuple[bytes, float]]]:
        """Add steps.

        Returns:
            All that weren't taken yet, with the time of each; before them the snapshot to go on
            from, where some of those are kept no longer.

        Raises:
            SessionLostError: It isn't there any more.
            UnavailableError: Redis doesn't answer; the steps may have been added all the same.
        """
        found = await self._run(_STEP, session_id, epoch, taken, *steps)
        if not isinstance(found, list) or len(found[0]) < len(steps):
            raise SessionLostError(session_id)
        snapshot = found[1] if len(found) > 1 else None
        return snapshot, [(each[_STAMP:], int(each[:_STAMP]) / 1e6) for each in found[0]]

    async def trim(self, session_id: str, epoch: bytes, taken: int, snapshot: bytes) -> None:
        """Keep a snapshot in place of the steps that led to it.

        Raises:
            UnavailableError: Redis doesn't answer.
        """
        await self._run(_TRIM, session_id, epoch, taken, snapshot)

    async def beat(self, session_id: str, epoch: bytes) -> bool:
        """Give a sign of life; tell whether the session is there."""
        return bool(await self._run(_BEAT, session_id, self.name, epoch, ALIVE, KEPT))

    async def leave(self, session_id: str) -> None:
        """Take part no longer; with the last one the session goes."""
        await self._run(_LEAVE, session_id, self.name)

    async def _run(self, script: bytes, session_id: str, *arguments: bytes | str | int) -> object:
        keys = [f"gt:{{{session_id}}}:{part}" for part in ("m", "l", "p")]
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = (
                sha1(script, usedforsecurity=False).hexdigest().encode()
            )
        try:
            return await self.link.call("EVALSHA", digest, len(keys), *keys, *arguments)
        except hiredis.ReplyError as exc:
            if not str(exc).startswith("NOSCRIPT"):
                raise
            return await self.link.call("EVAL", script, len(keys), *keys, *arguments)
