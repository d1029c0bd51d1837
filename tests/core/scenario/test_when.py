from __future__ import annotations

import pytest

from graphtape.core.decoded import convert
from graphtape.core.message import Request
from graphtape.core.scenario.schema import SpelledWhen
from graphtape.core.scenario.when import Ask, When
from plays import SETTINGS, asked


def when(**given: object) -> When:
    """Return the condition that a scenario file spells so."""
    return convert(given, SpelledWhen).read()


def reason(condition: When, request: Request, session: str = "default") -> str | None:
    return condition.differs(Ask.of(request, session=session)) or condition.lacks(())


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/users/{id}", "/users/jane%40contoso.com"),
        ("/users/{id}", "/users/jane?$select=id"),
        ("/users/{id}", "/users('jane')"),
        (f"{SETTINGS}/{{id}}", f"{SETTINGS}/00000000-0000-0000-0000-000000000001"),
        (f"{SETTINGS}/disconnect", f"{SETTINGS}/microsoft.graph.disconnect"),
        ("/deviceManagement/**", "/deviceManagement"),
        ("/deviceManagement/**", f"{SETTINGS}/x/y"),
        ("/groups/delta()", "/groups/delta()"),
        ("/**", "/"),
    ],
)
@pytest.mark.parametrize("version", ["beta", "v1.0"])
def test_a_template_fits_a_path_of_any_version(template: str, path: str, version: str) -> None:
    assert reason(when(path=template), asked(path, version=version)) is None


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/users/{id}", "/users"),
        ("/users/{id}", "/users/a/b"),
        ("/users/{id}", "/groups/a"),
        ("/deviceManagement/**", "/deviceManagementX"),
    ],
)
def test_a_template_that_does_not_fit_says_so(template: str, path: str) -> None:
    assert reason(when(path=template), asked(path)) == f"the path {path} is not {template}"


@pytest.mark.parametrize(
    "template", ["users", "/v1.0/users", "/users?$top=1", "/a/**/b", "/a/x{id}", "/a/{}"]
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="/"):
        when(path=template)


@pytest.mark.parametrize("wanted", ["disconnect", "microsoft.graph.disconnect"])
@pytest.mark.parametrize("sent", ["disconnect", "microsoft.graph.disconnect", "disconnect()"])
def test_an_action_has_two_forms(wanted: str, sent: str) -> None:
    assert reason(when(action=wanted), asked(f"{SETTINGS}/{sent}", method="POST")) is None


@pytest.mark.parametrize("wanted", ["$top", "%24top"])
@pytest.mark.parametrize("sent", ["$top=5&x=1", "%24top=5"])
def test_a_query_is_compared_decoded(wanted: str, sent: str) -> None:
    assert reason(when(query={wanted: "5"}), asked(f"/users?{sent}")) is None


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (when(method=["POST", "PUT"]), "the method is GET, not POST or PUT"),
        (when(action="connect"), "the action is 'me', not 'connect'"),
        (when(query={"$top": "5"}), "the query has no $top=5"),
        (when(header={"Prefer": "x"}), "the header Prefer is not 'x'"),
        (when(body={"$.a": 1}), "$.a in the body is not 1"),
        (when(session="s"), "the session is 'default', not 's'"),
        (when(after="disconnect"), "no 'disconnect' came before"),
    ],
)
def test_a_request_that_is_not_meant_is_told_why(condition: When, why: str) -> None:
    assert reason(condition, asked(Prefer="y", body=b'{"a": true}')) == why


def test_header_body_and_session_are_compared() -> None:
    condition = when(header={"prefer": "x"}, body={"$..a": [1, {"b": None}]}, session="s")
    request = asked(Prefer="y, x", body=b'{"q":{"a":[1,{"b":null}]}}')
    assert reason(condition, request, session="s") is None


@pytest.mark.parametrize(
    "request_",
    [
        asked("/$batch", method="POST"),
        Request(method="POST", url="https://login.microsoftonline.com/common/oauth2/v2.0/token"),
    ],
    ids=["batch", "sign-in"],
)
def test_the_batch_itself_and_sign_in_meet_only_rules_that_name_them(request_: Request) -> None:
    assert reason(When(), request_) is not None
    assert reason(when(path="/**"), request_) is None


def test_a_url_that_is_none_meets_rules_without_a_place() -> None:
    assert reason(When(), Request(method="GET", url="https://[::1/x")) is None
