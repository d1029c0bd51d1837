"""Sign-in on the data port: where its answers lead, and what is said where a token can't be had."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import requests

from commands import graphtape
from graphtape.core.errors import UsageError
from graphtape.runner.command import environment
from graphtape.server.http.ports import Addresses
from graphtape.server.tls import Authority
from graphtape.server.tls.secured import Secured
from graphtape.settings import load
from proxies import recording, replaying
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = "https://login.microsoftonline.com"
BACK = "http://localhost:1234/cb"
ASKED = urlencode({"client_id": "a", "response_type": "code", "redirect_uri": BACK})


def test_authorize_sends_the_browser_back_to_the_app_itself(tmp_path: Path) -> None:
    with replaying(taped(tmp_path, exchanged("GET", "/v1.0/me"))) as proxy:
        url = f"{proxy.url}/common/oauth2/v2.0/authorize?{ASKED}"
        got = requests.get(url, allow_redirects=False, timeout=5)
    assert got.headers["Location"].startswith(f"{BACK}?code=graphtape-fake-code.")


def test_logout_sends_the_browser_back_to_the_app_itself(tmp_path: Path) -> None:
    bye = "https://app.example/bye"
    with replaying(taped(tmp_path, exchanged("GET", "/v1.0/me"))) as proxy:
        url = f"{proxy.url}/common/oauth2/v2.0/logout?post_logout_redirect_uri={bye}"
        got = requests.get(url, allow_redirects=False, timeout=5)
    assert got.headers["Location"] == bye


def test_a_recorded_discovery_leads_to_the_proxy_and_not_to_the_real_authority(
    tmp_path: Path,
) -> None:
    said = {"token_endpoint": f"{LOGIN}/common/oauth2/v2.0/token", "issuer": f"{LOGIN}/x/v2.0"}
    path = "/common/v2.0/.well-known/openid-configuration"
    answer = {"status": 200, "statusText": "OK", "headers": []}
    answer |= {"content": {"mimeType": "application/json", "text": json.dumps(said)}}
    asked = {"method": "GET", "url": LOGIN + path, "headers": []}
    entry = {"startedDateTime": "2026-01-01T00:00:00Z", "request": asked, "response": answer}
    har = tmp_path / "signin.har"
    har.write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}))
    with replaying(har) as proxy:
        got = requests.get(proxy.url + path, timeout=5)
    assert got.headers["Graphtape-Result"] == "replayed"
    assert got.json() == {
        "token_endpoint": f"{proxy.url}/common/oauth2/v2.0/token",
        "issuer": f"{proxy.url}/x/v2.0",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_command_that_fails_is_named_in_the_answer(tmp_path: Path, method: str) -> None:
    command = "no-such-program-here fake-secret-argument"
    with recording(tmp_path / "t.yaml", upstream="sandbox", token_command=command) as proxy:
        got = requests.request(method, f"{proxy.url}/v1.0/me", timeout=10)
    assert got.status_code == 502
    assert got.json()["error"]["code"] == "GraphtapeTokenCommand"
    assert "no-such-program-here can't be run" in got.text
    assert "fake-secret-argument" not in got.text


@pytest.mark.parametrize(
    ("listed", "left"),
    [
        ("*", ""),
        (".microsoft.com", ""),
        ("microsoft.com, corp.example", "corp.example,"),
        ("graph.microsoft.com:443 corp.example", "corp.example,"),
        ("corp.example", "corp.example,"),
    ],
)
def test_behind_forward_nothing_leads_a_command_past_the_proxy(
    tmp_path: Path, listed: str, left: str
) -> None:
    authority = Authority.open(tmp_path / "ca", say=print)
    here = Addresses(
        proxy="http://127.0.0.1:4001",
        control=None,
        secured=Secured(context=None, authority=authority),
    )
    found = environment({"NO_PROXY": listed, "no_proxy": listed}, here)
    assert found["no_proxy"] == found["NO_PROXY"] == f"{left}127.0.0.1,localhost,::1"


def test_a_replay_behind_forward_signs_in_without_secrets(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path / "ca", say=print)
    secured = Secured(context=None, authority=authority)
    here = Addresses(proxy="http://127.0.0.1:4001", control=None, secured=secured)
    found = environment({"AZURE_CLIENT_ID": "mine"}, here, signs_in=True)
    assert found["AZURE_CLIENT_ID"] == "mine"
    assert found["AZURE_CLIENT_SECRET"] == "graphtape-fake-secret"
    assert "AZURE_AUTHORITY_HOST" not in found


def test_a_recording_that_never_began_leaves_nothing_behind(tmp_path: Path) -> None:
    refused = recording(tmp_path / "t.yaml", upstream="sandbox", tls_cert="no-such.pem")
    with pytest.raises(UsageError), refused:
        pass
    assert not (tmp_path / "t.yaml.part").exists()


def test_a_command_that_reached_nobody_over_tls_is_asked_about_trust(tmp_path: Path) -> None:
    taped(tmp_path, exchanged("GET", "/v1.0/me"))
    done = graphtape("replay", "tape.yaml", "--tls", "--", "true", cwd=tmp_path)
    assert "does it trust the certificate?" in done.stderr


def test_the_settings_say_what_tokens_say(tmp_path: Path) -> None:
    (tmp_path / "graphtape.toml").write_text(
        '[signin]\nroles = ["User.Read.All"]\nscopes = ["User.Read"]\nlifetime = 60\n'
        'user = "adele@contoso.com"\n'
    )
    signin = load({}, config=str(tmp_path / "graphtape.toml")).signin
    with replaying(taped(tmp_path, exchanged("GET", "/v1.0/me")), signin=signin) as proxy:
        url = f"{proxy.url}/common/oauth2/v2.0/token"
        default = "https://graph.microsoft.com/.default"
        form = {"client_id": "a", "client_secret": "not-a-real-one", "scope": default}
        app = requests.post(url, data=form | {"grant_type": "client_credentials"}, timeout=5).json()
        form["grant_type"] = "refresh_token"
        user = requests.post(url, data=form | {"refresh_token": "not-real"}, timeout=5).json()
    assert app["expires_in"] == 60
    assert claims(app["access_token"])["roles"] == ["User.Read.All"]
    assert claims(user["access_token"])["scp"].split()[-1] == "User.Read"
    assert claims(user["access_token"])["upn"] == "adele@contoso.com"


def claims(token: str) -> dict[str, Any]:
    """Read what a token says, as a client would."""
    body = token.split(".")[1]
    said: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said
