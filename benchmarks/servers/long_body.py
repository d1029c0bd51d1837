"""An upstream that answers long bodies: `/v1.0/body/KIND/MEGABYTES`, and `/gzip` behind it."""

from __future__ import annotations

import base64
import json
import random
import uuid
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import web

from benchmarks.servers.port import arguments, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.servers.port import Handler

_MB = 1_000_000
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of body: what it starts with, a megabyte of its middle, and its end."""

    type: str
    start: bytes
    middle: Callable[[], bytes]
    end: bytes


def _rows(row: Callable[[random.Random], str]) -> bytes:
    rng, rows, size = random.Random(1), [], 0  # noqa: S311 - made up
    while size < _MB:
        rows.append(row(rng).encode())
        size += len(rows[-1])
    return b"".join(rows)


def _guid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128)))


def _device(rng: random.Random) -> str:
    device = {
        "id": _guid(rng),
        "deviceName": f"PC-{rng.randrange(10**6)}",
        "operatingSystem": "ChromeOS",
        "osVersion": "15.1",
        "complianceState": "compliant",
        "lastSyncDateTime": "2024-05-01T10:00:00Z",
    }
    return json.dumps(device)


def _noise() -> bytes:
    return b"\0\xff" + random.Random(1).randbytes(_MB)  # noqa: S311 - made up


_BINARY = "application/octet-stream"
KINDS = {
    "binary": _Kind(type=_BINARY, start=b"\0\xff", middle=_noise, end=b""),
    "CSV": _Kind(
        type="text/csv",
        start=b"Refreshed,Id,Name,Deleted,Sent,Period\n",
        middle=lambda: _rows(
            lambda rng: f"2024-05-01,{_guid(rng)},Person,False,{rng.randrange(999)},30\n"
        ),
        end=b"",
    ),
    "CSV of addresses": _Kind(
        type="text/csv",
        start=b"Refreshed,User,Name,Deleted,Sent,Period\n",
        middle=lambda: _rows(
            lambda rng: f"2024-05-01,p{rng.randrange(10**7)}@acme.test,Person,False,1,30\n"
        ),
        end=b"",
    ),
    "NDJSON": _Kind(
        type="application/x-ndjson",
        start=b'{"id": 1}\n',
        middle=lambda: _rows(lambda rng: _device(rng) + "\n"),
        end=b"",
    ),
    "JSON": _Kind(
        type="application/json",
        start=b'{"@odata.context": "c", "value": [{"id": 1}',
        middle=lambda: _rows(lambda rng: ", " + _device(rng)),
        end=b"]}",
    ),
    "base64 in JSON": _Kind(
        type="application/json",
        start=b'{"name": "photo", "contentBytes": "',
        middle=lambda: base64.b64encode(_noise()[: _MB // 4 * 3]),
        end=b'", "size": 1}',
    ),
    "XML": _Kind(
        type="application/xml",
        start=b"<items>\n",
        middle=lambda: _rows(lambda rng: f"<item><name>n{rng.randrange(10**6)}</name></item>\n"),
        end=b"</items>",
    ),
    "multipart": _Kind(
        type="multipart/mixed; boundary=bnd",
        start=b"--bnd\r\nContent-Type: application/octet-stream\r\n\r\n\0\xff",
        middle=_noise,
        end=b"\r\n--bnd--\r\n",
    ),
}


@lru_cache
def _middle(kind: str) -> bytes:
    return KINDS[kind].middle()


async def _handle(request: web.BaseRequest) -> web.StreamResponse:
    name, megabytes, *coding = request.path.split("/")[3:]
    kind = KINDS[name]
    headers = {"Content-Type": kind.type, **({"Content-Encoding": "gzip"} if coding else {})}
    answer = web.StreamResponse(headers=headers)
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    packer = zlib.compressobj(1, wbits=31) if coding else None
    middle = _middle(name)

    async def write(data: bytes) -> None:
        packed = data if packer is None else packer.compress(data)
        if packed:
            await answer.write(packed)

    await write(kind.start)
    for _ in range(int(megabytes)):
        for at in range(0, len(middle), _PIECE):
            await write(middle[at : at + _PIECE])
    await write(kind.end)
    await answer.write_eof(b"" if packer is None else packer.flush())
    return answer


async def _make() -> Handler:
    return _handle


if __name__ == "__main__":
    serve(_make, arguments().parse_args())
