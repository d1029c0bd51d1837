from __future__ import annotations

import re

import pytest

from graphtape.sandbox.photo import PORTRAIT
from sandbox.service import GRAPH, SandboxClient

GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
VERSIONS = pytest.mark.parametrize("version", ["v1.0", "beta"])
NEW = {
    "accountEnabled": True,
    "displayName": "Lee Gu",
    "mailNickname": "LeeG",
    "userPrincipalName": "LeeG@contoso.com",
    "passwordProfile": {"password": "fake-password", "forceChangePasswordNextSignIn": True},
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000020000000308000000008f1c6c2e0000000049454e44ae426082"
)


@VERSIONS
async def test_users_are_listed_in_pages_to_the_end(sandbox: SandboxClient, version: str) -> None:
    pages = await sandbox.pages(f"/{version}/users?$top=3")
    assert [len(page["value"]) for page in pages] == [3, 3, 1]
    assert pages[0]["@odata.nextLink"].startswith(f"{GRAPH}/{version}/users?$top=3&$skiptoken=")
    assert pages[0]["@odata.context"] == f"{GRAPH}/{version}/$metadata#users"
    names = [user["userPrincipalName"] for page in pages for user in page["value"]]
    assert len(set(names)) == 7
    assert {name.partition("@")[2] for name in names} == {
        "contoso.com",
        "contoso.onmicrosoft.com",
    }


async def test_v1_shows_the_default_properties_and_beta_all(sandbox: SandboxClient) -> None:
    basic = (await sandbox.ask("GET", "/v1.0/me")).json
    full = (await sandbox.ask("GET", "/beta/me")).json
    assert "accountEnabled" not in basic
    assert full["accountEnabled"] is True
    assert basic["id"] == full["id"]


async def test_select_narrows_a_user_and_shows_in_the_context(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("GET", "/v1.0/me?%24select=displayName%2Cdepartment")
    assert answer.json == {
        "@odata.context": f"{GRAPH}/v1.0/$metadata#users(displayName,department)/$entity",
        "displayName": "Megan Bowen",
        "department": None,
    }


async def test_a_user_is_found_by_id_and_by_principal_name_in_any_case(
    sandbox: SandboxClient,
) -> None:
    by_name = (await sandbox.ask("GET", "/v1.0/users/adelev%40CONTOSO.com")).json
    by_id = (await sandbox.ask("GET", f"/v1.0/users/{by_name['id']}")).json
    by_key = (await sandbox.ask("GET", "/v1.0/users('AdeleV@contoso.com')")).json
    assert by_name == by_id == by_key
    assert by_id["displayName"] == "Adele Vance"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("userPrincipalName eq 'alexw@contoso.com'", ["Alex Wilber"]),
        ("startswith(displayName,'A')", ["Adele Vance", "Alex Wilber"]),
        ("startswith(surname, 'O''B')", ["Zoë O'Brien"]),
        ("jobTitle eq 'Nobody'", []),
    ],
)
async def test_filter_narrows_the_list(
    sandbox: SandboxClient, wanted: str, found: list[str]
) -> None:
    answer = await sandbox.ask("GET", f"/v1.0/users?$filter={wanted.replace(' ', '%20')}")
    assert [user["displayName"] for user in answer.json["value"]] == found


async def test_a_filter_holds_across_pages(sandbox: SandboxClient) -> None:
    pages = await sandbox.pages(
        "/v1.0/users?$top=1&$filter=startswith(displayName,'A')&$count=true"
    )
    assert [user["displayName"] for page in pages for user in page["value"]] == [
        "Adele Vance",
        "Alex Wilber",
    ]
    assert [page["@odata.count"] for page in pages] == [2, 2]


async def test_create_answers_201_with_the_directorys_location(sandbox: SandboxClient) -> None:
    created = await sandbox.ask("POST", "/v1.0/users", payload=NEW)
    assert created.status == 201
    location = created.headers["Location"]
    found = re.fullmatch(
        rf"{GRAPH}/v2/{GUID}/directoryObjects/({GUID})/Microsoft\.DirectoryServices\.User", location
    )
    assert found is not None
    assert found[1] == created.json["id"]
    assert b"fake-password" not in created.body
    read = await sandbox.ask("GET", "/v1.0/users/LeeG@contoso.com")
    assert read.json["displayName"] == "Lee Gu"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mailNickname": None}, "A value is required for property 'mailNickname'"),
        ({"shoeSize": 44}, "Invalid property 'shoeSize'."),
        ({"displayName": 5}, "Invalid value specified for property 'displayName'"),
        ({"userPrincipalName": "adelev@contoso.com"}, "Another object with the same value"),
    ],
    ids=["missing", "unknown", "type", "taken"],
)
async def test_create_refuses_what_the_directory_cant_hold(
    sandbox: SandboxClient, change: dict[str, object], said: str
) -> None:
    answer = await sandbox.ask("POST", "/v1.0/users", payload={**NEW, **change})
    assert (answer.status, answer.error["code"]) == (400, "Request_BadRequest")
    assert said in answer.error["message"]


@pytest.mark.parametrize("path", ["/v1.0/me", "/v1.0/users/MeganB@contoso.com"])
async def test_update_answers_204_and_stays(sandbox: SandboxClient, path: str) -> None:
    answer = await sandbox.ask("PATCH", path, payload={"jobTitle": "Director 😀"})
    assert (answer.status, answer.body) == (204, b"")
    assert (await sandbox.ask("GET", "/v1.0/me")).json["jobTitle"] == "Director 😀"


async def test_a_user_may_keep_its_own_name_in_an_update(sandbox: SandboxClient) -> None:
    same = {"userPrincipalName": "MEGANB@contoso.com"}
    assert (await sandbox.ask("PATCH", "/v1.0/me", payload=same)).status == 204


async def test_a_deleted_user_is_gone(sandbox: SandboxClient) -> None:
    assert (await sandbox.ask("DELETE", "/v1.0/users/AlexW@contoso.com")).status == 204
    answer = await sandbox.ask("GET", "/v1.0/users/AlexW@contoso.com")
    assert (answer.status, answer.error["code"]) == (404, "Request_ResourceNotFound")
    assert answer.error["message"].startswith("Resource 'AlexW@contoso.com' does not exist")


async def test_me_cant_be_deleted(sandbox: SandboxClient) -> None:
    answer = await sandbox.ask("DELETE", "/v1.0/me")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, PATCH"


@VERSIONS
async def test_the_photo_is_a_jpeg_described_by_its_metadata(
    sandbox: SandboxClient, version: str
) -> None:
    value = await sandbox.ask("GET", f"/{version}/me/photo/$value")
    described = (await sandbox.ask("GET", f"/{version}/me/photo")).json
    assert value.headers["Content-Type"] == "image/jpeg"
    assert value.body == PORTRAIT.data
    assert value.body[:2] + value.body[-2:] == b"\xff\xd8\xff\xd9"
    assert (described["width"], described["height"]) == (48, 48)
    assert described["@odata.mediaContentType"] == "image/jpeg"
    assert described["@odata.mediaEtag"] == value.headers["ETag"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_an_upload_replaces_the_photo(sandbox: SandboxClient, method: str) -> None:
    path = "/v1.0/me/photo/$value"
    put = await sandbox.ask(method, path, data=PNG, headers={"Content-Type": "image/png"})
    assert (put.status, put.body) == (200, b"")
    value = await sandbox.ask("GET", path)
    assert (value.body, value.headers["Content-Type"]) == (PNG, "image/png")
    described = (await sandbox.ask("GET", "/v1.0/me/photo")).json
    assert (described["id"], described["width"], described["height"]) == ("2x3", 2, 3)


async def test_a_photo_may_have_4_mib_and_no_more(sandbox: SandboxClient) -> None:
    path = "/v1.0/me/photo/$value"
    headers = {"Content-Type": "image/jpeg"}
    most = b"\xff\xd8" + bytes(4 * 1024 * 1024 - 2)
    assert (await sandbox.ask("PUT", path, data=most, headers=headers)).status == 200
    assert (await sandbox.ask("GET", path)).body == most
    answer = await sandbox.ask("PUT", path, data=most + b"\0", headers=headers)
    assert (answer.status, answer.error["code"]) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize(("data", "told"), [(PNG, "image/png"), (b"\xff\xd8", "image/jpeg")])
async def test_an_upload_not_said_to_be_an_image_is_told_by_its_bytes(
    sandbox: SandboxClient, data: bytes, told: str
) -> None:
    path = "/v1.0/me/photo/$value"
    headers = {"Content-Type": "application/octet-stream"}
    assert (await sandbox.ask("PUT", path, data=data, headers=headers)).status == 200
    assert (await sandbox.ask("GET", path)).headers["Content-Type"] == told


async def test_an_empty_photo_is_a_400(sandbox: SandboxClient) -> None:
    headers = {"Content-Type": "image/png"}
    answer = await sandbox.ask("PUT", "/v1.0/me/photo/$value", data=b"", headers=headers)
    assert answer.status == 400


@pytest.mark.parametrize(
    "data",
    [b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00\x00\x00\x00\x00\x00", b"\x89PNG", b"GIF89a"],
    ids=["cut-jpeg", "jpeg-without-frame", "cut-png", "gif"],
)
async def test_a_photo_of_unknown_size_is_said_to_be_1x1(
    sandbox: SandboxClient, data: bytes
) -> None:
    headers = {"Content-Type": "image/jpeg"}
    await sandbox.ask("PUT", "/v1.0/me/photo/$value", data=data, headers=headers)
    assert (await sandbox.ask("GET", "/v1.0/me/photo")).json["id"] == "1x1"


async def test_whoever_has_no_photo_answers_404(sandbox: SandboxClient) -> None:
    assert (await sandbox.ask("DELETE", "/v1.0/me/photo/$value")).status == 204
    for path in ("/v1.0/me/photo", "/v1.0/me/photo/$value", "/v1.0/users/AlexW@contoso.com/photo"):
        answer = await sandbox.ask("GET", path)
        assert (answer.status, answer.error["code"]) == (404, "ImageNotFound")


async def test_a_lone_surrogate_in_a_name_breaks_nothing(sandbox: SandboxClient) -> None:
    data = b'{"displayName": "x\\ud800y"}'
    headers = {"Content-Type": "application/json"}
    assert (await sandbox.ask("PATCH", "/v1.0/me", data=data, headers=headers)).status == 204
    assert (await sandbox.ask("GET", "/v1.0/me")).json["displayName"] == "x?y"
    data = b'{"\\ud800": 1}'
    assert (await sandbox.ask("PATCH", "/v1.0/me", data=data, headers=headers)).status == 400
