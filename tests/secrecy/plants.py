"""Calls that each carry one secret, in every place where one was ever found on a cassette."""

from __future__ import annotations

import base64
import enum
import gzip
import hashlib
import json
import sys
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import brotli

from graphtape.core.message import Headers, Interaction, Request, Response

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


class Caller(enum.Enum):
    """What sends a plant."""

    REQUESTS = "requests"
    HTTPX = "httpx"
    CURL = "curl"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One call and its answer; bodies decoded.

    Attributes:
        path: Behind Graph's root.
        coding, answer_coding: What the bodies are sent in.
    """

    method: str = "GET"
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    coding: str = ""
    status: int = 200
    answer_headers: tuple[tuple[str, str], ...] = ()
    answer_body: bytes = b""
    answer_coding: str = ""

    @property
    def wire_headers(self) -> tuple[tuple[str, str], ...]:
        return (*self.headers, *_coded(self.coding))

    @property
    def wire_body(self) -> bytes:
        return CODERS[self.coding](self.body) if self.coding else self.body

    def answer(self) -> bytes:
        """Return the answer as upstream sends it."""
        body = self.answer_body
        if self.answer_coding:
            body = CODERS[self.answer_coding](body)
        fields = (*self.answer_headers, *_coded(self.answer_coding))
        lines = [f"HTTP/1.1 {self.status} Planted", *(f"{n}: {v}" for n, v in fields)]
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def interaction(self) -> Interaction:
        """Return what a recorder without redaction would have written."""
        return Interaction(
            request=Request(
                method=self.method,
                url=f"https://graph.microsoft.com{self.path}",
                headers=Headers.of(self.headers),
                body=self.body,
            ),
            response=Response(
                status=self.status,
                reason="Planted",
                headers=Headers.of(self.answer_headers),
                body=self.answer_body,
            ),
        )


def _coded(coding: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Encoding", coding),) if coding else ()


def canary(name: str) -> str:
    """Make a secret of a plant's name: 24 letters and digits that look random and are fake."""
    digits = base64.b64encode(hashlib.sha256(name.encode()).digest(), altchars=b"Zz").decode()
    return f"Fake{digits[:20]}"


def forms(secret: str) -> dict[str, bytes]:
    """List the ways in which a secret may still stand in a file."""
    raw = secret.encode()
    found = {
        "as it is": raw,
        "UTF-16": secret.encode("utf-16-le"),
        "percent-encoded": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "hex": raw.hex().encode(),
    }
    for name, form in (("base64", raw), ("base64 of UTF-16", found["UTF-16"])):
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + form)
            # The ends depend on what stands beside it.
            found[f"{name}, shifted by {shift}"] = coded[4 if shift else 0 : -4]
    return found


def asked(*fields: tuple[str, str], path: str = "", body: str | bytes = b"") -> Plant:
    raw = body.encode() if isinstance(body, str) else body
    return Plant(method="POST" if raw else "GET", path=path, headers=fields, body=raw)


def answered(*fields: tuple[str, str], body: str | bytes = b"", status: int = 200) -> Plant:
    raw = body.encode() if isinstance(body, str) else body
    return Plant(path="", status=status, answer_headers=fields, answer_body=raw)


def jwt(secret: str) -> str:
    return f"eyJhbGciOiJSUzI1NiJ9.eyJ{secret}abcdef.{secret}signature"


def pem(secret: str) -> str:
    return f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{secret}\n-----END RSA PRIVATE KEY-----"


def batch(**part: object) -> Plant:
    requests = [{"id": "1", "method": "POST", "url": "/me/x", **part}]
    return asked(JSON, path="/v1.0/$batch", body=json.dumps({"requests": requests}))


def multipart(secret: str) -> str:
    return (
        '--b0\r\nContent-Disposition: form-data; name="client_secret"\r\n\r\n'
        f"{secret}\r\n--b0--\r\n"
    )


def changeset(secret: str) -> str:
    return (
        "--b1\r\nContent-Type: application/http\r\n\r\nPOST /x HTTP/1.1\r\n"
        f"Authorization: Bearer {secret}\r\nContent-Type: text/plain\r\n\r\nx\r\n--b1--\r\n"
    )


def intune(secret: str) -> str:
    message = json.dumps({"_version": 3, "Message": json.dumps({"password": secret})})
    return json.dumps({"error": {"code": "BadRequest", "message": message}})


GRAPH = "https://graph.microsoft.com/v1.0"
UPLOAD = "https://files.example.net/up"
MAKERS: dict[str, Callable[[str], Plant]] = {
    "bearer token": lambda s: asked(("Authorization", f"Bearer {s}")),
    "basic credentials": lambda s: asked(
        ("authorization", f"Basic {base64.b64encode(f'me:{s}'.encode()).decode()}")
    ),
    "proxy authorization": lambda s: asked(("Proxy-Authorization", f"Basic {s}")),
    "auxiliary token": lambda s: asked(("x-ms-authorization-auxiliary", f"Bearer {s}")),
    "API key": lambda s: asked(("X-Api-Key", s)),
    "subscription key": lambda s: asked(("Ocp-Apim-Subscription-Key", s)),
    "cookie": lambda s: asked(("Cookie", f"lang=en; session={s}")),
    "JWT in a header nobody knows": lambda s: asked(("X-Debug", f"got {jwt(s)} from cache")),
    "Set-Cookie": lambda s: answered(("Set-Cookie", f"fpc={s}; path=/; secure; HttpOnly")),
    "WWW-Authenticate": lambda s: answered(
        ("WWW-Authenticate", f'Bearer realm="", id_token="{s}"'), status=401
    ),
    "Location": lambda s: answered(("Location", f"{GRAPH}/x?access_token={s}"), status=201),
    "Operation-Location": lambda s: answered(
        ("Operation-Location", f"{UPLOAD}/a?sig={s}%2Fq%3D"), status=202
    ),
    "answer's header nobody knows": lambda s: answered(("X-Trace", f"token={jwt(s)}")),
    "JSON": lambda s: answered(JSON, body=json.dumps({"access_token": s})),
    "JSON with charset": lambda s: answered(
        ("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8"),
        body=json.dumps({"refresh_token": s}, indent=2),
    ),
    "JSON by suffix": lambda s: answered(
        ("Content-Type", "application/scim+json"), body=json.dumps({"id_token": s})
    ),
    "JSON without a type": lambda s: answered(body=json.dumps({"secretText": s})),
    "JSON with a wrong type": lambda s: answered(
        ("Content-Type", "text/html"), body=json.dumps({"clientSecret": s})
    ),
    "JSON in UTF-16": lambda s: answered(JSON, body=json.dumps({"password": s}).encode("utf-16")),
    "JSON, deep": lambda s: asked(
        JSON, body=json.dumps({"value": [{"a": {"passwordProfile": {"password": s}}}]})
    ),
    "JSON in JSON in a string": lambda s: answered(JSON, body=intune(s), status=400),
    "JSON cut short": lambda s: answered(JSON, body=f'{{"clientSecret": "{s}", "x": '),
    "connect's token": lambda s: asked(JSON, body=json.dumps({"ownerAccessToken": s})),
    "connect's credentials": lambda s: asked(
        JSON, body=json.dumps({"serviceAccountCredentials": {"keys": [s]}})
    ),
    "webhook's state": lambda s: asked(JSON, body=json.dumps({"clientState": s})),
    "JWT in a field nobody knows": lambda s: answered(JSON, body=json.dumps({"note": jwt(s)})),
    "private key in a field": lambda s: answered(JSON, body=json.dumps({"note": pem(s)})),
    "private key as a file": lambda s: answered(
        ("Content-Type", "application/octet-stream"), body=b"\x00\xff" + pem(s).encode()
    ),
    "uploadUrl's query": lambda s: answered(
        JSON, body=json.dumps({"uploadUrl": f"{UPLOAD}/x?tempauth={s}"})
    ),
    "uploadUrl's path": lambda s: answered(JSON, body=json.dumps({"uploadUrl": f"{UPLOAD}/{s}/x"})),
    "downloadUrl": lambda s: answered(
        JSON, body=json.dumps({"@microsoft.graph.downloadUrl": f"{UPLOAD}/d?authkey={s}"})
    ),
    "storage URI": lambda s: answered(
        JSON, body=json.dumps({"azureStorageUri": f"{UPLOAD}/f.bin?sv=2020&sig={s}%3D"})
    ),
    "query": lambda s: asked(path=f"/v1.0/me/one?access_token={s}"),
    "query, percent-encoded": lambda s: asked(
        path=f"/v1.0/me/two?client%5Fsecret=%{ord(s[0]):02X}{s[1:]}"
    ),
    "URL in a query": lambda s: asked(
        path=f"/v1.0/me/three?next={quote(f'https://x.example/?client_secret={s}', safe='')}"
    ),
    "JWT in a path": lambda s: asked(path=f"/v1.0/me/{jwt(s)}/x"),
    "authorization code": lambda s: asked(path=f"/v1.0/oauth2/callback?code={s}&x=1"),
    "token endpoint's form": lambda s: asked(
        FORM,
        path="/contoso.com/oauth2/v2.0/token",
        body=f"grant_type=client_credentials&client_secret={s}",
    ),
    "token endpoint's answer": lambda s: replace(
        asked(FORM, path="/contoso.com/oauth2/v2.0/token", body="grant_type=x"),
        answer_headers=(JSON,),
        answer_body=json.dumps({"token_type": "Bearer", "access_token": s}).encode(),
    ),
    "refresh token's form, by no type": lambda s: asked(
        path="/contoso.com/oauth2/v2.0/refresh", body=f"grant_type=refresh_token&refresh_token={s}"
    ),
    "form with a wrong type": lambda s: asked(JSON, body=f"client_assertion={s}&x=1"),
    "user's password": lambda s: asked(FORM, body=f"username=a&password={s}"),
    "multipart form": lambda s: asked(
        ("Content-Type", 'multipart/form-data; boundary="b0"'), body=multipart(s)
    ),
    "multipart of requests": lambda s: asked(
        ("Content-Type", "multipart/mixed; boundary=b1"), body=changeset(s)
    ),
    "text": lambda s: answered(
        ("Content-Type", "text/plain"), body=f"AccountName=a;AccountKey={s};X=y"
    ),
    "batch part's header": lambda s: batch(headers={"Authorization": f"Bearer {s}"}),
    "batch part's body": lambda s: batch(body={"passwordProfile": {"password": s}}),
    "batch part's URL": lambda s: batch(url=f"/me?access_token={s}"),
    "batch part's coded body": lambda s: batch(
        body=base64.b64encode(f"client_secret={s}".encode()).decode()
    ),
    "batch answer's cookie": lambda s: replace(
        batch(),
        answer_headers=(JSON,),
        answer_body=json.dumps(
            {"responses": [{"id": "1", "status": 200, "headers": {"Set-Cookie": f"a={s}"}}]}
        ).encode(),
    ),
    **{
        f"{coding} request": lambda s, coding=coding: replace(  # type: ignore[misc]  # mypy can't infer a default's type
            asked(JSON, body=json.dumps({"ownerAccessToken": s})), coding=coding
        )
        for coding in CODERS
    },
    **{
        f"{coding} answer": lambda s, coding=coding: replace(  # type: ignore[misc]  # likewise
            answered(JSON, body=json.dumps({"accessToken": s})), answer_coding=coding
        )
        for coding in CODERS
    },
}


def _placed(number: int, plant: Plant) -> Plant:
    """Give a plant a path of its own, so that each is matched alone."""
    if not plant.path:
        return replace(plant, path=f"/v1.0/plants/{number}")
    if plant.path.endswith("$batch"):
        return replace(plant, path=f"{plant.path}?plant={number}")
    return plant


CANARIES = {name: canary(name) for name in MAKERS}
PLANTS = {
    name: _placed(number, make(CANARIES[name]))
    for number, (name, make) in enumerate(MAKERS.items())
}
