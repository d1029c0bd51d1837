"""The wait that `--fast` answers, as real clients take it."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING

import pytest
import requests
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from proxies import replaying
from tapes import exchanged, taped

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from msgraph_beta import GraphRequestAdapter, GraphServiceClient
    from msgraph_core import GraphClientFactory

if TYPE_CHECKING:
    from pathlib import Path

ACTION = "/beta/deviceManagement/chromeOSOnboardingSettings/disconnect"
SOONER = 20
"""Seconds: less than the recorded wait, and more than any machine needs."""


@pytest.fixture
def throttled(tmp_path: Path) -> Path:
    slow = '{"error": {"code": "TooManyRequests", "message": "Too many requests."}}'
    return taped(
        tmp_path,
        exchanged("POST", ACTION, slow, status=429, Retry_After="30"),
        exchanged("POST", ACTION, '{"value": "inprogress"}', Content_Type="application/json"),
    )


async def test_the_python_sdk_retries_long_before_the_recorded_wait_is_over(
    throttled: Path,
) -> None:
    with replaying(throttled, fast=True) as proxy:
        async with asyncio.timeout(SOONER):
            body = await disconnect(proxy.url)
        statuses = [entry.status for entry in proxy.entries]
    assert body == b'{"value": "inprogress"}'
    assert statuses == [429, 200]


async def disconnect(root: str) -> object:
    async with GraphClientFactory.create_with_default_middleware() as http:
        adapter = GraphRequestAdapter(AnonymousAuthenticationProvider(), client=http)
        adapter.base_url = f"{root}/beta"
        settings = GraphServiceClient(request_adapter=adapter).device_management
        action = settings.chrome_o_s_onboarding_settings.disconnect
        # The generated .disconnect.post() raises ImportError: its enum's module has another case.
        info = action.to_post_request_information()
        try:
            return await adapter.send_primitive_async(info, "bytes", {})
        finally:
            # The middleware's transport doesn't close the one it wraps.
            await http._transport.transport.aclose()  # noqa: SLF001


@pytest.mark.timeout(SOONER)
def test_urllib3_takes_it_for_a_retry_after(throttled: Path) -> None:
    retries = Retry(total=3, status_forcelist=[429], allowed_methods=None)
    with replaying(throttled, fast=True) as proxy, requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retries))
        got = session.post(f"{proxy.url}{ACTION}", timeout=5)
        statuses = [entry.status for entry in proxy.entries]
    assert got.json() == {"value": "inprogress"}
    assert statuses == [429, 200]
