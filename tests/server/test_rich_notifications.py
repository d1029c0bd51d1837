"""Notifications with resource data: encrypted for the app, and signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import jwt
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from proxies import AUTH
from tapes import exchanged
from webhooks import BEGAN, Clock, ListeningApp, certificate, notifying, rich, subscribed

if TYPE_CHECKING:
    from pathlib import Path

    from proxies import Running

JSON = {"Content-Type": "application/json"}
READ = exchanged(
    "GET",
    "/v1.0/chats/C1/messages/T1",
    json.dumps({"@odata.context": "x", "id": "T1", "subject": "Grüße", "replyToId": None}),
    fields=JSON,
)
TENANT = "fa4e0000-0000-4000-8000-000000000001"
APP = "fa4e0000-0000-4000-8000-000000000002"


def tell(proxy: Running, change: str = "created", **more: object) -> None:
    url = f"{proxy.control}/sessions/default/notifications"
    body = {"resource": "chats/C1/messages/T1", "changeType": change, **more}
    requests.post(url, json=body, timeout=5).raise_for_status()


def opened(content: dict[str, str], bits: int = 2048) -> dict[str, Any]:
    """Decrypt as Microsoft's documentation says."""
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303
    key = certificate(bits).key.decrypt(b64decode(content["dataKey"]), oaep)
    data = b64decode(content["data"])
    signature = hmac.new(key, data, hashlib.sha256).digest()
    assert hmac.compare_digest(signature, b64decode(content["dataSignature"]))
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    found = json.loads(padded[: -padded[-1]])
    assert isinstance(found, dict)
    return found


def keys(proxy: Running) -> list[dict[str, str]]:
    answer = requests.get(f"{proxy.url}/common/discovery/v2.0/keys", timeout=5)
    found = answer.json()["keys"]
    assert isinstance(found, list)
    return found


def life(app: ListeningApp) -> dict[str, object]:
    return {"resource": "chats/C1/messages", "lifecycleNotificationUrl": f"{app.url}/life"}


def test_an_app_can_open_what_the_tape_has_of_a_resource(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, READ, clock=Clock()) as proxy:
        subscribed(proxy, app, **rich(), **life(app))  # type: ignore[arg-type]
        tell(proxy)
        tell(proxy, data={"subject": "other"})
        first, second = (each.json["value"][0] for each in app.wait(2))
    contents: list[Any] = [first["encryptedContent"], second["encryptedContent"]]
    thumbprint = hashlib.sha1(certificate(2048).der).hexdigest().upper()  # noqa: S324 - Graph's
    assert contents[0]["encryptionCertificateId"] == "first"
    assert contents[0]["encryptionCertificateThumbprint"] == thumbprint
    found = sorted((opened(each) for each in contents), key=repr)
    assert found == [
        {"id": "T1", "subject": "Grüße", "replyToId": None},
        {"id": "T1", "subject": "other", "replyToId": None},
    ]
    assert contents[0]["dataKey"] != contents[1]["dataKey"]
    assert first["resourceData"] == {
        "@odata.type": "#Microsoft.Graph.ChatMessage",
        "@odata.id": "chats/C1/messages/T1",
        "id": "T1",
    }


def test_its_token_is_signed_by_the_offline_authority(tmp_path: Path) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, READ, clock=Clock()) as proxy:
        before = keys(proxy)
        subscribed(proxy, app, **life(app))  # type: ignore[arg-type]
        tell(proxy)
        (plain,) = app.wait(1)
        subscribed(proxy, app, **rich(), **life(app))  # type: ignore[arg-type]
        tell(proxy)
        told = app.wait(2)[1]
        (key,) = keys(proxy)
    assert before == []
    assert "validationTokens" not in plain.json
    tokens: Any = told.json["validationTokens"]
    (token,) = tokens
    claims = jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=["RS256"],
        audience=APP,
        issuer=f"https://sts.windows.net/{TENANT}/",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    assert claims["appid"] == "0bf30f3b-4a52-48df-9a82-234910c4a086"
    assert claims["tid"] == TENANT
    assert claims["nbf"] == BEGAN
    assert claims["exp"] > BEGAN
    assert "d" not in key


def test_a_deleted_resource_has_no_data_and_a_renewal_changes_the_certificate(
    tmp_path: Path,
) -> None:
    with ListeningApp() as app, notifying(tmp_path, app, READ, clock=Clock()) as proxy:
        made = subscribed(proxy, app, **rich(), **life(app))  # type: ignore[arg-type]
        one = f"{proxy.url}/v1.0/subscriptions/{made['id']}"
        other = {
            "expirationDateTime": made["expirationDateTime"],
            "encryptionCertificate": certificate(3072).text,
            "encryptionCertificateId": "second",
        }
        requests.patch(one, json=other, headers=AUTH, timeout=5).raise_for_status()
        bad = requests.patch(
            one, json={**other, "encryptionCertificate": "AAAA"}, headers=AUTH, timeout=5
        )
        tell(proxy, "deleted")
        (deleted,) = app.wait(1)
        tell(proxy, "updated")
        content: Any = app.wait(2)[1].json["value"][0]["encryptedContent"]
    assert bad.status_code == 400
    assert "encryptedContent" not in deleted.json["value"][0]
    assert content["encryptionCertificateId"] == "second"
    assert opened(content, 3072)["subject"] == "Grüße"
    assert made["encryptionCertificate"] is None
