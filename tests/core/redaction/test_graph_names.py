"""What Graph's own model calls a secret is masked, and what only sounds like one stays."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Policy, Redactor, find
from graphtape.core.redaction.graph_names import NAMES, Kind

TOOL = Path(__file__).parents[3] / "tools" / "graph_names.py"
URL = "https://graph.microsoft.com/beta/deviceManagement/x"
JSON = Headers.of([("Content-Type", "application/json")])
SECRETS = [name for name, kind in NAMES.items() if kind is Kind.SECRET]
HARMLESS = [name for name, kind in NAMES.items() if kind is Kind.HARMLESS]
VALUE = "hardly-a-real-one"


def asked(body: object) -> str:
    request = Request(method="POST", url=URL, headers=JSON, body=json.dumps(body).encode())
    return Redactor(salt="s").request(request).request.body.decode()


def answered(body: object, *, url: str = URL) -> str:
    response = Response(status=200, headers=JSON, body=json.dumps(body).encode())
    return Redactor(salt="s").response(response, url=url).body.decode()


def test_every_name_has_been_looked_at() -> None:
    assert [name for name, kind in NAMES.items() if kind is Kind.UNCLASSIFIED] == []


def test_the_model_has_no_name_that_is_not_listed() -> None:
    spec = importlib.util.spec_from_file_location("graph_names_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    found = tool.names(["msgraph_beta"])
    assert len(found) > 200
    assert [name for name in found if name not in NAMES] == []


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_of_the_model_is_masked_and_found(name: str) -> None:
    for body in ({name: VALUE}, {"value": [{"id": "1", name: [VALUE]}]}):
        for clean in (asked(body), answered(body)):
            assert VALUE not in clean
            assert json.loads(clean)
    raw = Interaction(
        request=Request(method="GET", url=URL),
        response=Response(status=200, headers=JSON, body=json.dumps({name: VALUE}).encode()),
    )
    assert [finding.rule for finding in find(raw, Policy())] == ["secret"]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_sounds_like_a_secret_stays(name: str) -> None:
    body = {name: "some-value-1"}
    assert json.loads(asked(body)) == json.loads(answered(body)) == body


SETTING = "#microsoft.graph.deviceManagementConfigurationSecretSettingValue"


@pytest.mark.parametrize(
    "body",
    [
        {"@odata.type": SETTING, "valueState": "notEncrypted", "value": VALUE},
        {"@odata.type": "#microsoft.graph.bitlockerRecoveryKey", "id": "1", "key": VALUE},
        {"credentials": [{"fieldId": "u", "type": "username", "value": "jo"},
                         {"fieldId": "p", "type": "password", "value": VALUE}]},
        {"use": "sig", "k": VALUE, "nbf": 1},
        {"kty": "RSA", "n": "0v", "e": "AQAB", "d": VALUE, "p": VALUE},
        {"displayName": "Shared secret", "value": VALUE},
        {"settingName": "WiFiPassword", "valueString": VALUE},
        {"omaUri": "./Vendor/MSFT/WiFi/Profile/x/PreSharedKey/Passphrase", "value": VALUE},
        {"value": VALUE, "omaUri": "./User/Vendor/X/Password"},
        {"fieldId": "password", "stringValue": VALUE},
        {"id": "device_vendor_x_password", "settingValue": VALUE},
        {"keyName": "client_secret", "keyValue": VALUE},
    ],
)  # fmt: skip
def test_a_value_is_judged_by_what_stands_beside_it(body: object) -> None:
    for clean in (asked(body), answered(body), answered({"value": [body]})):
        assert VALUE not in clean


@pytest.mark.parametrize(
    "action", ["createGooglePlayWebToken", "microsoft.graph.getFileVaultKey", "getFileVaultKey()"]
)
def test_the_value_of_an_action_that_answers_a_secret_is_masked(action: str) -> None:
    assert VALUE not in answered({"value": VALUE}, url=f"{URL}/{action}")


def test_a_recovery_key_shows_by_its_shape_alone() -> None:
    key = "-".join(f"{number:06}" for number in range(110022, 110022 + 8 * 11, 11))
    assert key not in answered({"note": key})
    assert key not in answered({"x": {"y": [key]}})


@pytest.mark.parametrize(
    "body",
    [
        {"displayName": "Password", "value": "required"},
        {"settingName": "passwordRequired", "value": "true"},
        {"omaUri": "./Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength", "value": "8"},
        {"name": "passwordPolicies", "value": "DisablePasswordExpiration"},
        {"kty": "RSA", "n": "0vx7ago", "e": "AQAB", "x5t": "abc"},
        {"id": "1", "key": "colour", "value": "blue"},
        {"@odata.type": "#microsoft.graph.keyValuePair", "name": "a", "value": "b"},
        {"credentials": [{"fieldId": "u", "type": "username", "value": "jo"}]},
        {"d": "dee", "p": "pea", "k": "kay"},
    ],
)
def test_what_stands_beside_a_harmless_name_stays(body: object) -> None:
    assert json.loads(asked(body)) == json.loads(answered(body)) == body
