"""An app on the real msgraph-beta-sdk."""

from __future__ import annotations

import json
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_http.middleware.options import RetryHandlerOption

from proxies import TOKEN

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from msgraph_beta import GraphRequestAdapter, GraphServiceClient
    from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph_core import GraphClientFactory

__all__ = ["App", "ODataError", "app_at"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from kiota_abstractions.request_information import RequestInformation

ERRORS = {"XXX": ODataError}


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
        body = await self.adapter.send_primitive_async(info, "bytes", ERRORS)
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
async def app_at(root: str, *, retries: bool = True) -> AsyncIterator[App]:
    """Run an app against a proxy; without retries it meets an error at its first answer."""
    async with GraphClientFactory.create_with_default_middleware(options=_options(retries)) as http:
        try:
            yield App(root, http)
        finally:
            # The middleware's transport doesn't close the one it wraps.
            await http._transport.transport.aclose()  # noqa: SLF001


def _options(retries: bool) -> dict[str, object]:  # noqa: FBT001 - as `app_at` takes it
    option = RetryHandlerOption(max_retries=3 if retries else 0, should_retry=retries)
    return {RetryHandlerOption.get_key(): option}
