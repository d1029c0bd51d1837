"""Identities become pseudonyms: stable, of the same shape, their own pseudonyms."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from graphtape.core.message import Headers, Request, Response
from graphtape.core.redaction import Policy, Redactor

ROOT = "https://graph.microsoft.com/v1.0"
TENANT = "a76fc728-0cba-45f0-a9eb-d45207e14513"
OTHER = "1bc373cb-36d4-4fd9-8996-b77d3544a380"
GUEST = "bob_fourth.test#EXT#@acme.onmicrosoft.com"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(salt="pepper")


def answer(redactor: Redactor, body: str, *, url: str = f"{ROOT}/users") -> str:
    return redactor.response(Response(status=200, body=body.encode()), url=url).body.decode()


def mail(redactor: Redactor, address: str) -> str:
    value = json.loads(answer(redactor, json.dumps({"mail": address})))["mail"]
    assert isinstance(value, str)
    return value


def test_a_mail_address_stays_one(redactor: Redactor) -> None:
    assert re.fullmatch(r"user-[a-z2-7]{8}@[a-z2-7]{8}\.example", mail(redactor, "jane@acme.test"))


def test_a_domain_has_one_pseudonym_wherever_it_stands(redactor: Redactor) -> None:
    domain = mail(redactor, "jane@acme.test").partition("@")[2]
    assert mail(redactor, "joe@ACME.test").endswith(f"@{domain}")
    assert (
        answer(redactor, '{"publisherDomain":"acme.test"}') == f'{{"publisherDomain":"{domain}"}}'
    )
    login = "https://login.microsoftonline.com/{}/oauth2/v2.0/token"
    assert redactor.url(login.format("acme.test")) == login.format(domain)
    assert redactor.url(f"{ROOT}/domains/acme.test") == f"{ROOT}/domains/{domain}"
    domains = '{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#domains",'
    assert answer(redactor, domains + '"value":[{"id":"acme.test"}]}') == (
        domains + f'"value":[{{"id":"{domain}"}}]}}'
    )


@pytest.mark.parametrize("case", ["jane@acme.test", "Jane@Acme.Test"])
def test_an_identity_is_the_same_in_url_header_and_body(redactor: Redactor, case: str) -> None:
    pseudonym = mail(redactor, "jane@acme.test")
    request = Request(
        method="POST",
        url=f"{ROOT}/users/{case}?$filter=mail%20eq%20'{case}'",
        headers=Headers.of([("X-AnchorMailbox", f"UPN:{case}")]),
        body=json.dumps({"to": f"Jane <{case}>", "proxyAddresses": [f"SMTP:{case}"]}).encode(),
    )
    clean = redactor.request(request).request
    assert clean.url == f"{ROOT}/users/{pseudonym}?$filter=mail%20eq%20'{pseudonym}'"
    assert clean.headers.get("x-anchormailbox") == f"UPN:{pseudonym}"
    assert json.loads(clean.body) == {
        "to": f"Jane <{pseudonym}>",
        "proxyAddresses": [f"SMTP:{pseudonym}"],
    }


def test_percent_encoding_stays_as_it_was(redactor: Redactor) -> None:
    pseudonym = mail(redactor, "jane@acme.test")
    assert redactor.url(f"{ROOT}/users/jane%40acme.test/x%2Fy") == (
        f"{ROOT}/users/{pseudonym.replace('@', '%40')}/x%2Fy"
    )
    guest = mail(redactor, GUEST)
    coded = GUEST.replace("#", "%23").replace("@", "%40")
    assert redactor.url(f"{ROOT}/users/{coded}") == (
        f"{ROOT}/users/{guest.replace('#', '%23').replace('@', '%40')}"
    )


def test_a_guest_keeps_its_shape_with_its_parts_replaced(redactor: Redactor) -> None:
    home = mail(redactor, "bob@fourth.test")
    tenant = mail(redactor, "x@acme.onmicrosoft.com").partition("@")[2]
    assert mail(redactor, GUEST) == f"{home.replace('@', '_')}#EXT#@{tenant}"
    assert answer(redactor, '{"mailNickname":"bob_fourth.test#EXT#"}') == (
        f'{{"mailNickname":"{home.replace("@", "_")}#EXT#"}}'
    )


def test_an_apostrophe_is_doubled_in_a_url_and_the_person_the_same(redactor: Redactor) -> None:
    pseudonym = mail(redactor, "o'hara@acme.test")
    assert redactor.url(f"{ROOT}/users('o''hara@acme.test')") == f"{ROOT}/users('{pseudonym}')"


def test_a_tenant_id_stays_a_guid_and_shows_as_a_pseudonym(redactor: Redactor) -> None:
    tenant = json.loads(answer(redactor, f'{{"tenantId":"{TENANT}"}}'))["tenantId"]
    assert uuid.UUID(tenant).version == 4
    assert tenant.startswith("facade00-")


@pytest.mark.parametrize(
    "text",
    [
        f'{{"tenantId":"{TENANT}"}}',
        f'{{"tid": "{TENANT}"}}',
        f'{{"appOwnerOrganizationId":"{TENANT}"}}',
        f'{{"tenantIds":["{TENANT}"]}}',
        f'{{"@odata.id":"https://graph.microsoft.com/v2/{TENANT}/directoryObjects/1/x"}}',
        f'{{"@odata.id":"https:\\/\\/graph.microsoft.com\\/v2\\/{TENANT}\\/directoryObjects"}}',
        f'{{"issuer":"https://sts.windows.net/{TENANT}/"}}',
        f'{{"token_endpoint":"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"}}',
        f'{{"error_description":"AADSTS90002: Tenant \'{TENANT}\' not found."}}',
        f'{{"error_description":"AADSTS7: not found in the directory \'{TENANT}\'"}}',
        f'{{"@odata.context":"{ROOT}/$metadata#organization","value":[{{"id":"{TENANT}"}}]}}',
        f'{{"servicePrincipalNames":["spn@{TENANT}"]}}',
        f"https://example.org/?tenantId={TENANT}",
    ],
)
def test_a_tenant_id_is_replaced_where_the_place_says_it_is_one(
    redactor: Redactor, text: str
) -> None:
    swept = answer(redactor, text)
    assert TENANT not in swept
    assert "facade00-" in swept


@pytest.mark.parametrize(
    "url",
    [
        f"https://graph.microsoft.com/v2/{TENANT}/directoryObjects/{TENANT}/Microsoft.Organization",
        f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token",
        f"https://graph.microsoft.com/{TENANT}/oauth2/v2.0/token",
        f"{ROOT}/organization/{TENANT}/branding",
        f"{ROOT}/tenantRelationships/findTenantInformationByTenantId(tenantId='{TENANT}')",
        f"{ROOT}/servicePrincipals?$filter=appOwnerOrganizationId%20eq%20{TENANT}",
        f"https://x.example/?tenantId=%27{TENANT}%27",
    ],
)
def test_a_tenant_id_in_a_url_is_replaced(redactor: Redactor, url: str) -> None:
    assert TENANT not in redactor.url(url)


def test_any_other_guid_stays(redactor: Redactor) -> None:
    body = f'{{"id":"{OTHER}","appId":"{OTHER}","@odata.id":"{ROOT}/users/{OTHER}"}}'
    assert answer(redactor, body) == body
    assert redactor.url(f"{ROOT}/directoryObjects/{OTHER}") == f"{ROOT}/directoryObjects/{OTHER}"


def test_a_guid_that_merely_begins_like_a_pseudonym_is_replaced(redactor: Redactor) -> None:
    lookalike = "facade00-0cba-45f0-a9eb-d45207e14513"
    assert lookalike not in answer(redactor, f'{{"tenantId":"{lookalike}"}}')


@pytest.mark.parametrize(
    "value",
    [
        "megan@contoso.com",
        "Megan@Contoso.onmicrosoft.com",
        "a@example.com",
        "a@anything.example",
        "bob_contoso.com#EXT#@fabrikam.com",
        "19:abc_def@unq.gbl.spaces",
        "19:abc@thread.v2",
    ],
)
def test_who_is_nobody_is_left_alone(redactor: Redactor, value: str) -> None:
    assert mail(redactor, value) == value


@pytest.mark.parametrize(
    "value",
    ["a@mycontoso.com", "a@contoso.com.evil.test", "a@notexample.com", "a@example.com.test"],
)
def test_a_domain_that_only_looks_like_documentation_is_somebodys(
    redactor: Redactor, value: str
) -> None:
    assert mail(redactor, value) != value


@pytest.mark.parametrize(
    "body",
    [
        '{"members@odata.bind":["https://graph.microsoft.com/v1.0/users/1"],"v":"a@b"}',
        '{"@odata.type":"#microsoft.graph.user","version":"pkg@1.2.3"}',
        '{"tenantId":"9188040d-6c67-4c5b-b112-36a304b66dad"}',
        '{"appOwnerOrganizationId":"f8cdef31-a31e-4b4a-93e4-5f571e91255a"}',
        '{"domainName":null,"verifiedDomains":[]}',
        '{"webUrl":"https://developer.microsoft.com/graph","homePageUrl":"https://acme.test/"}',
    ],
)
def test_what_is_no_identity_stays_to_the_byte(redactor: Redactor, body: str) -> None:
    assert answer(redactor, body) == body


def test_a_sharepoint_host_tells_no_tenant_and_is_followed_all_the_same(
    redactor: Redactor,
) -> None:
    url = "https://acme-my.sharepoint.com/personal/jane_acme_test/Documents/a.docx"
    swept = redactor.url(url)
    assert "acme" not in swept
    assert "jane" not in swept
    assert swept.endswith("/Documents/a.docx")
    link = json.loads(answer(redactor, json.dumps({"@microsoft.graph.downloadUrl": url})))
    assert link["@microsoft.graph.downloadUrl"] == swept == redactor.url(swept)


def test_another_salt_makes_other_pseudonyms() -> None:
    assert mail(Redactor(salt="a"), "j@acme.test") != mail(Redactor(salt="b"), "j@acme.test")
    assert mail(Redactor(salt="a"), "j@acme.test") == mail(Redactor(salt="a"), "j@acme.test")


def test_identities_can_be_kept() -> None:
    redactor = Redactor(salt="s", policy=Policy(keep_identities=True))
    body = f'{{"mail":"jane@acme.test","tenantId":"{TENANT}","password":"x"}}'
    assert answer(redactor, body) == body.replace('"x"', '"REDACTED"')


def test_a_users_own_domain_can_be_allowed() -> None:
    redactor = Redactor(salt="s", policy=Policy(allow_domains=("Lab.test",)))
    assert mail(redactor, "jane@lab.test") == "jane@lab.test"


def test_what_a_client_sent_comes_back_to_it_as_it_sent_it(redactor: Redactor) -> None:
    request = Request(
        method="GET", url=f"{ROOT}/users/Jane%40Acme.test?$filter=tenantId eq '{TENANT}'"
    )
    redacted = redactor.request(request)
    pseudonym = mail(redactor, "jane@acme.test")
    assert redacted.sent[pseudonym] == "Jane@Acme.test"
    coded = pseudonym.replace("@", "%40")
    other = mail(redactor, "joe@acme.test")
    taped = json.dumps({"upn": pseudonym, "next": f"{ROOT}/users/{coded}", "manager": other})
    assert json.loads(redactor.restore(taped.encode(), redacted.sent)) == {
        "upn": "Jane@Acme.test",
        "next": f"{ROOT}/users/Jane%40Acme.test",
        "manager": other,
    }
    assert redactor.restore_text(f"/users/{pseudonym}", redacted.sent) == "/users/Jane@Acme.test"


def test_a_domain_sent_comes_back_alone_but_not_in_somebody_elses_address(
    redactor: Redactor,
) -> None:
    login = "https://login.microsoftonline.com/acme.test/oauth2/v2.0/token"
    sent = redactor.request(Request(method="POST", url=login)).sent
    (domain,) = sent
    taped = f'{{"domain":"{domain}","mail":"user-aaaaaaaa@{domain}"}}'.encode()
    assert redactor.restore(taped, sent) == (
        f'{{"domain":"acme.test","mail":"user-aaaaaaaa@{domain}"}}'.encode()
    )


def test_nothing_is_sent_back_where_nothing_was_replaced(redactor: Redactor) -> None:
    request = Request(method="GET", url=f"{ROOT}/users/megan@contoso.com")
    assert dict(redactor.request(request).sent) == {}


def test_personal_data_is_replaced_where_asked_for() -> None:
    redactor = Redactor(salt="s", policy=Policy(personal=True))
    body = '{"displayName":"Jane Doe","businessPhones":["+1 555 0100"],"serialNumber":"C02X"}'
    clean = json.loads(answer(redactor, body))
    assert re.fullmatch(r"name-[a-z2-7]{8}", clean["displayName"])
    assert re.fullmatch(r"\+000\d{8}", clean["businessPhones"][0])
    assert re.fullmatch(r"serial-[a-z2-7]{8}", clean["serialNumber"])
    filtered = redactor.url(f"{ROOT}/users?$filter=displayName%20eq%20'Jane%20Doe'")
    assert filtered.endswith(f"'{clean['displayName']}'")
    assert answer(redactor, json.dumps(clean)) == json.dumps(clean)


def test_a_key_that_is_an_address_is_replaced(redactor: Redactor) -> None:
    pseudonym = mail(redactor, "jane@acme.test")
    assert answer(redactor, '{"jane@acme.test": {"a": 1}}') == f'{{"{pseudonym}": {{"a": 1}}}}'
