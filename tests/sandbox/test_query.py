from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandbox.service import SandboxClient


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("$top=0", "BadRequest", "Invalid value '0' for $top"),
        ("$top=many", "BadRequest", "Invalid value 'many' for $top"),
        ("$top=", "BadRequest", "Invalid value '' for $top"),
        ("$skiptoken=2", "BadRequest", "$skiptoken"),
        ("$skiptoken=m~!!", "BadRequest", "$skiptoken"),
        ("$select=id,shoeSize", "BadRequest", "Could not find a property named 'shoeSize'"),
        ("$filter=shoeSize%20eq%20'9'", "BadRequest", "Could not find a property named"),
        ("$filter=nonsense", "Request_UnsupportedQuery", "Unsupported Query."),
    ],
)
async def test_a_malformed_query_is_a_400(
    sandbox: SandboxClient, query: str, code: str, said: str
) -> None:
    answer = await sandbox.ask("GET", f"/v1.0/users?{query}")
    assert (answer.status, answer.error["code"]) == (400, code)
    assert said in answer.error["message"]


async def test_an_option_the_sandbox_doesnt_simulate_is_refused_rather_than_ignored(
    sandbox: SandboxClient,
) -> None:
    answer = await sandbox.ask("GET", "/v1.0/users?$orderby=displayName")
    assert (answer.status, answer.error["code"]) == (501, "GraphtapeSandbox")
    assert "'$orderby'" in answer.error["message"]
    assert "$top" in answer.error["message"]


@pytest.mark.parametrize("query", ["$top=2", "%24top=2", "top=2", "$TOP=2", "api-version=1&$top=2"])
async def test_every_spelling_of_an_option_counts(sandbox: SandboxClient, query: str) -> None:
    answer = await sandbox.ask("GET", f"/v1.0/users?{query}")
    assert len(answer.json["value"]) == 2


async def test_a_next_link_keeps_what_was_asked(sandbox: SandboxClient) -> None:
    pages = await sandbox.pages("/v1.0/users?$select=displayName&$top=5&tag=a%26b%20c")
    assert "tag=a%26b%20c" in pages[0]["@odata.nextLink"]
    assert pages[1]["value"] == [{"displayName": "Isaiah Langer"}, {"displayName": "Zoë O'Brien"}]


async def test_a_list_without_top_fits_one_page(sandbox: SandboxClient) -> None:
    pages = await sandbox.pages("/v1.0/users")
    assert len(pages) == 1
