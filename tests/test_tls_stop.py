"""A proxy that speaks TLS stops, whatever its clients do."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from proxies import AUTH, recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(20)
def test_it_stops_at_once_though_a_client_keeps_its_connection(tmp_path: Path) -> None:
    with recording(tmp_path / "tape.yaml", upstream="sandbox", tls=True) as proxy:
        context = ssl.create_default_context(cafile=proxy.proxy.addresses.ca)
        client = http.client.HTTPSConnection(str(urlsplit(proxy.url).netloc), context=context)
        client.request("GET", "/beta/me", headers=AUTH)
        assert client.getresponse().read()
        began = time.monotonic()
    assert time.monotonic() - began < 5
    client.close()
