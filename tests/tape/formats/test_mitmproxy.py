"""Flows that mitmproxy itself has written."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import pytest

from graphtape.core.errors import CassetteError
from graphtape.tape.formats.registry import read
from graphtape.tape.formats.source import Source

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://graph.microsoft.com/v1.0/me"
BEGIN = b"1746:9:websocket;0:~8:response;"


def test_without_mitmproxy_its_flows_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mitmproxy", None)
    with pytest.raises(CassetteError, match=r"graphtape\[mitmproxy\]") as error:
        read(Source(name="flows", path=tmp_path / "flows", data=BEGIN))
    assert "\n" not in str(error.value)


def test_flows_become_interactions(tmp_path: Path) -> None:
    http = pytest.importorskip("mitmproxy.http", reason="needs the extra graphtape[mitmproxy]")
    from mitmproxy import connection  # noqa: PLC0415 - where it is installed
    from mitmproxy.io import FlowWriter  # noqa: PLC0415 - likewise

    client = connection.Client(
        peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0
    )
    server = connection.Server(address=("graph.microsoft.com", 443))
    done, broken = http.HTTPFlow(client, server), http.HTTPFlow(client, server)
    done.request = http.Request.make("POST", URL, b'{"a": 1}', {"X": "é"})
    packed = gzip.compress(b'{"id": "1"}')
    fields = ((b"Content-Encoding", b"gzip"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"))
    done.response = http.Response.make(201, packed, http.Headers(fields))
    done.response.raw_content = packed
    broken.request = http.Request.make("GET", URL)
    path = tmp_path / "flows"
    with path.open("wb") as file:
        writer = FlowWriter(file)
        writer.add(done)
        writer.add(broken)
    found = read(Source(name="flows", path=path, data=path.read_bytes()))
    (got,) = found.interactions
    assert (got.request.method, got.request.url, got.request.body) == ("POST", URL, b'{"a": 1}')
    assert (got.response.status, got.response.body) == (201, b'{"id": "1"}')
    assert got.response.headers.all("Set-Cookie") == ("a=1", "b=2")
    assert found.skipped == ("flow 1 (GET graph.microsoft.com): it has no response",)
    with pytest.raises(CassetteError, match="can't read its flows"):
        read(Source(name="flows", path=path, data=path.read_bytes()[:-40]))
