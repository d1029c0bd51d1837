"""Secrets in XML, property lists, HTML, scripts, YAML, tables: by the names beside them."""

from __future__ import annotations

import base64
import json
from xml.etree import ElementTree as ET

import pytest

from graphtape.core.message import Headers, Response
from graphtape.core.redaction.graph_names import NAMES, Kind
from graphtape.core.redaction.redactor import Redactor

S = "Hunter2-Fake-Canary"


def redacted(text: str, content_type: str = "text/plain") -> str:
    response = Response(
        status=200,
        reason="OK",
        headers=Headers((("Content-Type", content_type),)),
        body=text.encode(),
    )
    clean = Redactor(salt="s").response(response, url="https://graph.microsoft.com/v1.0/x")
    return clean.body.decode()


MARKUP = [
    f"<a><wifi:keyMaterial xmlns:wifi='urn:x'>{S}</wifi:keyMaterial></a>",
    f"<a><Password><![CDATA[{S}]]></Password></a>",
    f'<a><parm name="password" value="{S}"/></a>',
    f"<a><parm value='{S}' name='HO_AAuthSecret' /></a>",
    f'<a><entry name="ClientSecret">{S}</entry></a>',
    f'<a><connection password="{S}" user="jo"/></a>',
    f"<a><setting><Name>AdminPassword</Name><Value>{S}</Value></setting></a>",
    f"<a><AdministratorPassword><Value>{S}</Value><PlainText>true</PlainText></AdministratorPassword></a>",
    f"<a><Item><Target><LocURI>./Vendor/MSFT/X/SharedSecret</LocURI></Target><Data>{S}</Data></Item></a>",
    f"<plist><dict><key>PayloadType</key><string>x</string><key>SharedSecret</key><string>{S}</string></dict></plist>",
    f"<plist><dict><key>Password</key>\n  <data>{S}</data></dict></plist>",
    f"<plist><dict><key>Passwords</key><array><string>first</string><string>{S}</string></array></dict></plist>",
    f"<table><tr><td>Password:</td><td>{S}</td></tr></table>",
    f"<p>Password: {S}</p>",
    f"<Item><LocURI>./x/PreSharedKey</LocURI><Format>chr</Format><Data>{S}</Data></Item>",
    f"<a><note>&lt;password&gt;{S}&lt;/password&gt;</note></a>",
    f'<a><json><![CDATA[{{"password": "{S}"}}]]></json></a>',
]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_masked_in_place_and_stays_well_formed(text: str) -> None:
    for content_type in ("application/xml", "text/plain", ""):
        after = redacted(text, content_type)
        assert S not in after
        before, root = ET.fromstring(text), ET.fromstring(after)  # noqa: S314
        assert [each.tag for each in root.iter()] == [each.tag for each in before.iter()]
        assert redacted(after, content_type) == after
    (inside,) = json.loads(redacted(json.dumps([text]), "application/json"))
    assert S not in inside


def test_the_code_of_a_form_post_answer_is_masked() -> None:
    page = (
        f'<html><form><input type="hidden" name="code" value="{S}" />'
        '<input name="state" value="x"/></form></html>'
    )
    assert S not in redacted(page, "text/html")


def test_a_number_stays_one() -> None:
    text = "<plist><dict><key>Passcode</key><integer>482915</integer></dict></plist>"
    assert "<integer>0</integer>" in redacted(text, "application/xml")


ASSIGNMENTS = [
    f"$password = '{S}'",
    f'$AdminPwd = "{S}"',
    f"[string]$ClientSecret='{S}'",
    f"DB_PASS={S}",
    f"export API_SECRET={S}\n",
    f"SMTP_PASSWORD: {S}\nSMTP_HOST: mail\n",
    f"$x = ConvertTo-SecureString '{S}' -AsPlainText -Force",
    f'$x = ConvertTo-SecureString -String "{S}" -AsPlainText',
    f"$x = '{S}' | ConvertTo-SecureString -AsPlainText",
    f"tool --password {S} --host x",
    f"tool --client-secret '{S}'",
    f"Connect-It -Password {S}",
    f"setup.exe /password:{S} /quiet",
    f"wifi:\n  password: |\n    {S}\n    second\n  name: x\n",
    f"- secret: >-\n    {S}\n- name: x\n",
    f"Name,Password,Mail\njo,{S},x\nann,{S},y\n",
    f'Name;"Wi-Fi Password"\njo;"{S}"\n',
    f"Host\tApi Secret\na\t{S}\n",
    f"AccountName=x;AccountKey={S};EndpointSuffix=core",
    f'$pw = "{S}"',
    f"{{ clientSecret: '{S}', user: 'x' }}",
    f"$h['password'] = '{S}'",
    f"curl -u admin:{S} https://x.example",
    f"curl --user 'admin:{S}' https://x.example",
    f"net user admin {S} /add",
    f"reg add HKLM\\x /v DefaultPassword /t REG_SZ /d {S} /f",
    f"Dear Jo,\r\n\r\nUser: jo\r\nPassword: {S}\r\nBye",
    f'{{"a": 1, "password": "{S}',
    "Basic " + base64.b64encode(f"jo:{S}".encode()).decode(),
    f'--b\r\nContent-Disposition: form-data; name="db_pass"\r\n\r\n{S}\r\n--b--',
]


@pytest.mark.parametrize("text", ASSIGNMENTS)
def test_what_is_assigned_to_the_name_of_a_secret_is_masked(text: str) -> None:
    after = redacted(text)
    assert S not in after
    assert base64.b64encode(f"jo:{S}".encode()).decode() not in after
    assert redacted(after) == after
    if not text.startswith("--b"):  # parts of a message are looked for in bodies alone
        (inside,) = json.loads(redacted(json.dumps([text]), "application/json"))
        assert S not in inside


def test_a_table_keeps_its_other_columns() -> None:
    text = f'Name,Password,Mail\njo,{S},x\n"a, b","{S}",y\n'
    assert redacted(text, "text/csv") == 'Name,Password,Mail\njo,REDACTED,x\n"a, b","REDACTED",y\n'


@pytest.mark.parametrize(
    "text",
    [
        "password=required",
        "signature = valid",
        "passwordPolicies=DisablePasswordExpiration",
        "max_tokens=100",
        "nextToken=abc",
        "$secret = ${env}",
        "compass=north",
        "--pass-through yes",
        "the password: it must have eight characters\nor more\n",
        "Name,Passwordless,Mail\njo,true,x\n",
        "<a><tokenType>Bearer</tokenType><publicKey>abc</publicKey></a>",
        '<a><setting name="passwordRequired" value="true"/></a>',
        "<plist><dict><key>PasswordRequired</key><true/><key>Name</key><string>x</string></dict></plist>",
        "if a < b and c > d: print('x')",
    ],
)
def test_what_says_no_secret_stays(text: str) -> None:
    for content_type in ("text/plain", "application/xml", "text/csv", ""):
        assert redacted(text, content_type) == text


@pytest.mark.parametrize(
    "text",
    [
        "<a " * 300_000,
        "<a>" * 300_000,
        '<a b="' * 200_000,
        "<![CDATA[" * 100_000,
        "password" * 200_000,
        "password=" * 100_000,
        "--a " * 300_000,
        "a: |\n b\n" * 200_000,
        "password,a\n" + '"' * 300_000,
        "A" * 2_000_000,
        ("A" * 76 + "\n") * 30_000,
        "&amp;" * 300_000,
        "<a>&amp;</a>" * 50_000,
        "=?utf-8?B?" * 100_000,
    ],
    ids=[str(n) for n in range(14)],
)
def test_it_takes_linear_time(text: str) -> None:
    import time  # noqa: PLC0415

    def took(part: str) -> float:
        began = time.perf_counter()
        redacted(part)
        return time.perf_counter() - began

    quarter = min(took(text[: len(text) // 4]) for _ in range(2))
    assert took(text) < 12 * quarter + 0.5


@pytest.mark.parametrize(
    "beside",
    [
        {"fieldName": "Password", "fieldValue": S},
        {"attributeName": "clientSecret", "attributeValue": S},
        {"label": "Passphrase", "value": S},
        {"name": "Password", "values": [S, S]},
        {"omaUri": "./Vendor/MSFT/VPNv2/x/PreSharedKey", "value": S},
        {"headers": {"X-Acme-Token": S}},
    ],
    ids=str,
)
def test_a_name_beside_a_value_says_what_it_is(beside: object) -> None:
    assert S not in redacted(json.dumps({"settings": [beside]}), "application/json")


@pytest.mark.parametrize(
    "url",
    [
        f"https://login.example/redeem?rd=https%3a%2f%2fx.example%2fa%3fticket%3d{S}%26ver%3d2",
        f"https://teams.microsoft.com/meet/123456789012?p={S}",
        f"https://x.azurewebsites.net/api/x?code={S}",
        f"https://x.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sv=1.0&sig={S}",
        f"https://zoom.example/j/1?pwd={S}",
    ],
)
def test_urls_that_let_in_whoever_has_them_lose_what_does(url: str) -> None:
    for body in ({"inviteRedeemUrl": url}, {"note": f"see {url}."}, {"joinWebUrl": url}):
        assert S not in redacted(json.dumps(body), "application/json")


def test_a_filevault_key_is_masked_and_a_product_code_is_not() -> None:
    key = "ABCD-EF2H-IJKL-MN4P-QRST-UV6X"
    assert key not in redacted(json.dumps({"note": f"it is {key}."}), "application/json")
    for text in ("AB12-CD34-EF56", "20AB-10CD-40EF-50AB-60CD", "WXYZ1-ABCD2-EFGH3-IJKL4-MNOP5"):
        body = json.dumps({"note": text})
        assert redacted(body, "application/json") == body


HARMLESS = sorted(name for name, kind in NAMES.items() if kind is Kind.HARMLESS)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_of_the_model_keeps_its_value(name: str) -> None:
    for value in ("Plain-value_1", "on", ["a", "b"], 42, True, None):
        body = json.dumps({"value": [{"id": "1", name: value}]})
        assert redacted(body, "application/json") == body


@pytest.mark.parametrize(
    "value",
    [
        {"passwordPolicies": "DisablePasswordExpiration, DisableStrongPassword"},
        {"tokenType": "Bearer"},
        {"ticketNumber": "INC0012345"},
        {"changeKey": "CQAAABYAAAAiIsqMbYjsT5e/T7KzowPTAAAAAAAB"},
        {"keyId": "f0b0b335-1d71-4883-8f98-567911bfdca6"},
        {"thumbprint": "A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D6E7F8A9B0"},
        {"schema": {"primaryKey": "id", "name": "primaryKey", "value": "id"}},
        {"name": "passwordRequired", "value": "true"},
        {"domain": "contoso.com"},
        {"note": "signature = valid; password=required"},
        {"note": "Please change your password soon.\nKey points: none\nTicket: INC0012"},
        {"@odata.nextLink": "https://graph.microsoft.com/v1.0/users?$skiptoken=RFNwdAIAAQAAABY"},
        {"startDateTime": "2026-01-02T03:04:05.0000000Z"},
    ],
    ids=str,
)
def test_what_merely_sounds_like_a_secret_stays(value: object) -> None:
    body = json.dumps(value)
    assert redacted(body, "application/json") == body


def test_a_sharing_url_in_base64_is_opened_and_packed_again() -> None:
    shared = "https://acme-my.sharepoint.com/:x:/g/personal/jane_acme_test/EQ1?e=a1"
    packed = base64.urlsafe_b64encode(shared.encode()).decode().rstrip("=")
    url = f"https://graph.microsoft.com/v1.0/shares/u!{packed}/driveItem"
    after = Redactor(salt="s").url(url)
    begins, _, rest = after.partition("/shares/u!")
    again = rest.removesuffix("/driveItem")
    inner = base64.urlsafe_b64decode(again + "=" * (-len(again) % 4)).decode()
    assert (begins, inner.count("acme"), inner.count("jane")) == (
        "https://graph.microsoft.com/v1.0",
        0,
        0,
    )
    assert Redactor(salt="s").url(after) == after
    plain = base64.urlsafe_b64encode(b"https://contoso.com/x").decode().rstrip("=")
    assert Redactor(salt="s").url(f"/v1.0/shares/u!{plain}") == f"/v1.0/shares/u!{plain}"


def test_a_number_in_an_answer_stays_a_number() -> None:
    body = json.loads(redacted('{"pin": 48291, "password": 1.5}', "application/json"))
    assert body == {"pin": 0, "password": 0}
