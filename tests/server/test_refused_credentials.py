"""Credentials in what is refused: never in an answer, the log or the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import graphtape
from graphtape.core.graph.link import shown
from proxies import exchange, recording, replaying

TAPE = Path(__file__).parents[2] / "cassettes" / "disconnect-documentation.yaml"
USER, PASSWORD = "not-a-real-user", "not-a-real-p@ss?word"


@pytest.mark.parametrize("user", [USER, f"{USER}:{PASSWORD}"])
@pytest.mark.parametrize(
    "asked",
    [
        "CONNECT {}@files.example:443",
        "GET http://{}@files.example/x",
        "GET /_origin/{}@files.example/x",
        "GET /_session/a/_origin/{}@files.example/x",
    ],
)
@pytest.mark.parametrize("forward", [False, True])
def test_a_target_with_a_user_is_refused_without_naming_him(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: str, user: str, *, forward: bool
) -> None:
    path = tmp_path / "tape.yaml"
    with recording(path, upstream="sandbox", forward=forward) as proxy:
        line = asked.format(user)
        head = f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        got = exchange(proxy.url, head.encode()).decode()
        told = [f"{entry.url} {entry.note}" for entry in proxy.entries]
    assert "Graphtape" in got
    for text in (got, caplog.text, *told):
        assert USER not in text
        assert "real-p" not in text


@pytest.mark.parametrize(
    "options",
    [
        ("--upstream", f"http://{USER}:{PASSWORD}@graph.example"),
        ("--upstream", f"ftp://{USER}:{PASSWORD}@graph.example"),
        ("--upstream", f"{USER}@graph.example"),
        ("--upstream", f"https://graph.example/?sig={USER}"),
        ("--listen", f"http://{USER}:{PASSWORD}@127.0.0.1"),
    ],
)
def test_an_option_with_credentials_is_refused_without_them(
    tmp_path: Path, options: tuple[str, str]
) -> None:
    ran = graphtape("record", "t.yaml", *options, cwd=tmp_path)
    assert ran.returncode == 2
    assert "REDACTED" in ran.stderr
    assert USER not in ran.stderr
    assert "real-p" not in ran.stderr


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://h.example/x", "https://h.example/x"),
        ("https://u:p@h.example/x?a=b#c", "https://REDACTED@h.example/x?REDACTED"),
        ("//u@h", "//REDACTED@h"),
        ("u:a/b?c@h:443", "REDACTED@h:443"),
    ],
)
def test_a_url_is_told_without_what_may_be_secret(url: str, told: str) -> None:
    assert shown(url) == told


def test_a_word_that_is_no_registered_scheme_does_not_reach_the_journal() -> None:
    with replaying(TAPE) as proxy:
        clean = proxy.proxy.sessions.default.clean
        said = clean.text(f"Authorization: {USER} x")
    assert USER not in said
