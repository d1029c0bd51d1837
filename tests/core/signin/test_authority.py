from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from graphtape.core.message import Headers, Request
from graphtape.core.signin.authority import sign_in
from graphtape.core.signin.place import is_sign_in_place
from graphtape.core.signin.terms import Terms

if TYPE_CHECKING:
    from graphtape.core.message import Response

GRAPH = "https://graph.microsoft.com"
BASE = "https://127.0.0.1:8787/_session/one"
TENANT = "11111111-2222-4333-8444-555555555555"
FAKE = "fa4e0000-0000-4000-8000-000000000001"
NOW = 1_700_000_000.0
APP = {
    "grant_type": "client_credentials",
    "client_id": "an-app",
    "client_secret": "not-a-real-secret",
    "scope": f"{GRAPH}/.default",
}


def asked(method: str, path: str, root: str = GRAPH, **headers: str) -> Response | None:
    request = Request(method=method, url=root + path, headers=Headers.of(headers.items()))
    return sign_in(request, base=BASE, now=NOW)


def got(path: str, **headers: str) -> Any:  # noqa: ANN401 - JSON
    answer = asked("GET", path, **headers)
    assert answer is not None
    assert answer.status == 200
    return json.loads(answer.body)


def posted(
    fields: dict[str, str],
    path: str = f"/{TENANT}/oauth2/v2.0/token",
    terms: Terms | None = None,
    **headers: str,
) -> Response:
    request = Request(
        method="POST",
        url=GRAPH + path,
        headers=Headers.of(headers.items()),
        body=urlencode(fields).encode(),
    )
    answer = sign_in(request, base=BASE, now=NOW, terms=terms or Terms())
    assert answer is not None
    return answer


def claims(answer: Response, name: str = "access_token") -> dict[str, Any]:
    part = json.loads(answer.body)[name].split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


@pytest.mark.parametrize(
    "path",
    [
        "/v1.0/me",
        "/beta/oauth2/token",
        "/v1.0/oauth2/v2.0/token",
        "/v2/discovery/keys",
        "/v1.0/subscriptions?api-version=2022-12-01",
        "/subscriptions",
        "/tenants",
        "/beta/tenants?api-version=2022-12-01",
        "/users/oauth2PermissionGrants",
        "/contoso.onmicrosoft.com/oauth2/v2.0/token/more",
        "/contoso.onmicrosoft.com/oauth2/v3.0/token",
        "/_origin/login.microsoftonline.com/common/oauth2/token",
        "/",
        "",
    ],
)
def test_what_may_be_graphs_is_no_sign_in(path: str) -> None:
    assert not is_sign_in_place(GRAPH + path)
    assert asked("GET", path) is None


@pytest.mark.parametrize(
    "root",
    [
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://login.microsoftonline.com",
        "https://login.chinacloudapi.cn",
        "https://login.windows.net",
    ],
)
def test_graphs_hosts_and_authorities_sign_in(root: str) -> None:
    assert is_sign_in_place(f"{root}/common/oauth2/v2.0/token")


@pytest.mark.parametrize(
    "root",
    ["https://management.azure.com", "https://example.com", "http://login.microsoftonline.com"],
)
def test_no_other_host_does(root: str) -> None:
    assert not is_sign_in_place(f"{root}/common/oauth2/v2.0/token")


def test_resource_manager_answers_at_its_own_host_too() -> None:
    url = "https://management.azure.com/subscriptions?api-version=2022-12-01"
    assert is_sign_in_place(url)
    assert not is_sign_in_place("https://login.microsoftonline.com/tenants?api-version=2022-12-01")


def test_a_preflight_is_left_to_the_proxy() -> None:
    assert asked("OPTIONS", "/common/oauth2/v2.0/token") is None


@pytest.mark.parametrize(
    "tenant", ["common", "organizations", "consumers", TENANT, "contoso.onmicrosoft.com"]
)
def test_every_endpoint_of_a_configuration_leads_back_through_the_session(tenant: str) -> None:
    found = got(f"/{tenant}/v2.0/.well-known/openid-configuration")
    for name, value in found.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(f"{BASE}/{tenant}/"), name
            assert is_sign_in_place(GRAPH + value.removeprefix(BASE)), name
    assert found["issuer"] == f"{BASE}/{TENANT if tenant == TENANT else FAKE}/v2.0"


def test_the_first_version_has_endpoints_of_its_own() -> None:
    found = got("/common/.well-known/openid-configuration")
    assert found["token_endpoint"] == f"{BASE}/common/oauth2/token"
    assert found["jwks_uri"] == f"{BASE}/common/discovery/keys"


@pytest.mark.parametrize("path", ["/COMMON/OAuth2/V2.0/Token", "//common//oauth2/v2.0/token/"])
def test_an_endpoint_is_known_in_any_case_and_with_any_slashes(path: str) -> None:
    assert posted(APP, path).status == 200


def test_no_key_verifies_a_token() -> None:
    assert got("/discovery/v2.0/keys") == {"keys": []}
    assert got("/common/discovery/v2.0/keys") == {"keys": []}


def test_instance_discovery_names_this_authority_alone() -> None:
    endpoint = urlencode({"authorization_endpoint": f"{BASE}/{TENANT}/oauth2/v2.0/authorize"})
    found = got(f"/common/discovery/instance?api-version=1.1&{endpoint}")
    assert found["tenant_discovery_endpoint"] == (
        f"{BASE}/{TENANT}/v2.0/.well-known/openid-configuration"
    )
    (instance,) = found["metadata"]
    assert instance["aliases"] == ["127.0.0.1:8787"]


def test_no_user_is_federated() -> None:
    found = got("/common/userrealm/adele.vance%40contoso.com?api-version=1.0")
    assert found["account_type"] == "Managed"
    assert found["domain_name"] == "contoso.com"


def test_a_token_says_that_it_is_fake() -> None:
    header, _, signature = json.loads(posted(APP).body)["access_token"].split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["kid"] == "graphtape-fake"
    assert base64.urlsafe_b64decode(signature) == b"graphtape-fake-signature"


def test_an_app_token_has_the_roles_lifetime_and_tenant_it_is_to_have() -> None:
    terms = Terms(roles=("User.Read.All",), lifetime=60)
    token = claims(posted(APP, terms=terms))
    assert token["roles"] == ["User.Read.All"]
    assert (token["iat"], token["nbf"], token["exp"]) == (NOW, NOW, NOW + 60)
    assert token["tid"] == TENANT
    assert token["iss"] == f"{BASE}/{TENANT}/v2.0"


def test_the_same_request_gets_the_same_token() -> None:
    assert posted(APP) == posted(APP)


@pytest.mark.parametrize("tenant", ["common", "contoso.onmicrosoft.com"])
def test_a_tenant_without_an_id_is_the_fake_one(tenant: str) -> None:
    assert claims(posted(APP, f"/{tenant}/oauth2/v2.0/token"))["tid"] == FAKE


def test_an_app_may_send_its_secret_as_basic_authorization() -> None:
    fields = {name: APP[name] for name in ("grant_type", "scope")}
    coded = base64.b64encode(b"an-app:not-a-real-secret").decode()
    token = claims(posted(fields, Authorization=f"Basic {coded}"))
    assert token["appid"] == "an-app"


def test_a_token_for_the_proxys_own_host_is_one_for_graph() -> None:
    for host in ("https://127.0.0.1", "https://127.0.0.1:8787"):
        token = claims(posted(APP | {"scope": f"{host}/.default"}))
        assert token["aud"] == GRAPH
        assert token["roles"]


def test_a_token_for_another_resource_has_none_of_graphs_roles() -> None:
    token = claims(posted(APP | {"scope": "https://management.core.windows.net//.default"}))
    assert token["aud"] == "https://management.core.windows.net/"
    assert "roles" not in token


def test_the_first_version_grants_by_resource_and_writes_numbers_as_text() -> None:
    fields = APP | {"resource": GRAPH}
    answer = posted({n: v for n, v in fields.items() if n != "scope"}, f"/{TENANT}/oauth2/token")
    body = json.loads(answer.body)
    assert body["expires_in"] == "3599"
    assert body["expires_on"] == str(int(NOW) + 3599)
    assert body["resource"] == GRAPH
    assert claims(answer)["ver"] == "1.0"


def test_a_password_signs_in_the_user_it_names() -> None:
    fields = {
        "grant_type": "password",
        "client_id": "an-app",
        "username": "megan.bowen@contoso.com",
        "password": "not-a-real-secret",
        "scope": "openid offline_access User.Read Mail.Send",
    }
    answer = posted(fields)
    assert claims(answer)["upn"] == "megan.bowen@contoso.com"
    assert claims(answer)["scp"] == "User.Read Mail.Send openid"
    assert claims(answer, "id_token")["name"] == "Megan Bowen"


def test_a_refresh_token_brings_its_scopes_and_its_user() -> None:
    first = posted(
        {
            "grant_type": "password",
            "client_id": "an-app",
            "username": "megan.bowen@contoso.com",
            "password": "not-a-real-secret",
            "scope": "offline_access User.Read",
        }
    )
    refresh = json.loads(first.body)["refresh_token"]
    fields = {"grant_type": "refresh_token", "client_id": "an-app", "refresh_token": refresh}
    token = claims(posted(fields))
    assert (token["upn"], token["scp"]) == ("megan.bowen@contoso.com", "User.Read")
    token = claims(posted(fields | {"scope": "Mail.Read"}))
    assert token["scp"] == "Mail.Read"


def test_a_refresh_token_from_elsewhere_is_as_good() -> None:
    fields = {"grant_type": "refresh_token", "client_id": "an-app", "refresh_token": "of-old"}
    assert claims(posted(fields | {"scope": "Mail.Read"}))["scp"] == "Mail.Read"


def test_no_secret_of_a_request_is_in_its_answer() -> None:
    secrets = {
        "client_secret": "planted-secret-1",
        "password": "planted-secret-2",
        "assertion": "planted-secret-3",
        "refresh_token": "planted-secret-4",
        "code": "planted-secret-5",
        "device_code": "planted-secret-6",
    }
    rest = {"client_id": "an-app", "scope": "User.Read", "username": "adele.vance@contoso.com"}
    for grant in ("password", "refresh_token", "authorization_code", "client_credentials", "odd"):
        answer = posted(rest | secrets | {"grant_type": grant})
        assert b"planted" not in answer.body
        assert not any("planted" in value for _, value in answer.headers)


AUTHORIZE = {
    "client_id": "an-app",
    "response_type": "code",
    "redirect_uri": "http://localhost:1/back?x=1",
    "state": "a state",
    "nonce": "a nonce",
    "scope": "openid User.Read",
}


def sent_back(**changes: str) -> Response:
    query = urlencode(AUTHORIZE | changes)
    answer = asked("GET", f"/common/oauth2/v2.0/authorize?{query}")
    assert answer is not None
    return answer


def test_authorize_sends_the_browser_back_with_code_and_state() -> None:
    answer = sent_back(login_hint="megan.bowen@contoso.com")
    assert answer.status == 302
    back = urlsplit(answer.headers.get("Location") or "")
    query = parse_qs(back.query)
    assert (back.netloc, query["x"], query["state"]) == ("localhost:1", ["1"], ["a state"])
    fields = {"grant_type": "authorization_code", "client_id": "an-app", "code": query["code"][0]}
    issued = posted(fields)
    assert claims(issued)["upn"] == "megan.bowen@contoso.com"
    assert claims(issued, "id_token")["nonce"] == "a nonce"
    assert claims(issued, "id_token")["aud"] == "an-app"


def test_authorize_answers_in_the_fragment_where_asked() -> None:
    back = urlsplit(sent_back(response_mode="fragment").headers.get("Location") or "")
    assert parse_qs(back.fragment)["state"] == ["a state"]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "/back", "http://a\r\nX: y"],
)
def test_authorize_sends_nobody_to_what_is_no_address(address: str) -> None:
    answer = sent_back(redirect_uri=address)
    assert answer.status == 400
    assert "Location" not in answer.headers


def test_a_posted_form_can_not_be_broken_out_of() -> None:
    page = sent_back(response_mode="form_post", state='"><script>alert(1)</script>').body
    assert b"<script>alert" not in page


def test_logout_goes_where_the_app_wants() -> None:
    answer = asked(
        "GET", "/common/oauth2/v2.0/logout?post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A1%2F"
    )
    assert answer is not None
    assert answer.headers.get("Location") == "http://localhost:1/"


@pytest.mark.parametrize(
    ("fields", "status", "error", "number"),
    [
        pytest.param({}, 400, "invalid_request", 900144, id="no-grant"),
        pytest.param(
            {"grant_type": "odd"}, 400, "unsupported_grant_type", 70003, id="unknown-grant"
        ),
        pytest.param({"grant_type": "password"}, 400, "invalid_request", 900144, id="no-client"),
        pytest.param(
            {"grant_type": "client_credentials", "client_id": "a"},
            401,
            "invalid_client",
            7000218,
            id="no-secret",
        ),
        pytest.param(
            {n: v for n, v in APP.items() if n != "scope"},
            400,
            "invalid_request",
            90014,
            id="no-scope",
        ),
        pytest.param(
            APP | {"scope": "User.Read"}, 400, "invalid_scope", 1002012, id="scope-of-a-user"
        ),
        pytest.param(
            {"grant_type": "authorization_code", "client_id": "a"},
            400,
            "invalid_request",
            900144,
            id="no-code",
        ),
    ],
)
def test_an_error_has_entras_shape(
    fields: dict[str, str], status: int, error: str, number: int
) -> None:
    answer = posted(fields)
    body = json.loads(answer.body)
    assert answer.status == status
    assert body["error"] == error
    assert body["error_codes"] == [number]
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert body["timestamp"] == "2023-11-14 22:13:20Z"
    assert set(body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    }


def test_the_token_endpoint_takes_a_post_alone() -> None:
    answer = asked("GET", "/common/oauth2/v2.0/token")
    assert answer is not None
    assert json.loads(answer.body)["error_codes"] == [900561]


def test_subscriptions_are_those_of_the_tokens_tenant() -> None:
    token = json.loads(posted(APP).body)["access_token"]
    shown = got("/subscriptions?api-version=2022-12-01", Authorization=f"Bearer {token}")
    (subscription,) = shown["value"]
    assert subscription["displayName"] == "Graphtape (fake)"
    assert subscription["tenantId"] == TENANT
    assert got("/tenants?api-version=2022-12-01")["value"][0]["tenantId"] == FAKE


def test_a_subscription_is_shown_by_its_id_and_another_is_not_found() -> None:
    (listed,) = got("/subscriptions?api-version=2022-12-01")["value"]
    path = f"/subscriptions/{listed['subscriptionId']}?api-version=2022-12-01"
    assert got(path) == listed
    other = asked("GET", f"/subscriptions/{TENANT}?api-version=2022-12-01")
    assert other is not None
    assert other.status == 404
