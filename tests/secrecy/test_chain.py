"""What a client takes from an answer, or from its own config, still finds its answer offline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest
import requests

from proxies import AUTH, RawServer, recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANT = "3c5fe7a1-90b4-4d21-8a6c-77e1f0b2d954"
PEOPLE = {
    "7b1ec4f0-2f0d-4a3b-9c58-0d2a4c6f9e11": "jane.doe@acme-corp.test",
    "0f6a2d3c-5e4b-4c1d-8b7a-9e8f7d6c5b42": "joe_öl.partner.test#EXT#@acmecorp.onmicrosoft.com",
}
OWN = "Jane.Doe@acme-corp.test"
"""As it stands in the client's config: in another case than Graph writes it."""


def user(key: str) -> dict[str, str]:
    return {"id": key, "userPrincipalName": PEOPLE[key], "mail": PEOPLE[key].lower()}


def tenant(request: bytes) -> bytes:
    """Answer as Graph does for a tenant of two."""
    target = unquote(request.split(b" ", 2)[1].decode())
    name = target.partition("/users/")[2].partition("/")[0].partition("?")[0].lower()
    keys = [key for key, upn in PEOPLE.items() if name in {key, upn.lower()}]
    if "/organization" in target:
        body: object = {
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#organization",
            "value": [{"id": TENANT, "verifiedDomains": [{"name": "acme-corp.test"}]}],
        }
    elif "/tenantRelationships" in target or "memberOf" in target:
        body = {"tenantId": TENANT, "members": list(PEOPLE.values())}
    elif keys:
        body = user(keys[0])
    else:
        link = "https://graph.microsoft.com/v1.0/users?$skiptoken=two"
        body = {"value": [user(key) for key in PEOPLE], "@odata.nextLink": link}
    data = json.dumps(body).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\n"
        b"Content-Length: %d\r\n\r\n" % len(data)
    ) + data


def get(url: str) -> dict[str, str]:
    got = requests.get(url, headers=AUTH, timeout=10)
    assert got.status_code == 200, got.text
    found: dict[str, str] = got.json()
    return found


def by_answers(root: str) -> None:
    """Follow ids, UPNs, a link and a tenant id out of answers."""
    listed = requests.get(f"{root}/users", headers=AUTH, timeout=10).json()
    get(listed["@odata.nextLink"])
    for person in listed["value"]:
        upn = person["userPrincipalName"]
        quoted = quote(upn, safe="")
        assert get(f"{root}/users/{person['id']}") == person
        assert get(f"{root}/users/{quoted}") == person
        assert get(f"{root}/users/{quoted.replace('%40', '@')}") == person
        get(f"{root}/users?$filter=mail eq '{quoted}'")
        checked = requests.post(
            f"{root}/users/{person['id']}/memberOf", headers=AUTH, json={"upn": upn}, timeout=10
        )
        assert upn in checked.json()["members"]
    found = requests.get(f"{root}/organization", headers=AUTH, timeout=10).json()["value"][0]
    which = f"findTenantInformationByTenantId(tenantId='{found['id']}')"
    assert get(f"{root}/tenantRelationships/{which}")["tenantId"] == found["id"]
    named = f"findTenantInformationByDomainName(domainName='{found['verifiedDomains'][0]['name']}')"
    get(f"{root}/tenantRelationships/{named}")


def by_config(root: str) -> None:
    """Ask by the UPN that the client itself brings."""
    assert get(f"{root}/users/{OWN}")["userPrincipalName"].lower() == OWN.lower()
    assert get(f"{root}/users/{OWN.replace('@', '%40')}")["mail"].lower() == OWN.lower()
    get(f"{root}/users?$filter=userPrincipalName eq '{OWN}'")


@pytest.mark.parametrize("walk", [by_answers, by_config])
def test_a_walk_through_a_tenant_replays_offline(
    tmp_path: Path, walk: Callable[[str], None]
) -> None:
    tape = tmp_path / "t.yaml"
    with RawServer(answer=tenant) as graph, recording(tape, upstream=graph.url) as proxy:
        walk(f"{proxy.url}/v1.0")
    text = tape.read_text(encoding="utf-8").lower()
    assert ".example" in text
    assert [word for word in ("acme", "jane", "joe_", "partner", TENANT) if word in text] == []
    with replaying(tape) as proxy:
        walk(f"{proxy.url}/v1.0")
        assert {entry.source for entry in proxy.entries} == {"replayed"}


def test_who_recorded_by_answers_is_found_by_config_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    tape = tmp_path / "t.yaml"
    with RawServer(answer=tenant) as graph, recording(tape, upstream=graph.url) as proxy:
        upn = PEOPLE[next(iter(PEOPLE))]
        get(f"{proxy.url}/v1.0/users/{upn}")
    with replaying(tape) as proxy:
        answer = get(f"{proxy.url}/v1.0/users/{upn}")
        assert answer["userPrincipalName"] == upn
        pseudonym = get(f"{proxy.url}/v1.0/users/{OWN}")["userPrincipalName"]
        assert pseudonym == OWN


def test_what_the_client_did_not_send_stays_a_pseudonym(tmp_path: Path) -> None:
    tape = tmp_path / "t.yaml"
    with RawServer(answer=tenant) as graph, recording(tape, upstream=graph.url) as proxy:
        key = next(iter(PEOPLE))
        get(f"{proxy.url}/v1.0/users/{key}")
    with replaying(tape) as proxy:
        assert get(f"{proxy.url}/v1.0/users/{key}")["userPrincipalName"].endswith(".example")
