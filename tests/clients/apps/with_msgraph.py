"""The app on msgraph-beta-sdk, with kiota's azure-identity provider and a static credential."""

from __future__ import annotations

import json
import time
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from azure.core.credentials import AccessToken

from clients.apps.app import CONNECT, PAGE, TOKEN, UNKNOWN_ID, Refused, serve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import (
        AzureIdentityAuthenticationProvider,
    )
    from msgraph_beta import GraphRequestAdapter, GraphServiceClient
    from msgraph_beta.generated.device_management.chrome_o_s_onboarding_settings.connect import (
        connect_post_request_body,
    )
    from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
    from msgraph_core.requests.batch_request_content import BatchRequestContent
    from msgraph_core.requests.batch_request_item import BatchRequestItem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from kiota_abstractions.request_information import RequestInformation


class StaticCredential:
    """One token, an hour long; has all that the provider asks of azure-identity's own."""

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,  # noqa: ANN401 - as the provider's protocol has it
    ) -> AccessToken:
        del scopes, claims, tenant_id, enable_cae, kwargs
        return AccessToken(TOKEN, int(time.time()) + 3600)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...


class MsgraphClient:
    def __init__(self, root: str) -> None:
        provider = AzureIdentityAuthenticationProvider(
            StaticCredential(),
            scopes=["https://graph.microsoft.com/.default"],
            # Empty for any host; unless said, hosts that aren't Graph's get no token, silently.
            allowed_hosts=[],
        )
        self.adapter = GraphRequestAdapter(provider)
        self.adapter.base_url = f"{root}/beta"
        self.graph = GraphServiceClient(request_adapter=self.adapter)
        self.settings = self.graph.device_management.chrome_o_s_onboarding_settings

    async def name(self) -> str:
        me = await self.graph.me().get()
        return str(me.display_name)

    async def pages(self) -> list[list[str]]:
        query = self.settings.ChromeOSOnboardingSettingsRequestBuilderGetQueryParameters(top=PAGE)
        asked: Any = RequestConfiguration(query_parameters=query)
        page = await self.settings.get(request_configuration=asked)
        found: list[list[str]] = []
        while True:
            found.append([item.id for item in page.value])
            if not page.odata_next_link:
                return found
            page = await self.settings.with_url(page.odata_next_link).get()

    async def connect(self) -> str:
        body = connect_post_request_body.ConnectPostRequestBody(
            owner_user_principal_name=CONNECT["ownerUserPrincipalName"],
            owner_access_token=CONNECT["ownerAccessToken"],
        )
        return await self._value(self.settings.connect.to_post_request_information(body))

    async def disconnect(self) -> str:
        return await self._value(self.settings.disconnect.to_post_request_information())

    async def _value(self, info: RequestInformation) -> str:
        # The generated .post() of both raises ImportError: its enum's module has another case.
        body = await self.adapter.send_primitive_async(info, "bytes", {"XXX": ODataError})
        assert isinstance(body, bytes)
        return str(json.loads(body)["value"])

    async def status(self, setting: str) -> str:
        item = await self.settings.by_chrome_o_s_onboarding_settings_id(setting).get()
        return str(item.onboarding_status.value)

    async def batch(self) -> dict[str, int]:
        unknown = self.settings.by_chrome_o_s_onboarding_settings_id(UNKNOWN_ID)
        infos = {
            "me": self.graph.me().to_get_request_information(),
            "none": unknown.to_get_request_information(),
            "list": self.settings.to_get_request_information(),
        }
        content = BatchRequestContent()
        for name, info in infos.items():
            info.path_parameters["baseurl"] = self.adapter.base_url
            content.add_request(None, BatchRequestItem(info, id=name))
        answered = await BatchRequestBuilder(self.adapter).post(content)
        return {name: answered.responses[name].status for name in infos}

    async def missing(self) -> Refused:
        try:
            await self.status(UNKNOWN_ID)
        except ODataError as exc:
            return Refused(type="ODataError", status=exc.response_status_code, code=exc.error.code)
        raise AssertionError("it was there")

    async def download(self) -> bytes:
        data = await self.graph.me().photo.content.get()
        assert isinstance(data, bytes)
        return data

    async def upload(self, data: bytes) -> None:
        await self.graph.me().photo.content.put(data)


@asynccontextmanager
async def opened(root: str) -> AsyncIterator[MsgraphClient]:
    client = MsgraphClient(root)
    # The adapter's own, as apps have it; one of another making leaves /users/me-token-to-replace.
    http = client.adapter._http_client  # noqa: SLF001
    try:
        yield client
    finally:
        # The middleware's transport doesn't close the one it wraps.
        await http._transport.transport.aclose()  # noqa: SLF001


if __name__ == "__main__":
    serve(opened)
