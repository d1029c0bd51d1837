"""Names that say secret, and random values wherever they stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from commands import graphtape
from graphtape.core.message import Headers, Interaction, Request, Response
from graphtape.core.redaction import Policy, Redactor, find
from graphtape.tape.baseline import Baseline
from graphtape.tape.record import SIGNATURE
from graphtape.tape.store import open_cassette, save_cassette
from graphtape.tape.vcr_format import Metadata

if TYPE_CHECKING:
    from pathlib import Path

GRAPH = "https://graph.microsoft.com/v1.0/me"
CANARY = "CANARYfake"
OPAQUE = "q7Zr2Xv9Lk4Tn8Wb3Yc6Hd1Mf5Pj0Gs-Qa2We4Rt"
VENDOR = "ghp_" + "Fake0" * 8


def answered(body: object, *, personal: bool = False) -> object:
    redactor = Redactor(salt="s", policy=Policy(personal=personal))
    response = Response(status=200, body=json.dumps(body).encode())
    once = redactor.response(response, url=GRAPH)
    assert redactor.response(once, url=GRAPH) == once
    clean = Interaction(request=Request(method="GET", url=GRAPH), response=once)
    assert not list(find(clean, Policy(personal=personal)))
    return json.loads(once.body)


def exchange(
    *, url: str = GRAPH, sent: bytes = b"", kind: str = "", got: object = None
) -> Interaction:
    headers = Headers.of([("Content-Type", kind)] if kind else [])
    return Interaction(
        request=Request(method="POST", url=url, headers=headers, body=sent),
        response=Response(status=200, body=json.dumps(got).encode()),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"Authorization": f"Basic {CANARY}"}, {"Authorization": "Basic REDACTED"}),
        ({"Proxy-Authorization": [f"Basic {CANARY}"]}, {"Proxy-Authorization": ["Basic REDACTED"]}),
        ({"Cookie": f"a={CANARY}"}, {"Cookie": "a=REDACTED"}),
        ({"X-Functions-Key": CANARY}, {"X-Functions-Key": "REDACTED"}),
        ({"X-Auth": CANARY}, {"X-Auth": "REDACTED"}),
        (
            {"h": [{"name": "Authorization", "value": f"Basic {CANARY}"}]},
            {"h": [{"name": "Authorization", "value": "Basic REDACTED"}]},
        ),
        (
            {"h": [{"value": f"a={CANARY}", "key": "Cookie"}]},
            {"h": [{"value": "a=REDACTED", "key": "Cookie"}]},
        ),
        ({"location": {"displayName": "Oslo"}}, {"location": {"displayName": "Oslo"}}),
        ({"name": "Location", "value": "Oslo"}, {"name": "Location", "value": "Oslo"}),
    ],
)
def test_a_header_in_json_is_treated_as_the_header(before: object, after: object) -> None:
    assert answered(before) == after


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("X-Forwarded-Authorization", "Basic REDACTED"),
        ("X-Original-Authorization", "Basic REDACTED"),
        ("X-Auth", "REDACTED"),
        ("X-Auth-Token", "REDACTED"),
        ("X-Auth-User-Key", "REDACTED"),
    ],
)
def test_variants_of_authorization_are_masked(name: str, after: str) -> None:
    request = Request(method="GET", url=GRAPH, headers=Headers.of([(name, f"Basic {CANARY}")]))
    assert Redactor(salt="s").request(request).request.headers.get(name) == after


@pytest.mark.parametrize(
    "before",
    [
        {"recoveryKey": CANARY},
        {"personalRecoveryKey": CANARY},
        {"preSharedKey": CANARY},
        {"pin": CANARY},
        {"unlockPin": CANARY},
        {"psk": CANARY},
        {"passwords": [CANARY, CANARY]},
        {"appConfigKey": "password", "appConfigKeyValue": CANARY},
        {"appConfigKeyValue": CANARY, "appConfigKey": "clientSecret"},
        {"omaSettings": [{"value": CANARY, "isEncrypted": True, "secretReferenceValueId": "1"}]},
    ],
)
def test_secrets_of_intune_are_masked(before: object) -> None:
    assert CANARY not in json.dumps(answered(before))


def test_a_setting_that_is_not_encrypted_stays() -> None:
    body = {"omaSettings": [{"value": "on", "isEncrypted": False, "secretReferenceValueId": None}]}
    assert answered(body) == body


def test_one_innocent_name_beside_another_that_says_secret_changes_nothing() -> None:
    body = {"key": "password", "name": "wifi", "value": CANARY}
    assert CANARY not in json.dumps(answered(body))


@pytest.mark.parametrize(
    "before",
    [
        {"emailAddress": {"name": CANARY, "address": "jane@contoso.com"}},
        {"fullName": CANARY},
        {"ethernetMacAddress": CANARY},
        {"hostName": CANARY},
        {"deviceDisplayName": CANARY},
    ],
)
def test_personal_names_are_replaced_where_they_are_to_be(before: object) -> None:
    assert CANARY not in json.dumps(answered(before, personal=True))
    assert answered(before) == before


@pytest.mark.parametrize("value", [OPAQUE, VENDOR, "AKIA" + "FAKE" * 4, "xoxb-0000000000-fake"])
@pytest.mark.parametrize(
    "place",
    ["query", "form", "multipart", "text", "word", "json in a string", "query of a link"],
)
def test_random_values_and_vendors_keys_are_found_wherever_they_stand(
    place: str, value: str
) -> None:
    multipart = f'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n{value}\r\n--b--'
    told = {
        "query": exchange(url=f"{GRAPH}?x={value}"),
        "form": exchange(sent=f"a=1&x={value}".encode()),
        "multipart": exchange(sent=multipart.encode(), kind="multipart/form-data; boundary=b"),
        "text": exchange(sent=f"see {value} here".encode(), kind="text/plain"),
        "word": exchange(got={"note": f"it is {value}, or so"}),
        "json in a string": exchange(got={"note": json.dumps({"x": value})}),
        "query of a link": exchange(got={"note": f"see https://graph.microsoft.com/a?x={value}"}),
    }[place]
    rule = "opaque" if value == OPAQUE else "secret"
    assert rule in {each.rule for each in find(told, Policy())}


def test_a_vendors_key_in_a_path_is_found_and_an_id_is_not() -> None:
    (found,) = find(exchange(url=f"{GRAPH}/x/{VENDOR}"), Policy())
    assert (found.place, found.rule) == ("request.url.path", "secret")
    assert not list(find(exchange(url=f"{GRAPH}/messages/{OPAQUE}"), Policy()))


@pytest.mark.parametrize(
    "body", ["a=b&" * 50_000, "https://a?x=" * 20_000, "A" * 70 + "\n" * 50_000]
)
def test_looking_for_random_values_takes_linear_time(body: str) -> None:
    assert not list(find(exchange(sent=body.encode(), kind="text/plain"), Policy()))


def test_scan_advises_what_helps(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, [exchange(got={"note": OPAQUE})], metadata=None)
    err = graphtape("scan", path, cwd=tmp_path).stderr
    assert "graphtape redact" not in err
    assert "name the field under [redaction] fields, or allow the value" in err


def test_redact_says_of_a_foreign_cassette_only_what_shows(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    save_cassette(path, [exchange(got={"password": CANARY})], metadata=None)
    assert graphtape("redact", path, cwd=tmp_path).returncode == 0
    metadata = open_cassette(path).metadata
    assert metadata is not None
    assert (metadata.upstream, metadata.recorded_at) == ("global", "")
    assert "recorded_at" not in path.read_text()
    shown = graphtape("show", path.name, cwd=tmp_path).stdout
    assert shown.startswith("a.yaml: 1 interaction, recorded from global\n")


def test_a_baseline_beside_the_cassettes_is_passed_over(tmp_path: Path) -> None:
    path, baseline = tmp_path / "a.yaml", tmp_path / "accepted.json"
    save_cassette(path, [exchange(got={"a": 1})], metadata=None)
    Baseline.begin(baseline).write([])
    done = graphtape("scan", path, baseline, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "1 cassette: 0 findings\n")


def test_an_unsaved_recording_is_named(tmp_path: Path) -> None:
    part = tmp_path / "k.yaml.part"
    part.write_bytes(SIGNATURE)
    named = graphtape("scan", part.name, cwd=tmp_path)
    assert named.returncode == 2
    assert "could not look: k.yaml.part: an unsaved recording" in named.stderr
    found = graphtape("scan", ".", cwd=tmp_path)
    assert found.returncode == 0
    assert "k.yaml.part: an unsaved recording" in found.stderr


def test_variables_are_judged_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    variables = {"password": CANARY, "colour": "blue"}
    metadata = Metadata(
        graphtape="0.1.0", upstream="global", recorded_at="", salt="s", variables=variables
    )
    save_cassette(path, [exchange(got={"a": 1})], metadata=metadata)
    done = graphtape("scan", path, cwd=tmp_path)
    assert done.returncode == 1
    assert "metadata.graphtape.variables.password" in done.stdout
    assert graphtape("redact", path, cwd=tmp_path).returncode == 0
    cleaned = open_cassette(path).metadata
    assert cleaned is not None
    assert cleaned.variables == {"password": "REDACTED", "colour": "blue"}
