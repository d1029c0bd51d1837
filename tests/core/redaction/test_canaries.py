"""A secret planted in every place the docs name is gone, and `find` sees it before."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Policy, Redactor, find

GRAPH = "https://graph.microsoft.com/v1.0/me"
CANARY = "canary7Fq2"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJ{CANARY}abcdef.{CANARY}signature"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{CANARY}\n-----END RSA PRIVATE KEY-----"
SAS = f"https://acct.blob.core.windows.net/c/file.intunewin?sv=2020-08-04&sig={CANARY}%2Fq%3D"
UPLOAD = f"https://acme-my.sharepoint.com/up/{CANARY}X4e1eF8kQ9z?tempauth={CANARY}.x"


def get(url: str) -> Interaction:
    return Interaction(request=Request(method="GET", url=url), response=Response(status=200))


def sent(body: bytes | str, content_type: str | None = None) -> Interaction:
    fields = [("Content-Type", content_type)] if content_type else []
    raw = body.encode() if isinstance(body, str) else body
    request = Request(method="POST", url=GRAPH, headers=Headers.of(fields), body=raw)
    return Interaction(request=request, response=Response(status=200))


def answered(body: bytes | str, content_type: str | None = None, url: str = GRAPH) -> Interaction:
    fields = [("Content-Type", content_type)] if content_type else []
    raw = body.encode() if isinstance(body, str) else body
    response = Response(status=200, headers=Headers.of(fields), body=raw)
    return Interaction(request=Request(method="GET", url=url), response=response)


def asked_with(name: str, value: str) -> Interaction:
    request = Request(method="GET", url=GRAPH, headers=Headers.of([(name, value)]))
    return Interaction(request=request, response=Response(status=200))


def answered_with(name: str, value: str) -> Interaction:
    response = Response(status=200, headers=Headers.of([(name, value)]))
    return Interaction(request=Request(method="GET", url=GRAPH), response=response)


def batch(part: dict[str, object]) -> str:
    return json.dumps({"requests": [{"id": "1", "method": "POST", "url": "/me", **part}]})


MULTIPART = (
    '--b0\r\nContent-Disposition: form-data; name="client_secret"\r\n\r\n'
    f"{CANARY}\r\n"
    '--b0\r\nContent-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n'
    f'{{"password": "{CANARY}"}}\r\n--b0--\r\n'
)
ODATA_BATCH = (
    "--b1\r\nContent-Type: application/http\r\n\r\nPOST /x HTTP/1.1\r\n"
    f"Authorization: Bearer {CANARY}\r\nContent-Type: application/json\r\n\r\n"
    f'{{"secretText":"{CANARY}"}}\r\n--b1--\r\n'
)

PLANTED = {
    "authorization": asked_with("Authorization", f"Bearer {CANARY}"),
    "authorization, lower case": asked_with("authorization", f"Basic {CANARY}"),
    "proxy authorization": asked_with("Proxy-Authorization", f"Basic {CANARY}"),
    "auxiliary authorization": asked_with("x-ms-authorization-auxiliary", f"Bearer {CANARY}"),
    "api key": asked_with("X-Api-Key", CANARY),
    "subscription key": asked_with("Ocp-Apim-Subscription-Key", CANARY),
    "cookies": asked_with("Cookie", f"a={CANARY}; {CANARY}; b={CANARY}"),
    "set-cookie": answered_with("Set-Cookie", f"fpc={CANARY}; path=/; HttpOnly"),
    "location": answered_with("Location", UPLOAD),
    "operation location": answered_with("Operation-Location", SAS),
    "token in a plain header": answered_with("X-Debug", f"got {JWT} from cache"),
    "challenge": answered_with("WWW-Authenticate", f'Bearer error="x", id_token="{CANARY}"'),
    "url: token": get(f"{GRAPH}?access_token={CANARY}"),
    "url: code": get(f"https://login.microsoftonline.com/common/oauth2?code={CANARY}"),
    "url: fragment": get(f"https://app.example/cb#code={CANARY}&state=1"),
    "url: SAS": get(SAS),
    "url: pre-authenticated": get(UPLOAD),
    "url: opaque path": get(f"https://sn3302.up.1drv.com/up/fe6987415ace7X4e1eF{CANARY}"),
    "url: password": get(f"https://user:{CANARY}@host.example/x"),
    "url: JWT in the path": get(f"{GRAPH}/{JWT}/x"),
    "url: secret in an encoded URL": get(
        f"{GRAPH}?next={quote(f'https://x.example/?client_secret={CANARY}', safe='')}"
    ),
    "json": answered(json.dumps({"access_token": CANARY}), "application/json"),
    "json, charset": answered(
        json.dumps({"refresh_token": CANARY}), "application/json; charset=utf-8"
    ),
    "json, suffix": answered(json.dumps({"id_token": CANARY}), "application/scim+json"),
    "json, no type": answered(json.dumps({"accessToken": CANARY})),
    "json, wrong type": answered(json.dumps({"clientSecret": CANARY}), "text/html"),
    "json, BOM": answered(b"\xef\xbb\xbf" + json.dumps({"password": CANARY}).encode()),
    "json, UTF-16": answered(b"\xff\xfe" + json.dumps({"password": CANARY}).encode("utf-16-le")),
    "json, deep": answered(json.dumps({"a": [{"b": {"passwordProfile": {"password": CANARY}}}]})),
    "json, object": sent(json.dumps({"serviceAccountCredentials": {"k": [CANARY]}})),
    "json, escaped name": answered(f'{{"p\\u0061ssword": "{CANARY}"}}'),
    "json, escaped slash": answered(f'{{"x": "https:\\/\\/h.example\\/?sig={CANARY}"}}'),
    "json, cut short": answered(f'{{"secretText": "{CANARY}", "x": '),
    "json, number": answered(f'{{"password": 48151623, "note": "{JWT}"}}'),
    "json, pairs": sent(json.dumps({"value": [{"value": CANARY, "key": "SecretToken"}]})),
    "connect": sent(json.dumps({"ownerAccessToken": CANARY, "ownerUserPrincipalName": "a"})),
    "add password": answered(json.dumps({"secretText": CANARY}), "application/json"),
    "webhook secret": sent(json.dumps({"clientState": CANARY})),
    "LAPS": answered(json.dumps({"credentials": [{"passwordBase64": CANARY}]})),
    "FileVault key": answered(
        json.dumps({"value": CANARY}), url=f"{GRAPH}/managedDevices/1/getFileVaultKey"
    ),
    "JWT in any field": answered(json.dumps({"note": f"token {JWT}."})),
    "private key in any field": answered(json.dumps({"note": PEM})),
    "private key without armour": answered(
        json.dumps(
            {"blob": f"MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC{CANARY}" + "A" * 40}
        )
    ),
    "upload URL": answered(json.dumps({"uploadUrl": UPLOAD})),
    "download URL": answered(json.dumps({"@microsoft.graph.downloadUrl": UPLOAD})),
    "storage URI": answered(json.dumps({"azureStorageUri": SAS})),
    "json in a string": answered(
        json.dumps({"error": {"message": json.dumps({"password": CANARY})}})
    ),
    "json in a string in a string": answered(
        json.dumps({"m": json.dumps({"n": json.dumps({"client_secret": CANARY})})})
    ),
    "json in a string, too deep": answered(
        json.dumps({"m": json.dumps({"n": json.dumps({"o": json.dumps({"password": CANARY})})})})
    ),
    "form": sent(f"grant_type=x&client_secret={CANARY}", "application/x-www-form-urlencoded"),
    "form, no type": sent(f"grant_type=authorization_code&code={CANARY}"),
    "form, wrong type": sent(f"client_assertion={CANARY}&x=1", "application/json"),
    "form, JSON inside": sent(f"claims={quote(json.dumps({'password': CANARY}))}"),
    "form, blanks": sent(f"a=b c&password={CANARY}", "application/x-www-form-urlencoded"),
    "form, charset": sent(
        f"assertion={CANARY}", "application/x-www-form-urlencoded; charset=utf-8"
    ),
    "batch: header": sent(batch({"headers": {"Authorization": f"Bearer {CANARY}"}})),
    "batch: body": sent(batch({"body": {"passwordProfile": {"password": CANARY}}})),
    "batch: url": sent(batch({"url": f"/me?access_token={CANARY}"})),
    "batch: coded body": sent(
        batch({"body": base64.b64encode(f"client_secret={CANARY}".encode()).decode()})
    ),
    "batch: answer's cookie": answered(
        json.dumps({"responses": [{"id": "1", "headers": {"Set-Cookie": f"a={CANARY}"}}]})
    ),
    "multipart": sent(MULTIPART, 'multipart/form-data; boundary="b0"'),
    "multipart, no type": sent(MULTIPART),
    "multipart of requests": sent(ODATA_BATCH, "multipart/mixed; boundary=b1"),
    "SOAP": sent(f"<s><wsse:Password Type='x'>{CANARY}</wsse:Password></s>", "text/xml"),
    "text": answered(f"login failed: client_secret={CANARY}", "text/plain"),
    "text: header": answered(f"> Authorization: Bearer {CANARY}\n> Accept: */*", "text/plain"),
    "text: connection string": answered(f"AccountName=a;AccountKey={CANARY}==;X=y", "text/plain"),
    "binary: JWT": answered(b"\x00\xff\xfe" + JWT.encode() + b"\x00\x01"),
    "binary: private key": answered(b"\x89PNG\x00\xff" + PEM.encode() + b"\xff"),
}


# As it stands in UTF-8, in UTF-16, in base64, and the one that is a number.
FORMS = (
    CANARY.encode(),
    CANARY.encode("utf-16-le"),
    base64.b64encode(f"client_secret={CANARY}".encode()),
    b"48151623",
)


def redacted(interaction: Interaction, redactor: Redactor) -> Interaction:
    request = redactor.request(interaction.request).request
    return Interaction(
        request=request,
        response=redactor.response(interaction.response, url=interaction.request.url),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    raw: Interaction
    clean: Interaction


@pytest.fixture(params=list(PLANTED))
def outcome(request: pytest.FixtureRequest) -> Outcome:
    raw = PLANTED[request.param]
    return Outcome(raw, redacted(raw, Redactor(salt="pepper")))


def test_the_canary_is_gone(outcome: Outcome) -> None:
    assert any(repr(form)[2:-1] in repr(outcome.raw) for form in FORMS)
    for form in FORMS:
        assert repr(form)[2:-1] not in repr(outcome.clean)


def test_the_scan_finds_it_before_and_nothing_after(outcome: Outcome) -> None:
    assert list(find(outcome.raw, Policy()))
    assert not list(find(outcome.clean, Policy()))


def test_redacting_twice_is_redacting_once(outcome: Outcome) -> None:
    assert redacted(outcome.clean, Redactor(salt="pepper")) == outcome.clean


def test_json_stays_json(outcome: Outcome) -> None:
    for before, after in (
        (outcome.raw.request.body, outcome.clean.request.body),
        (outcome.raw.response.body, outcome.clean.response.body),
    ):
        try:
            json.loads(before)
        except ValueError:
            continue
        json.loads(after)
