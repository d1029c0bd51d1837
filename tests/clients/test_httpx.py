"""httpx, which offers HTTP/2."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from client_runs import check, every_job
from known_clients import HTTPX
from proxies import AUTH, recording

if TYPE_CHECKING:
    from pathlib import Path

    from client_jobs import Job
    from client_runs import Phase, Scheme


@every_job(HTTPX)
def test_httpx_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(HTTPX, scheme, phase, job)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_httpx_that_offers_http_2_speaks_http_1_1(tls: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    with recording(tmp_path / "tape.yaml", upstream="sandbox", tls=tls) as proxy:
        ca = proxy.proxy.addresses.ca
        verify = ssl.create_default_context(cafile=ca) if ca is not None else True
        async with httpx.AsyncClient(http2=True, verify=verify, headers=AUTH) as client:
            answer = await client.get(f"{proxy.url}/beta/me")
    assert (answer.status_code, answer.http_version) == (200, "HTTP/1.1")
