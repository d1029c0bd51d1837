from __future__ import annotations

import pytest

from graphtape.core.graph.cloud import upstream_named
from graphtape.core.message import Request
from graphtape.core.signin.destination import (
    AnswerHere,
    AskAuthority,
    NotSignIn,
    at_authority,
    course,
)
from graphtape.core.signin.environment import credentials

TOKEN = "/common/oauth2/v2.0/token?x=1"
GRAPH = "https://graph.microsoft.com"


def post(url: str) -> Request:
    return Request(method="POST", url=url)


@pytest.mark.parametrize(
    ("name", "root", "url"),
    [
        ("global", GRAPH, f"https://login.microsoftonline.com{TOKEN}"),
        ("usgov", "https://graph.microsoft.us", f"https://login.microsoftonline.us{TOKEN}"),
        ("usgov-dod", "https://dod-graph.microsoft.us", f"https://login.microsoftonline.us{TOKEN}"),
        (
            "china",
            "https://microsoftgraph.chinacloudapi.cn",
            f"https://login.chinacloudapi.cn{TOKEN}",
        ),
    ],
)
def test_recording_asks_the_authority_of_its_cloud(name: str, root: str, url: str) -> None:
    upstream = upstream_named(name)
    found = course(post(root + TOKEN), upstream=upstream, forwards=True, record=False)
    assert found == AskAuthority(url=url, taped=False)


def test_sign_in_is_recorded_where_the_user_wants_it() -> None:
    upstream = upstream_named("global")
    found = course(post(GRAPH + TOKEN), upstream=upstream, forwards=True, record=True)
    assert isinstance(found, AskAuthority)
    assert found.taped


def test_what_is_asked_at_an_authority_stays_there() -> None:
    url = f"https://login.windows.net{TOKEN}"
    found = course(post(url), upstream=upstream_named("global"), forwards=True, record=False)
    assert found == AskAuthority(url=url, taped=False)


def test_resource_manager_is_asked_for_subscriptions() -> None:
    request = Request(method="GET", url=f"{GRAPH}/subscriptions?api-version=2022-12-01")
    found = course(request, upstream=upstream_named("global"), forwards=True, record=False)
    assert found == AskAuthority(
        url="https://management.azure.com/subscriptions?api-version=2022-12-01", taped=False
    )


def test_the_sandbox_has_ours() -> None:
    upstream = upstream_named("sandbox")
    found = course(post(GRAPH + TOKEN), upstream=upstream, forwards=True, record=False)
    assert found == AnswerHere()


def test_an_upstream_of_the_users_own_is_its_own_authority() -> None:
    upstream = upstream_named("https://graph.example.com/proxy")
    found = course(post(GRAPH + TOKEN), upstream=upstream, forwards=True, record=False)
    assert found == AskAuthority(url=f"https://graph.example.com/proxy{TOKEN}", taped=False)


def test_what_forwards_nothing_answers_itself() -> None:
    upstream = upstream_named("global")
    found = course(post(GRAPH + TOKEN), upstream=upstream, forwards=False, record=True)
    assert found == AnswerHere()


def test_graphs_own_stays_graphs() -> None:
    upstream = upstream_named("global")
    found = course(post(f"{GRAPH}/v1.0/me"), upstream=upstream, forwards=True, record=False)
    assert found == NotSignIn()


def test_a_sign_in_is_looked_up_where_a_har_has_it_too() -> None:
    found = at_authority(post(GRAPH + TOKEN))
    assert found is not None
    assert found.url == f"https://login.microsoftonline.com{TOKEN}"
    assert at_authority(found) is None
    assert at_authority(post(f"{GRAPH}/v1.0/me")) is None


def test_a_command_gets_an_authority_and_fake_credentials() -> None:
    found = credentials({}, authority="https://127.0.0.1:1")
    assert found["AZURE_AUTHORITY_HOST"] == "https://127.0.0.1:1"
    assert found["AZURE_CLIENT_SECRET"] == "graphtape-fake-secret"
    assert set(found) == {
        "AZURE_AUTHORITY_HOST",
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
    }


def test_the_users_own_tenant_and_app_stay() -> None:
    inherited = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "", "AZURE_AUTHORITY_HOST": "x"}
    found = credentials(inherited, authority="https://127.0.0.1:1")
    assert "AZURE_TENANT_ID" not in found
    assert found["AZURE_CLIENT_ID"]
    assert found["AZURE_AUTHORITY_HOST"] == "https://127.0.0.1:1"
