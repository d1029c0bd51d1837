"""The real msgraph-beta-sdk against record, replay and a bent status."""

from __future__ import annotations

import json
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration

from proxies import TOKEN, recording, replaying

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from msgraph_beta import GraphRequestAdapter, GraphServiceClient
    from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph_core import GraphClientFactory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    from kiota_abstractions.request_information import RequestInformation

UNKNOWN_ID = "00000000-0000-0000-0000-00000000dead"


class StaticToken(AuthenticationProvider):
    """Sends one token; `extra` is what kiota's providers take beside."""

    async def authenticate_request(
        self,
        request: RequestInformation,
        additional_authentication_context: dict[str, Any] | None = None,
    ) -> None:
        del additional_authentication_context
        request.headers.try_add("Authorization", f"Bearer {TOKEN}")


class App:
    """What an app does with the SDK."""

    def __init__(self, root: str, http: httpx.AsyncClient) -> None:
        self.adapter = GraphRequestAdapter(StaticToken(), client=http)
        self.adapter.base_url = f"{root}/beta"
        self.settings = GraphServiceClient(
            request_adapter=self.adapter
        ).device_management.chrome_o_s_onboarding_settings

    async def disconnect(self) -> str:
        # The generated .disconnect.post() raises ImportError: its enum's module has another case.
        info = self.settings.disconnect.to_post_request_information()
        body = await self.adapter.send_primitive_async(info, "bytes", {})
        assert isinstance(body, bytes)
        return str(json.loads(body)["value"])

    async def pages(self, top: int) -> AsyncIterator[list[str]]:
        query = self.settings.ChromeOSOnboardingSettingsRequestBuilderGetQueryParameters(top=top)
        configuration = RequestConfiguration(query_parameters=query)
        page = await self.settings.get(request_configuration=configuration)
        while page is not None:
            yield [str(item.id) for item in page.value or []]
            if not page.odata_next_link:
                return
            assert page.odata_next_link.startswith(self.adapter.base_url)
            page = await self.settings.with_url(page.odata_next_link).get()

    async def status(self, setting: str) -> str:
        item = await self.settings.by_chrome_o_s_onboarding_settings_id(setting).get()
        assert item is not None
        assert item.onboarding_status is not None
        return str(item.onboarding_status.value)


@asynccontextmanager
async def app_at(root: str) -> AsyncIterator[App]:
    async with GraphClientFactory.create_with_default_middleware() as http:
        yield App(root, http)
        # The middleware's transport doesn't close the one it wraps.
        await http._transport.transport.aclose()  # noqa: SLF001


async def use(root: str) -> dict[str, object]:
    """Do what a session does; return all that the app saw."""
    async with app_at(root) as app:
        return await play(app)


async def play(app: App) -> dict[str, object]:
    pages = [page async for page in app.pages(top=2)]
    first = pages[0][0]
    answered = await app.disconnect()
    polls = [await app.status(first) for _ in range(3)]
    with pytest.raises(ODataError) as missing:
        await app.status(UNKNOWN_ID)
    return {
        "pages": pages,
        "answered": answered,
        "polls": polls,
        "missing": (missing.value.response_status_code, missing.value.error.code),
    }


async def test_the_sdk_records_replays_and_meets_a_bent_status(tmp_path: Path) -> None:
    cassette = tmp_path / "sdk.yaml"
    with recording(cassette, upstream="sandbox") as proxy:
        recorded = await use(proxy.url)
        assert {entry.source for entry in proxy.entries} == {"recorded"}
    with replaying(cassette) as proxy:
        assert await use(proxy.url) == recorded
        assert {entry.source for entry in proxy.entries} == {"replayed"}
    with replaying(cassette, status=("failed",)) as proxy:
        bent = await use(proxy.url)

    assert len(recorded["pages"]) > 1  # type: ignore[arg-type]
    assert recorded["answered"] == "inprogress"
    assert recorded["polls"] == ["offboarding", "offboarding", "unknown"]
    assert recorded["missing"] == (404, "ResourceNotFound")
    assert bent == recorded | {"answered": "failed", "polls": ["failed"] * 3}
    assert TOKEN not in cassette.read_text()


async def test_a_miss_surfaces_in_the_sdks_own_exception(tmp_path: Path) -> None:
    cassette = tmp_path / "sdk.yaml"
    with recording(cassette, upstream="sandbox") as proxy:
        async with app_at(proxy.url) as app:
            await app.disconnect()
    with replaying(cassette) as proxy:
        async with app_at(proxy.url) as app:
            with pytest.raises(ODataError) as missed:
                await app.status(UNKNOWN_ID)
    assert missed.value.error is not None
    assert missed.value.error.code == "GraphtapeMiss"
    assert UNKNOWN_ID in str(missed.value.error.message)
