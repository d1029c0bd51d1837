"""Real sign-in libraries against the offline authority."""

from __future__ import annotations

import base64
import json
import re
import time
from html import unescape
from typing import TYPE_CHECKING

import msal  # type: ignore[import-untyped]  # ships no py.typed
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    OnBehalfOfCredential,
)

from authority import serving_authority
from graphtape.core.signin.environment import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authority import Authority

TENANT = "11111111-2222-4333-8444-555555555555"
FAKE_TENANT = "fa4e0000-0000-4000-8000-000000000001"
CLIENT = "99999999-2222-4333-8444-555555555555"
GRAPH_DEFAULT = "https://graph.microsoft.com/.default"
USER = "adele.vance@contoso.com"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    with serving_authority(tmp_path) as served:
        # Where it is set already, it beats what a session of requests is told to verify by.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", served.ca)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield served


def claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    read = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(read, dict)
    return read


def posted(page: str) -> dict[str, str]:
    """Return the form that a browser would send on."""
    inputs = re.findall(r'name="([^"]*)" value="([^"]*)"', page)
    return {unescape(name): unescape(value) for name, value in inputs}


def public(authority: Authority, tenant: str = "common") -> msal.PublicClientApplication:
    return msal.PublicClientApplication(
        CLIENT,
        authority=f"{authority.url}/{tenant}",
        verify=authority.ca,
        instance_discovery=False,
    )


def confidential(authority: Authority) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        CLIENT,
        authority=f"{authority.url}/{TENANT}",
        client_credential="not-a-real-secret",
        verify=authority.ca,
        instance_discovery=False,
    )


def test_msal_signs_an_app_in_by_its_secret(authority: Authority) -> None:
    result = confidential(authority).acquire_token_for_client([GRAPH_DEFAULT])
    token = claims(result["access_token"])
    assert token["tid"] == TENANT
    assert token["appid"] == CLIENT
    assert token["aud"] == "https://graph.microsoft.com"
    roles = token["roles"]
    assert isinstance(roles, list)
    assert "DeviceManagementConfiguration.ReadWrite.All" in roles
    assert "scp" not in token
    assert result["expires_in"] == 3599


def test_msal_asks_for_an_apps_token_once_while_it_lasts(authority: Authority) -> None:
    app = confidential(authority)
    first = app.acquire_token_for_client([GRAPH_DEFAULT])
    second = app.acquire_token_for_client([GRAPH_DEFAULT])
    assert second["access_token"] == first["access_token"]
    assert len([asked for asked in authority.asked if asked.endswith("/token")]) == 1


def test_msal_accepts_the_instance_discovery_of_the_authority_itself(authority: Authority) -> None:
    app = msal.ConfidentialClientApplication(
        CLIENT,
        authority=f"{authority.url}/{TENANT}",
        client_credential="not-a-real-secret",
        verify=authority.ca,
        instance_discovery=f"{authority.url}/common/discovery/instance",
    )
    assert "access_token" in app.acquire_token_for_client([GRAPH_DEFAULT])
    assert "GET /common/discovery/instance" in authority.asked


def test_msal_signs_a_user_in_by_device_code_at_once(authority: Authority) -> None:
    app = public(authority)
    flow = app.initiate_device_flow(["User.Read", "DeviceManagementConfiguration.Read.All"])
    asked = len(authority.asked)
    result = app.acquire_token_by_device_flow(flow)
    assert len(authority.asked) == asked + 1  # it waits before it asks again
    token = claims(result["access_token"])
    scp = token["scp"]
    assert isinstance(scp, str)
    assert {"User.Read", "DeviceManagementConfiguration.Read.All"} <= set(scp.split())
    assert token["upn"] == USER
    assert token["tid"] == FAKE_TENANT
    assert result["id_token_claims"]["preferred_username"] == USER


def test_msal_finds_the_account_and_refreshes_it_silently(authority: Authority) -> None:
    app = public(authority)
    app.acquire_token_by_device_flow(app.initiate_device_flow(["User.Read"]))
    (account,) = app.get_accounts(username=USER)
    silent = app.acquire_token_silent(["User.Read"], account=account)
    assert "access_token" in silent
    refreshed = app.acquire_token_silent(["Mail.Read"], account=account, force_refresh=True)
    scp = claims(refreshed["access_token"])["scp"]
    assert isinstance(scp, str)
    assert "Mail.Read" in scp.split()


def test_msal_finds_a_token_of_the_default_scope_in_its_cache(authority: Authority) -> None:
    app = public(authority)
    app.acquire_token_by_device_flow(app.initiate_device_flow([GRAPH_DEFAULT]))
    asked = len(authority.asked)
    (account,) = app.get_accounts()
    assert app.acquire_token_silent([GRAPH_DEFAULT], account=account) is not None
    assert len(authority.asked) == asked


def test_msal_signs_a_user_in_by_code_with_pkce_and_nonce(authority: Authority) -> None:
    app = public(authority, TENANT)
    flow = app.initiate_auth_code_flow(
        ["User.Read"], redirect_uri="http://localhost:1/back", response_mode="form_post"
    )
    page = requests.get(flow["auth_uri"], verify=authority.ca, timeout=5).text
    assert 'method="POST" action="http://localhost:1/back"' in page
    result = app.acquire_token_by_auth_code_flow(flow, posted(page))
    assert claims(result["access_token"])["tid"] == TENANT
    assert "refresh_token" in result


def test_msal_is_refused_a_code_whose_verifier_is_wrong(authority: Authority) -> None:
    app = public(authority)
    flow = app.initiate_auth_code_flow(
        ["User.Read"], redirect_uri="http://localhost:1/back", response_mode="form_post"
    )
    page = requests.get(flow["auth_uri"], verify=authority.ca, timeout=5).text
    flow["code_verifier"] = "w" * 43
    result = app.acquire_token_by_auth_code_flow(flow, posted(page))
    assert result["error"] == "invalid_grant"
    assert result["error_codes"] == [501481]


def test_msal_signs_in_on_behalf_of_a_user(authority: Authority) -> None:
    result = confidential(authority).acquire_token_on_behalf_of("fake.assertion.x", ["User.Read"])
    assert claims(result["access_token"])["scp"] == "User.Read openid profile"


def test_msal_stays_in_the_session_its_authority_names(authority: Authority) -> None:
    app = msal.ConfidentialClientApplication(
        CLIENT,
        authority=f"{authority.url}/_session/one/{TENANT}",
        client_credential="not-a-real-secret",
        verify=authority.ca,
        instance_discovery=False,
    )
    assert claims(app.acquire_token_for_client([GRAPH_DEFAULT])["access_token"])["tid"] == TENANT
    assert all(asked.split()[1].startswith("/_session/one/") for asked in authority.asked)


@pytest.mark.parametrize("prefix", ["", "/_session/one"], ids=["default", "session"])
def test_azure_identity_signs_an_app_in_by_its_secret(authority: Authority, prefix: str) -> None:
    with ClientSecretCredential(
        TENANT,
        CLIENT,
        "not-a-real-secret",
        authority=authority.url + prefix,
        disable_instance_discovery=True,
        connection_verify=authority.ca,
    ) as credential:
        token = credential.get_token(GRAPH_DEFAULT)
    assert claims(token.token)["tid"] == TENANT
    assert abs(token.expires_on - time.time() - 3599) < 10


def test_azure_identity_signs_an_app_in_by_an_assertion(authority: Authority) -> None:
    with ClientAssertionCredential(
        TENANT,
        CLIENT,
        lambda: "fake.assertion.x",
        authority=authority.url,
        disable_instance_discovery=True,
        connection_verify=authority.ca,
    ) as credential:
        assert claims(credential.get_token(GRAPH_DEFAULT).token)["idtyp"] == "app"


def test_azure_identity_signs_a_user_in_by_device_code(authority: Authority) -> None:
    with DeviceCodeCredential(
        CLIENT,
        authority=authority.url,
        disable_instance_discovery=True,
        connection_verify=authority.ca,
        prompt_callback=lambda *_: None,
    ) as credential:
        token = credential.get_token("User.Read")
    assert claims(token.token)["upn"] == USER


def test_azure_identity_signs_in_on_behalf_of_a_user(authority: Authority) -> None:
    with OnBehalfOfCredential(
        TENANT,
        CLIENT,
        client_secret="not-a-real-secret",
        user_assertion="fake.assertion.x",
        authority=authority.url,
        disable_instance_discovery=True,
        connection_verify=authority.ca,
    ) as credential:
        assert claims(credential.get_token("User.Read").token)["idtyp"] == "user"


def test_azure_identity_signs_in_by_the_environment_of_a_command(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in credentials({}, authority=authority.url).items():
        monkeypatch.setenv(name, value)
    with EnvironmentCredential(
        disable_instance_discovery=True, connection_verify=authority.ca
    ) as credential:
        token = credential.get_token(GRAPH_DEFAULT)
    assert claims(token.token)["tid"] == FAKE_TENANT


def test_azure_identity_raises_entras_error_with_its_number(authority: Authority) -> None:
    with (
        ClientSecretCredential(
            TENANT,
            CLIENT,
            "not-a-real-secret",
            authority=authority.url,
            disable_instance_discovery=True,
            connection_verify=authority.ca,
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS1002012"),
    ):
        credential.get_token("https://graph.microsoft.com/User.Read")


def test_a_command_line_finds_its_tenant_and_subscription(authority: Authority) -> None:
    app = confidential(authority)
    token = app.acquire_token_for_client(["https://management.core.windows.net//.default"])
    shown = {"Authorization": f"Bearer {token['access_token']}"}
    assert claims(token["access_token"])["aud"] == "https://management.core.windows.net/"
    for name in ("subscriptions", "tenants"):
        listed = requests.get(
            f"{authority.url}/{name}?api-version=2022-12-01",
            headers=shown,
            verify=authority.ca,
            timeout=5,
        ).json()["value"]
        assert [item["tenantId"] for item in listed] == [TENANT]
