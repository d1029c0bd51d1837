from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from graphtape.core.message import Headers, Request, Response
from graphtape.core.redaction import Redactor
from graphtape.core.verdict.observer import Observer
from graphtape.core.verdict.repeats import LENIENCE
from graphtape.core.verdict.tally import Tally
from graphtape.core.verdict.verdict import Kind, Verdict
from plays import SETTINGS

DOCS = Path(__file__).parents[2] / "docs" / "verdicts.md"
ROOT = "https://graph.microsoft.com"
TOKEN = "Bearer obviously-fake"
START = 1_795_435_200.0  # 2026-11-23 12:00:00 UTC


def asked(
    path: str = "/v1.0/me",
    method: str = "GET",
    *,
    body: bytes = b"",
    authorization: str | None = TOKEN,
    **headers: str,
) -> Request:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if authorization is not None:
        fields.append(("Authorization", authorization))
    url = path if path.startswith("https:") else ROOT + path
    return Request(method=method, url=url, headers=Headers.of(fields), body=body)


def answer(status: int = 200, body: object = None, **headers: str) -> Response:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if body is not None:
        fields.append(("Content-Type", "application/json"))
    content = b"" if body is None else json.dumps(body).encode()
    return Response(status=status, headers=Headers.of(fields), body=content)


def batch(*parts: dict[str, object], version: str = "v1.0") -> Request:
    numbered = [{"id": f"p{number}", **part} for number, part in enumerate(parts)]
    body = json.dumps({"requests": numbered}).encode()
    return asked(f"/{version}/$batch", "POST", body=body, Content_Type="application/json")


def batch_answer(*parts: dict[str, object]) -> Response:
    numbered = [{"id": f"p{number}", **part} for number, part in enumerate(parts)]
    return answer(200, {"responses": numbered[::-1]})  # in any order, as Graph does


class Run:
    """An observer, and a client whose requests come one after the other."""

    def __init__(self) -> None:
        self.observer = Observer(Redactor(salt="00").url)
        self.number = 0
        self.now = START
        self.said: list[Verdict] = []

    def ask(self, request: Request, response: Response | None = None, *, after: float = 0) -> None:
        """Ask something `after` so many seconds; without a response the connection breaks."""
        self.now += after
        self.number += 1
        self.said += self.observer.asked(self.number, request, now=self.now)
        if response is None:
            self.said += self.observer.broke(self.number, request)
        else:
            self.said += self.observer.answered(self.number, request, response, now=self.now)

    def end(self, *, after: float = 0) -> None:
        self.said += self.observer.ended(now=self.now + after)

    @property
    def kinds(self) -> list[str]:
        return [verdict.kind.value for verdict in self.said]

    @property
    def texts(self) -> list[str]:
        return [verdict.text for verdict in self.said]


@pytest.fixture
def run() -> Run:
    return Run()


THROTTLED = answer(429, Retry_After="5")
DATE = "Mon, 23 Nov 2026 12:00:05 GMT"
DISCONNECT = asked(f"/beta{SETTINGS}/disconnect", "POST")


# Coming back.


def test_a_request_that_comes_back_too_early_is_told_with_both_times(run: Run) -> None:
    run.ask(asked("/v1.0/users"), THROTTLED)
    run.ask(asked("/v1.0/users"), answer(), after=0.4)
    assert run.kinds == ["early-retry"]
    assert run.said[0].number == 2
    assert run.texts == [
        "request 2 (GET /v1.0/users) came back 0.4 s after request 1 was told to wait 5 s"
    ]


@pytest.mark.parametrize("status", [409, 423, 429, 503, 504, 202])
def test_a_retry_after_of_any_status_that_speaks_of_the_same_read_counts(
    run: Run, status: int
) -> None:
    run.ask(asked(), answer(status, Retry_After="5"))
    run.ask(asked(), answer(), after=1)
    assert run.kinds == ["early-retry"]


def test_a_retry_after_of_a_redirect_or_an_accepted_write_speaks_of_another_request(
    run: Run,
) -> None:
    run.ask(asked(), answer(302, Retry_After="5", Location=f"{ROOT}/v1.0/users"))
    run.ask(asked(), answer())
    run.ask(DISCONNECT, answer(202, Retry_After="5"))
    run.ask(DISCONNECT, answer())
    assert run.kinds == []


@pytest.mark.parametrize("after", [5, 5 - LENIENCE / 2, 60])
def test_a_request_that_waits_as_told_is_none_of_our_business(run: Run, after: float) -> None:
    run.ask(asked(), THROTTLED)
    run.ask(asked(), answer(), after=after)
    run.end(after=60)
    assert run.kinds == []


@pytest.mark.parametrize(
    ("date", "after", "kinds"),
    [
        (None, 4, ["early-retry"]),
        (None, 5, []),
        ("Mon, 23 Nov 2026 12:00:00 GMT", 4, ["early-retry"]),
        # Graph's clock is late: who looks at its own comes back when it says.
        ("Mon, 23 Nov 2026 11:59:00 GMT", 4, ["early-retry"]),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 5, []),
        # Graph's clock goes ahead: its 5 s count from its Date.
        ("Mon, 23 Nov 2026 12:00:03 GMT", 2, []),
        ("Mon, 23 Nov 2026 12:00:03 GMT", 1, ["early-retry"]),
    ],
)
def test_a_date_counts_by_the_clock_or_from_the_answers_own_date(
    run: Run, date: str | None, after: float, kinds: list[str]
) -> None:
    headers = {} if date is None else {"Date": date}
    run.ask(asked(), answer(429, Retry_After=DATE, **headers))
    run.ask(asked(), answer(), after=after)
    assert run.kinds == kinds


@pytest.mark.parametrize(
    "told", ["0", "0.5", "soon", "-1", "9" * 5000, "Mon, 23 Nov 2026 11:00:00 GMT"]
)
def test_a_wait_that_is_none_is_never_too_short(run: Run, told: str) -> None:
    run.ask(asked(), answer(429, Retry_After=told))
    run.ask(asked(), answer())
    assert run.kinds == []


def test_the_same_request_in_another_spelling_comes_back(run: Run) -> None:
    run.ask(asked("/v1.0/users?$top=5&$filter=a"), THROTTLED)
    run.ask(asked("/v1.0/users?%24filter=a&$top=5", Retry_Attempt="1"), answer(), after=1)
    assert run.kinds == ["early-retry"]


def test_another_request_does_not_come_back(run: Run) -> None:
    run.ask(asked("/v1.0/users?$top=5"), THROTTLED)
    run.ask(asked("/v1.0/users?$top=6"), answer(), after=1)
    run.ask(asked("/v1.0/users?$top=5", "HEAD"), answer(), after=1)
    assert run.kinds == []


def test_of_two_clients_each_ends_a_wait_of_its_own(run: Run) -> None:
    run.ask(asked(), THROTTLED)
    run.now += 3
    # It was under way when the first was told.
    run.said += run.observer.answered(2, asked(), THROTTLED, now=run.now)
    run.number = 2
    run.ask(asked(), answer(), after=2)
    run.ask(asked(), answer(), after=3)
    run.end()
    assert run.kinds == []


def test_each_attempt_that_is_too_early_is_told(run: Run) -> None:
    for _ in range(3):
        run.ask(asked(), THROTTLED, after=1)
    run.ask(asked(), answer(), after=5)
    assert run.kinds == ["early-retry", "early-retry"]


# Not coming back.


@pytest.mark.parametrize("status", [429, 503])
def test_what_never_comes_again_is_told_at_the_end(run: Run, status: int) -> None:
    run.ask(asked("/v1.0/users"), answer(status, Retry_After="5"))
    run.ask(asked(), answer())
    run.end(after=5)
    assert run.kinds == ["no-retry"]
    assert run.said[0].number == 1
    assert run.texts == [
        (
            f"request 1 (GET /v1.0/users) was answered {status} and told to wait 5 s; "
            "the same request never came again"
        )
    ]


def test_a_run_that_ends_before_the_wait_does_says_nothing(run: Run) -> None:
    run.ask(asked(), THROTTLED)
    run.end(after=4)
    assert run.kinds == []


@pytest.mark.parametrize(
    "response", [answer(429), answer(409, Retry_After="1"), answer(500, Retry_After="1")]
)
def test_only_a_429_or_503_that_says_when_is_owed_another_try(run: Run, response: Response) -> None:
    run.ask(asked(), response)
    run.end(after=60)
    assert run.kinds == []


def test_one_that_comes_after_several_were_told_follows_them_all(run: Run) -> None:
    for number in (1, 2):
        run.said += run.observer.answered(number, asked(), THROTTLED, now=run.now)
    run.number = 2
    run.ask(asked(), answer(), after=6)
    run.end()
    assert run.kinds == []


# Repeating a write.


def test_a_post_repeated_after_its_connection_broke_is_blind(run: Run) -> None:
    run.ask(DISCONNECT)
    run.ask(DISCONNECT, answer())
    assert run.kinds == ["blind-retry"]
    assert run.texts == [
        (
            f"request 2 (POST /beta{SETTINGS}/disconnect) repeats request 1, "
            "whose connection broke before its answer was whole"
        )
    ]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_post_repeated_after_an_open_end_is_blind(run: Run, status: int) -> None:
    run.ask(DISCONNECT, answer(status))
    run.ask(DISCONNECT, answer())
    run.ask(DISCONNECT, answer())
    assert run.kinds == ["blind-retry"]
    assert run.texts[0].endswith(f"repeats request 1, answered {status} without Retry-After")


@pytest.mark.parametrize("status", [200, 400, 409, 429, 501, 507, 509, 599])
def test_a_post_whose_end_is_known_may_be_repeated(run: Run, status: int) -> None:
    run.ask(DISCONNECT, answer(status))
    run.ask(DISCONNECT, answer())
    assert run.kinds == []


def test_a_post_that_was_told_when_to_come_back_is_not_blind(run: Run) -> None:
    run.ask(DISCONNECT, answer(503, Retry_After="1"))
    run.ask(DISCONNECT, answer(), after=1)
    assert run.kinds == []


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked("/v1.0/users/1", "PUT", body=b"{}"),
        asked("/v1.0/users/1", "DELETE"),
        asked("/v1.0/directoryObjects/getByIds", "POST", body=b'{"ids":[]}'),
        asked("/common/oauth2/v2.0/token", "POST", body=b"grant_type=x"),
        asked("/v1.0/me/events", "POST", body=b'{"transactionId":"1"}'),
        batch({"method": "GET", "url": "/me"}),
    ],
    ids=["GET", "PUT", "DELETE", "reading POST", "sign-in", "transactionId", "reading batch"],
)
def test_what_may_be_repeated_is_never_blind(run: Run, request_: Request) -> None:
    run.ask(request_)
    run.ask(request_, answer(500))
    run.ask(request_, answer())
    assert run.kinds == []


def test_another_post_is_no_repetition(run: Run) -> None:
    run.ask(asked("/v1.0/users", "POST", body=b'{"a":1}'))
    run.ask(asked("/v1.0/users", "POST", body=b'{"a":2}'), answer())
    run.ask(asked("/v1.0/users", "POST", body=b'{ "a": 1 }'), answer())
    assert run.kinds == ["blind-retry"]


@pytest.mark.parametrize(
    ("post", "read", "status", "kinds"),
    [
        (f"/beta{SETTINGS}/disconnect", f"/beta{SETTINGS}", 200, []),
        (f"/beta{SETTINGS}/disconnect", f"/beta{SETTINGS}/1", 404, []),
        (f"/beta{SETTINGS}/disconnect", f"/beta{SETTINGS.upper()}", 200, []),
        (f"/beta{SETTINGS}/disconnect", f"/beta{SETTINGS}", 503, ["blind-retry"]),
        (f"/beta{SETTINGS}/disconnect", "/beta/deviceManagement", 200, ["blind-retry"]),
        (f"/beta{SETTINGS}/disconnect", "/beta/users", 200, ["blind-retry"]),
        ("/v1.0/users", "/v1.0/users?$filter=a", 200, []),
        ("/v1.0/me/sendMail", "/v1.0/me/messages", 200, []),
    ],
)
def test_who_looks_before_repeating_is_not_blind(
    run: Run, post: str, read: str, status: int, kinds: list[str]
) -> None:
    run.ask(asked(post, "POST"))
    run.ask(asked(read), answer(status))
    run.ask(asked(post, "POST"), answer())
    assert [kind for kind in run.kinds if kind != "v1-over-beta"] == kinds


def test_a_batch_that_writes_is_repeated_blindly_unless_something_was_read(run: Run) -> None:
    writing = batch({"method": "POST", "url": "/me/sendMail"})
    run.ask(writing)
    run.ask(writing)
    run.ask(asked(), answer())
    run.ask(writing, batch_answer({"status": 202}))
    assert run.kinds == ["blind-retry"]


# Pages.


def pages(link: str, key: str = "@odata.nextLink") -> Response:
    return answer(200, {"value": [], key: link})


@pytest.mark.parametrize("key", ["@odata.nextLink", "@odata.deltaLink", "members@odata.nextLink"])
@pytest.mark.parametrize(
    "root", [ROOT, "http://127.0.0.1:8787", "http://127.0.0.1:8787/_session/a.b-1"]
)
def test_a_link_that_was_given_may_be_followed_in_any_spelling(
    run: Run, root: str, key: str
) -> None:
    run.ask(asked(), pages(f"{root}/v1.0/users?$top=5&$skiptoken=X%2FY", key))
    run.ask(asked("/v1.0/users?%24skiptoken=X/Y&$top=5"), answer())
    run.ask(asked("/v1.0/users?$top=5&$skiptoken=X%2FY"), answer())
    assert run.kinds == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/v1.0/users?$skiptoken=Z", "$skiptoken"),
        ("/v1.0/users?$skipToken=Z", "$skiptoken"),
        ("/v1.0/users?%24skiptoken=Z", "$skiptoken"),
        ("/v1.0/users?skiptoken=Z", "$skiptoken"),
        ("/v1.0/users/delta?$deltatoken=Z", "$deltatoken"),
        # The token is right, the URL isn't the one that was given.
        ("/v1.0/users?$top=9&$skiptoken=X", "$skiptoken"),
        ("/v1.0/groups?$skiptoken=X", "$skiptoken"),
    ],
)
def test_a_token_in_a_url_that_no_answer_gave_is_made_up(run: Run, url: str, name: str) -> None:
    run.ask(asked(), pages(f"{ROOT}/v1.0/users?$skiptoken=X"))
    run.ask(asked(url), answer())
    assert run.kinds == ["made-up-skiptoken"]
    path = url.partition("?")[0]
    assert run.texts == [
        f"request 2 (GET {path}) has a {name} in a URL that no answer of this session gave"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "/v1.0/users/delta?$deltatoken=latest",
        "/v1.0/users?$filter=contains(displayName,'$skiptoken=')",
        "/v1.0/tokenIssuancePolicies?$top=1",
    ],
)
def test_a_url_without_a_token_of_graphs_is_not_made_up(run: Run, url: str) -> None:
    run.ask(asked(url), answer())
    assert run.kinds == []


def test_links_are_read_with_escapes_and_inside_batches(run: Run) -> None:
    body = rb'{"@odata.nextLink" : "https:\/\/graph.microsoft.com\/v1.0\/a?$skiptoken=X\u0026b=1"}'
    run.ask(asked(), Response(status=200, body=body))
    run.ask(asked("/v1.0/a?$skiptoken=X&b=1"), answer())
    link = f"{ROOT}/v1.0/users?$skiptoken=Y"
    given = batch_answer({"status": 200, "body": {"@odata.nextLink": link}})
    run.ask(batch({"method": "GET", "url": "/users"}), given)
    run.ask(batch({"method": "GET", "url": "/users?$skiptoken=Y"}), answer())
    assert run.kinds == []


@pytest.mark.parametrize(
    "unread",
    [
        Response(status=200, headers=Headers.of([("Content-Type", "application/json")])),
        Response(status=200, headers=Headers.of([("Content-Encoding", "x-odd")]), body=b"x"),
    ],
    ids=["not at hand", "in an unknown coding"],
)
def test_after_an_answer_nobody_could_read_no_link_is_made_up(run: Run, unread: Response) -> None:
    run.ask(asked(), unread)
    run.ask(asked("/v1.0/users?$skiptoken=X"), answer())
    assert run.kinds == []


def test_links_are_found_in_linear_time(run: Run) -> None:
    body = b'{"a":"' + b'nextLink": "\\\\' * 200_000
    run.ask(asked(), Response(status=200, body=body))
    assert run.kinds == []


# What is sent.


@pytest.mark.parametrize("path", ["disconnect", "microsoft.graph.disconnect", "Disconnect"])
def test_a_disconnect_with_a_body_is_told_with_its_size(run: Run, path: str) -> None:
    run.ask(asked(f"/beta{SETTINGS}/{path}", "POST", body=b"{}"), answer())
    assert run.kinds == ["disconnect-with-body"]
    assert run.texts == ["request 1 sent disconnect with a body of 2 bytes; Graph documents none"]


def test_a_disconnect_without_a_body_and_another_with_one_are_fine(run: Run) -> None:
    run.ask(asked(f"/beta{SETTINGS}/disconnect", "POST", Content_Length="0"), answer())
    run.ask(asked("/beta/other/disconnect", "POST", body=b"{}"), answer())
    run.ask(asked(f"/beta{SETTINGS}/connect", "POST", body=b"{}"), answer())
    assert run.kinds == []


@pytest.mark.parametrize(
    ("authorization", "how"),
    [
        (None, "without Authorization"),
        ("Bearer ", "with an Authorization that is no token"),
        ("Basic obviously-fake", "with an Authorization that is no token"),
    ],
)
def test_a_request_without_a_token_is_told(run: Run, authorization: str | None, how: str) -> None:
    run.ask(asked("/v1.0/users", authorization=authorization), answer())
    assert run.kinds == ["no-token"]
    assert run.texts == [f"request 1 (GET /v1.0/users) was sent {how}"]


@pytest.mark.parametrize(
    "request_",
    [
        asked(authorization="bearer obviously-fake"),
        asked(authorization="PoP obviously-fake"),
        asked(
            "/v1.0/me",
            "OPTIONS",
            authorization=None,
            Origin="https://app.example",
            Access_Control_Request_Method="GET",
        ),
        asked("/common/oauth2/v2.0/token", "POST", authorization=None),
        asked("/common/v2.0/.well-known/openid-configuration", authorization=None),
        asked("https://login.microsoftonline.com/common/oauth2/token", "POST", authorization=None),
        asked("https://contoso.sharepoint.com/v1.0/x", authorization=None),
        asked("/v1.0/$metadata", authorization=None),
        asked("/v1.0/", authorization=None),
    ],
    ids=[
        "lower case",
        "PoP",
        "preflight",
        "sign-in",
        "discovery",
        "login host",
        "off Graph",
        "metadata",
        "service document",
    ],
)
def test_where_no_bearer_token_is_needed_none_is_missed(run: Run, request_: Request) -> None:
    run.ask(request_, answer())
    assert run.kinds == []


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/users", "/users"),
        ("GET", "/users/jane%40contoso.com?$select=id", "/users/{id}"),
        ("GET", "/users/delta()", "/users/delta"),
        ("POST", "/me/sendMail", "/me/sendMail"),
        ("POST", "/groups/1/members/$ref", "/groups/{id}/members/$ref"),
        ("PATCH", "/applications/1", "/applications/{id}"),
    ],
)
def test_a_v1_operation_over_beta_is_named_once(
    run: Run, method: str, path: str, template: str
) -> None:
    for _ in range(2):
        run.ask(asked(f"/beta{path}", method), answer())
    assert run.kinds == ["v1-over-beta"]
    assert run.texts == [f"request 1 called {method} {template} over /beta, which v1.0 has too"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1.0/users"),
        ("GET", f"/beta{SETTINGS}"),
        ("POST", f"/beta{SETTINGS}/disconnect"),
        ("POST", "/beta/users/validatePassword"),
        ("GET", "/beta/users/$odd"),
        ("GET", "/beta/users/odd(x='1')"),
        ("GET", "/beta"),
        ("GET", "https://contoso.sharepoint.com/beta/users"),
    ],
)
def test_what_is_not_known_in_v1_is_not_named(run: Run, method: str, path: str) -> None:
    run.ask(asked(path, method), answer())
    assert run.kinds == []


# Batches.


def test_a_part_that_is_throttled_comes_back_in_another_batch_or_alone(run: Run) -> None:
    part: dict[str, object] = {"method": "GET", "url": "/users"}
    other: dict[str, object] = {"method": "GET", "url": "/me"}
    told: dict[str, object] = {"status": 429, "headers": {"Retry-After": "5"}}
    run.ask(batch(other, part), batch_answer({"status": 200}, told))
    run.ask(batch(part), batch_answer(told), after=1)
    run.ask(asked("/v1.0/users"), answer(), after=2)
    assert run.texts == [
        (
            "part 1 of request 2 (GET /v1.0/users) came back 1 s after "
            "part 2 of request 1 was told to wait 5 s"
        ),
        "request 3 (GET /v1.0/users) came back 2 s after part 1 of request 2 was told to wait 5 s",
    ]


def test_a_part_is_looked_at_like_a_request_but_for_the_token(run: Run) -> None:
    part: dict[str, object] = {"method": "POST", "url": f"{SETTINGS}/disconnect", "body": {"a": 1}}
    part["headers"] = {"Content-Type": "application/json"}
    user: dict[str, object] = {"method": "GET", "url": "/users"}
    run.ask(batch(part, user, version="beta"), answer())
    assert run.kinds == ["disconnect-with-body", "v1-over-beta"]
    assert run.texts[0].startswith("part 1 of request 1 sent disconnect")


def test_a_batch_that_is_none_is_a_request_like_any(run: Run) -> None:
    broken = asked("/v1.0/$batch", "POST", body=b'{"requests": 1}', authorization=None)
    run.ask(broken, answer(400))
    assert run.kinds == ["no-token"]


# What may never happen.


def test_no_verdict_holds_what_the_client_wants_kept(run: Run) -> None:
    secret = "s3cr3t" * 5
    person = "jane.doe@woodgrove-real.test"
    path = f"/v1.0/users/{quote(person)}?access_token={secret}&$skiptoken={secret}"
    request = asked(path, authorization=f"Basic {secret}")
    post = asked(path, "POST", body=secret.encode(), authorization=f"Basic {secret}")
    for each in (request, post):
        run.ask(each, answer(429, Retry_After="5", Location=f"{ROOT}{path}"))
        run.ask(each, answer(429, Retry_After="5"))
        run.ask(each)
        run.ask(each)
    parts: list[dict[str, object]] = [{"id": secret, "method": "GET", "url": path}] * 1
    run.ask(batch(*parts), answer())
    run.ask(asked(path), answer(503, Retry_After="0"))
    run.end(after=60)
    assert {*run.kinds} == {
        "early-retry",
        "no-retry",
        "blind-retry",
        "made-up-skiptoken",
        "no-token",
    }
    said = "\n".join(run.texts)
    assert secret not in said
    assert "jane" not in said
    assert "woodgrove" not in said


def test_what_is_forgotten_makes_fewer_verdicts_never_wrong_ones(run: Run) -> None:
    many = 10_001
    for number in range(many):
        run.ask(asked(f"/v1.0/users/{number}"), THROTTLED)
    run.ask(asked("/v1.0/users/0"), answer())
    assert run.kinds == []
    run.ask(asked("/v1.0/users/1"), answer())
    run.end(after=5)
    assert run.kinds == ["early-retry", *["no-retry"] * (many - 2)]
    assert [verdict.number for verdict in run.said[1:]] == list(range(3, many + 1))


def test_more_links_than_are_kept_make_no_link_made_up(run: Run) -> None:
    for page in range(101):
        links = [{"@odata.nextLink": f"/v1.0/u?$skiptoken={page}-{n}"} for n in range(1000)]
        run.ask(asked(), answer(200, {"value": links}))
    run.ask(asked("/v1.0/u?$skiptoken=0-0"), answer())
    run.ask(asked("/v1.0/u?$skiptoken=Z"), answer())
    assert run.kinds == []


@pytest.mark.parametrize("url", [f"{ROOT}/v1.0/%ff?%fe=%fd&$skiptoken=%fc", "https://[::1/beta/x"])
def test_a_url_that_is_none_is_borne(run: Run, url: str) -> None:
    for method in ("GET", "POST"):
        run.ask(asked(url, method), answer(429, Retry_After="1"))
        run.ask(asked(url, method))
    run.end(after=9)
    assert "early-retry" in run.kinds


# Counting, and the page.


def test_a_tally_keeps_the_first_of_each_kind_and_counts_all() -> None:
    tally = Tally()
    tally.add(Verdict(kind=Kind.NO_TOKEN, number=n, text=f"request {n} …") for n in range(1, 26))
    tally.add([Verdict(kind=Kind.NO_RETRY, number=9, text="request 9 …")])
    lines = tally.lines()
    assert lines[0] == "no-token: request 1 …"
    assert lines[20:] == ("no-retry: request 9 …", "no-token: and 5 more")


def test_the_page_has_a_row_for_each_verdict_in_their_order() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (.+) \| (.+) \|$", DOCS.read_text("utf-8"), re.MULTILINE
    )
    assert [name for name, _, _ in rows] == [kind.value for kind in Kind]
    silent = DOCS.read_text("utf-8").partition("## Where nothing is said")[2]
    assert [*re.findall(r"^- `([a-z0-9-]+)`", silent, re.MULTILINE)] == [
        kind.value for kind in Kind if kind is not Kind.DISCONNECT_WITH_BODY
    ]
