"""Sends a plant as real clients do."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, assert_never

import httpx
import requests

from proxies import exchange
from secrecy.plants import PLANTS, Caller

if TYPE_CHECKING:
    from secrecy.plants import Plant

MARK = "X-Plant"
"""Tells upstream which plant is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What a client has in its hands: head, where the client shows it, and body as sent."""

    status: int
    head: str
    body: bytes


def everything(url: str, *, beyond: str = "") -> dict[str, Got]:
    """Send all plants, each by the next of the clients.

    Args:
        url: The proxy.
        beyond: Added to each path, so that nothing recorded answers.
    """
    callers = cycle(Caller)
    return {
        name: call(next(callers), url, name, _moved(plant, beyond))
        for name, plant in PLANTS.items()
    }


def _moved(plant: Plant, beyond: str) -> Plant:
    path, mark, query = plant.path.partition("?")
    return replace(plant, path=f"{path}{beyond}{mark}{query}")


def call(caller: Caller, url: str, name: str, plant: Plant) -> Got:
    """Send one plant by one client."""
    fields = {MARK: name, "Accept-Encoding": "identity", **dict(plant.wire_headers)}
    target = f"{url}{plant.path}"
    match caller:
        case Caller.REQUESTS:
            got = requests.request(
                plant.method,
                target,
                headers=fields,
                data=plant.wire_body or None,
                timeout=20,
                allow_redirects=False,
                stream=True,
            )
            return Got(status=got.status_code, head=str(got.headers), body=got.raw.read())
        case Caller.HTTPX:
            with (
                httpx.Client(trust_env=False, timeout=20) as client,
                client.stream(
                    plant.method, target, headers=fields, content=plant.wire_body or None
                ) as answer,
            ):
                body = b"".join(answer.iter_raw())
            return Got(status=answer.status_code, head=str(answer.headers), body=body)
        case Caller.CURL:
            return _by_curl(target, fields, plant)
        case Caller.SOCKET:
            return _by_socket(url, fields, plant)
        case _:
            assert_never(caller)


def _by_curl(target: str, fields: dict[str, str], plant: Plant) -> Got:
    command = ["curl", "-sS", "-i", "--raw", "--path-as-is", "--noproxy", "*", "-X", plant.method]
    for name, value in fields.items():
        command += ["-H", f"{name}: {value}"]
    if plant.body:
        command += ["--data-binary", "@-"]
        if "Content-Type" not in fields:
            command += ["-H", "Content-Type:"]
    done = subprocess.run(
        [*command, target], input=plant.wire_body, capture_output=True, check=True, timeout=30
    )
    return _parsed(done.stdout)


def _by_socket(url: str, fields: dict[str, str], plant: Plant) -> Got:
    """Send in chunks, which the other clients don't."""
    lines = [f"{plant.method} {plant.path} HTTP/1.1", "Host: " + url.removeprefix("http://")]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    lines += ["Connection: close"]
    body = b""
    if plant.body:
        lines.append("Transfer-Encoding: chunked")
        wire = plant.wire_body
        halves = (wire[: len(wire) // 2], wire[len(wire) // 2 :])
        body = b"".join(b"%x\r\n%b\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"
    return _parsed(exchange(url, "\r\n".join([*lines, "", ""]).encode() + body))


def _parsed(data: bytes) -> Got:
    head, _, body = data.partition(b"\r\n\r\n")
    return Got(status=int(head.split(b" ")[1]), head=head.decode("latin-1"), body=body)
