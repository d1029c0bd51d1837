"""The app under test: it disconnects a tenant from ChromeOS, with msgraph-beta-sdk."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from kiota_abstractions.authentication import AuthenticationProvider
from msgraph_beta import GraphRequestAdapter, GraphServiceClient
from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiota_abstractions.request_information import RequestInformation


class OffboardingError(Exception):
    """The tenant is still connected."""


class Token(AuthenticationProvider):
    """Sends a token the app was given."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def authenticate_request(
        self,
        request: RequestInformation,
        additional_authentication_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        request.headers.try_add("Authorization", f"Bearer {self._token}")


async def offboard(
    graph: str,
    token: str,
    *,
    pause: float = 10,
    polls: int = 30,
    on_status: Callable[[list[str]], None] = print,
) -> None:
    """Disconnect, and wait until every setting is let go.

    Args:
        graph: `https://graph.microsoft.com`, or what stands in for it.
        token: With DeviceManagementConfiguration.ReadWrite.All.
        pause: Seconds between two polls.
        polls: How many, before it gives up.
        on_status: Told the statuses of each poll.

    Raises:
        OffboardingError: Intune says that it failed, or doesn't say that it is done.
    """
    adapter = GraphRequestAdapter(Token(token))
    adapter.base_url = f"{graph}/beta"
    client = GraphServiceClient(request_adapter=adapter)
    settings = client.device_management.chrome_o_s_onboarding_settings

    # The generated .disconnect.post() raises ImportError (1.66.0): the enum's module is spelled in
    # another case. The adapter does the same without it.
    info = settings.disconnect.to_post_request_information()
    body = await adapter.send_primitive_async(info, "bytes", {"XXX": ODataError})
    if json.loads(body)["value"] == "failed":
        raise OffboardingError("Intune didn't take the disconnect")

    for _ in range(polls):
        page = await settings.get()
        statuses = [setting.onboarding_status.value for setting in page.value]
        on_status(statuses)
        if "failed" in statuses:
            raise OffboardingError("the disconnect was taken, and failed later")
        if all(status == "unknown" for status in statuses):
            return
        await asyncio.sleep(pause)
    raise OffboardingError(f"not done after {polls} polls")
