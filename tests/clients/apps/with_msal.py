"""The app signed in by msal, with a client's secret; the calls are requests'."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msal  # type: ignore[import-untyped]  # ships no py.typed

from clients.apps.app import serve
from clients.apps.with_requests import RequestsClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TENANT = "11111111-2222-4333-8444-555555555555"


@asynccontextmanager
async def opened(root: str) -> AsyncIterator[RequestsClient]:
    app = msal.ConfidentialClientApplication(
        "99999999-2222-4333-8444-555555555555",
        authority=f"{root}/{TENANT}",
        client_credential="not-a-real-secret",
        instance_discovery=False,
        verify=os.environ["REQUESTS_CA_BUNDLE"],
    )
    signed_in = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    client = RequestsClient(root, signed_in["access_token"])
    with client.session:
        yield client


if __name__ == "__main__":
    serve(opened)
