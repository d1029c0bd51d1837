"""The short cut gives what the pipeline gives, and leaves what it leaves."""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphtape.core.redaction import Redactor
from graphtape.tape.store import open_cassette
from proxies import SHARED, needs_recordings
from short_cuts import TOKEN, asking, both, counted, get
from tapes import Interaction, exchanged, taped

if TYPE_CHECKING:
    from collections.abc import Sequence

TENANT = "11111111-2222-3333-4444-555555555555"
NEXT = "https://graph.microsoft.com/v1.0/users?$skiptoken=abc"
PATHS = (
    "/v1.0/me",
    "/v1.0/users",
    "/v1.0/users?$top=2&$select=id",
    "/v1.0/users?$skiptoken=abc",
    "/v1.0/users/alex@acme-real.com",
    "/v1.0/users('a%20b')",
    "/v1.0/domains/acme-real.com",
    f"/v1.0/tenants/{TENANT}/x",
    "/v1.0/$batch",
    "/v1.0/reports/microsoft.graph.usage()",
    "/beta/me",
    "/beta/deviceManagement/chromeOSOnboardingSettings",
    "/v1.0/deviceManagement/managedDevices",
)
TARGETS = (
    *PATHS,
    "/v1.0/users?$select=id&$top=2",
    "/v1.0/users?%24top=2&%24select=id",
    "/v1.0/users?$top=2",
    "/v1.0/reports/usage()",
    "/v1.0/users/",
    "/v1.0//me",
    "/v1.0/./me",
    "/v1.0/%6de",
    "/v1.0/unheard",
    "/v1.0/users/kim@acme-real.com",
    "/_session/default/v1.0/me",
    "/_session/unknown/v1.0/me",
    "/_session/../v1.0/me",
    "/_session/default",
    "/_origin/elsewhere.test/x",
    "/V1.0/me",
    "/v1.0/me#part",
    "https://graph.microsoft.com/v1.0/me",
    "http://elsewhere.test/v1.0/me",
)
ANSWERS = (
    "{}",
    "",
    f'{{"value": [1, 2], "@odata.nextLink": "{NEXT}"}}',
    '{"value": [], "@odata.nextLink": "/v1.0/users?$skiptoken=abc"}',
    '{"value": [], "@odata.nextLink": "https:\\/\\/graph.microsoft.com\\/v1.0\\/me"',
    '{"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users", "id": "1"}',
    '{"id": "user-5bos7bzp@fbvgew4j.example", "mail": "alex@acme-real.com"}',
    '{"responses": [{"id": "1", "status": 429, "headers": {"Retry-After": "9"}}]}',
    "x" * 70_000,
    "plain",
)
ANSWER_FIELDS: tuple[tuple[str, str], ...] = (
    ("Date", "Mon, 05 Jan 2026 10:00:00 GMT"),
    ("date", "nonsense"),
    ("Content-Type", "application/json"),
    ("Retry-After", "7"),
    ("Retry-After", "Mon, 05 Jan 2026 10:00:09 GMT"),
    ("Location", NEXT),
    ("Location", "/v1.0/users?$skiptoken=abc"),
    ("client-request-id", "recorded-id"),
    ("Client-Request-Id", "recorded-id"),
    ("request-id", "recorded"),
    ("Connection", "close"),
    ("Content-Length", "3"),
    ("Transfer-Encoding", "chunked"),
    ("Content-Encoding", "gzip"),
    ("X-Odd", "a\tb\u00e9"),
    ("X-Broken", "a\r\nb\x01"),
    ("Access-Control-Allow-Origin", "https://page.test"),
)
FIELDS: tuple[tuple[str, str], ...] = (
    ("Accept", "application/json"),
    ("client-request-id", "b1d9b4a2-0000-4000-8000-000000000001"),
    ("client-request-id", "b1d9b4a2-0000-4000-8000-000000000002"),
    ("Client-Request-Id", "other-case"),
    ("client-request-id", "kim@acme-real.com"),
    ("client-request-id", f"tid={TENANT}"),
    ("client-request-id", ""),
    ("Range", "bytes=0-1"),
    ("If-None-Match", '"1"'),
    ("Origin", "https://page.test"),
    ("Graphtape-Scenario", "throttled"),
    ("Graphtape-Scenario", "status=failed"),
    ("ConsistencyLevel", "eventual"),
    ("X-User", "alex@acme-real.com"),
    ("X-Tenant-Id", TENANT),
    ("X-Odd", "a\tb\u00e9\udcff"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("Connection", "close"),
    ("Content-Length", "0"),
    ("Expect", "100-continue"),
    ("Content-Encoding", "gzip"),
    ("Cookie", "a=b"),
)
HOSTS = ("graph.test:8080", "localhost", "graph.acme-real.onmicrosoft.com", "no host", "[::1]:80")
OPTIONS: tuple[dict[str, object], ...] = (
    {},
    {},
    {"freeze_time": True},
    {"retry_after": 3},
    {"ignore_query": ("$top",)},
    {"ignore_body": ("id",)},
    {"match_on": ("method", "path", "headers")},
    {"match_on": ("method", "uri")},
    {"order": "request"},
    {"status": ("failed",)},
    {"scenario": ("throttled",)},
    {"keep_identities": True},
    {"upstream": "usgov"},
)
BATCH = json.dumps({"requests": [{"id": "1", "method": "GET", "url": "/me"}]})
PARTS = '{"responses": [{"id": "1", "status": 200, "headers": {}, "body": {"from": "batch"}}]}'


@st.composite
def _interactions(draw: st.DrawFn) -> Interaction:
    method = draw(st.sampled_from(["GET"] * 6 + ["POST", "PATCH", "HEAD"]))
    path = draw(st.sampled_from(PATHS))
    if method == "POST" and path == "/v1.0/$batch":
        return exchanged(method, path, PARTS, body=BATCH, Content_Type="application/json")
    fields = dict(draw(st.lists(st.sampled_from(ANSWER_FIELDS), max_size=5)))
    return exchanged(
        method,
        path,
        draw(st.sampled_from(ANSWERS)),
        status=draw(st.sampled_from([200] * 6 + [201, 204, 302, 304, 404, 429, 503])),
        fields=fields,
    )


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET"] * 8 + ["POST", "PATCH", "HEAD", "OPTIONS"]))
    token = draw(
        st.sampled_from(
            [[TOKEN]] * 5 + [[], [("Authorization", "Bearer")], [("authorization", "x")]]
        )
    )
    fields = draw(st.lists(st.sampled_from(FIELDS), max_size=2))
    host = draw(st.sampled_from([HOSTS[0]] * 6 + [*HOSTS]))
    target = draw(st.sampled_from([*PATHS] * 3 + [*TARGETS]))
    body = BATCH.encode() if method == "POST" and target.endswith("$batch") else b""
    if body:
        fields = [each for each in fields if each[0] != "Content-Length"]
    return asking(target, *token, *fields, method=method, host=host, body=body)


# What was asked once is asked again, at once and later: that is what is answered at once.
_SEQUENCES = st.lists(_requests(), min_size=1, max_size=8).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=8, max_size=30)
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    tape=st.lists(_interactions(), min_size=1, max_size=10),
    requests=_SEQUENCES,
    options=st.sampled_from(OPTIONS),
)
def test_any_sequence_gets_what_the_pipeline_gives(
    tape: Sequence[Interaction], requests: Sequence[bytes], options: dict[str, object]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shortened, normal = both(taped(Path(folder), *tape), requests, **options)
    assert shortened == normal


def _recordings() -> list[Path]:
    kinds = {".yaml", ".json", ".har"}
    every = (path for path in SHARED.rglob("*") if path.suffix in kinds)
    return sorted(path for path in every if "_old_" not in path.name)  # those are refused


@needs_recordings
@pytest.mark.parametrize("path", _recordings(), ids=lambda path: cast("Path", path).name)
def test_a_real_recording_plays_alike(path: Path) -> None:
    requests: list[bytes] = []
    for each in open_cassette(path).interactions:
        url = urlsplit(each.request.url)
        target = url.path + (f"?{url.query}" if url.query else "")
        if each.request.method == "GET":
            requests += [get(target)] * 4
            requests.append(get(target, ("client-request-id", "mine")))
        elif not each.request.body:
            requests.append(asking(target, TOKEN, method=each.request.method))
    shortened, normal = both(path, requests)
    assert shortened == normal


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        pytest.param([], 3, id="a token"),
        pytest.param([("Accept", "application/json"), ("User-Agent", "x")], 3, id="usual fields"),
        pytest.param([("client-request-id", "one")], 3, id="an id"),
    ],
)
def test_a_read_is_answered_at_once_and_known_the_third_time(
    tmp_path: Path, fields: list[tuple[str, str]], again: int
) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me"))
    with counted() as count:
        shortened, normal = both(tape, [get("/v1.0/me", *fields)] * 5)
    assert (count.first, count.again) == (2, again)
    assert shortened == normal


def test_each_client_gets_its_own_id_back(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", fields={"client-request-id": "taped"}))
    ids = [f"id-{number}" for number in range(5)]
    with counted() as count:
        shortened, _ = both(tape, [get("/v1.0/me", ("client-request-id", each)) for each in ids])
    assert count.again == 3
    for each, answer in zip(ids, shortened.answers, strict=True):
        assert f"\r\nclient-request-id: {each}\r\n".encode() in answer


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(NEXT, id="Graph's"),
        pytest.param("/v1.0/users?$skiptoken=abc", id="relative"),
        pytest.param("https://elsewhere.test/v1.0/users?$skiptoken=abc", id="somebody else's"),
        pytest.param(
            "https:\\/\\/graph.microsoft.com/v1.0/users?$skip\\u0074oken=abc", id="escaped"
        ),
    ],
)
def test_a_page_link_that_was_given_at_once_is_not_made_up(tmp_path: Path, link: str) -> None:
    first = exchanged("GET", "/v1.0/users", f'{{"value": [], "@odata.nextLink": "{link}"}}')
    tape = taped(tmp_path, first, exchanged("GET", "/v1.0/users?$skiptoken=abc"))
    requests = [get("/v1.0/users")] * 4 + [get("/v1.0/users?$skiptoken=abc")]
    with counted() as count:
        shortened, normal = both(tape, requests)
    assert count.first + count.again == 5
    assert shortened == normal
    assert not shortened.verdicts


def test_verdicts_are_counted_alike_beyond_those_that_are_kept(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/beta/me"), exchanged("GET", "/v1.0/me"))
    bare = [asking(path) for path in ("/beta/me", "/v1.0/me")]
    with counted() as count:
        shortened, normal = both(tape, bare * 20)
    assert count.again > 0
    assert shortened == normal
    assert "no-token: and 20 more" in shortened.verdicts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client-request-id", "alex@acme-real.com"),
        ("client-request-id", "acme-real.onmicrosoft.com"),
        ("X-User", "alex@acme-real.com"),
    ],
)
def test_a_client_that_names_itself_in_any_field_gets_its_own_name_back(
    tmp_path: Path, name: str, value: str
) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", f'{{"is": "{value}"}}'))
    recorded = [get("/v1.0/me"), get("/v1.0/me", (name, value))]
    shortened, normal = both(tape, recorded * 3)
    assert shortened == normal


def test_a_host_that_names_a_tenant_gets_it_back(tmp_path: Path) -> None:
    name = "graph.acme-real.onmicrosoft.com"
    pseudonym = Redactor(salt="x").text(name)  # the salt of `told`
    assert pseudonym != name
    tape = taped(tmp_path, exchanged("GET", "/v1.0/me", json.dumps({"domain": pseudonym})))
    asked = asking("/v1.0/me", TOKEN, host=name)
    shortened, normal = both(tape, [asked] * 4)
    assert shortened == normal
    assert name.encode() in shortened.answers[-1]


def test_a_waiting_time_in_a_recorded_read_of_a_batch_becomes_the_run_s(tmp_path: Path) -> None:
    tape = taped(tmp_path, exchanged("GET", "/v1.0/$batch", ANSWERS[7]))
    targets = ("/v1.0/$batch", "/v1.0/%24batch", "/v1.0/$batch?")
    shortened, normal = both(tape, [get(each) for each in targets] * 3, retry_after=3)
    assert shortened == normal


@pytest.mark.parametrize(("fields", "path"), [*product([[], [TOKEN]], ["/v1.0/me", "/beta/me"])])
def test_a_read_that_is_throttled_goes_on_as_in_the_pipeline(
    tmp_path: Path, fields: list[tuple[str, str]], path: str
) -> None:
    tape = taped(
        tmp_path,
        exchanged("GET", path, '{"n": 1}'),
        exchanged("GET", path, status=429, Retry_After="7"),
        exchanged("GET", path, '{"n": 2}'),
    )
    shortened, normal = both(tape, [asking(path, *fields)] * 6)
    assert shortened == normal
