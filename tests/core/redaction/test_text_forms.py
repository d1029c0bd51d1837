"""Secrets in XML, property lists, HTML, scripts, YAML, tables: by the names beside them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from graphtape.core.message import Headers, Response
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
]


@pytest.mark.parametrize("text", ASSIGNMENTS)
def test_what_is_assigned_to_the_name_of_a_secret_is_masked(text: str) -> None:
    after = redacted(text)
    assert S not in after
    assert redacted(after) == after


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
