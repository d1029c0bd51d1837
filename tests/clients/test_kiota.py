"""kiota's TypeScript adapter, which compresses what it sends."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import requests

from client_jobs import UPLOADED, Job
from client_runs import App, check, every_job
from known_clients import KIOTA
from proxies import OK, RawServer, recording, replaying

if TYPE_CHECKING:
    from pathlib import Path

    from client_runs import Phase, Scheme


@every_job(KIOTA)
def test_kiota_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(KIOTA, scheme, phase, job)


CONNECT = "/beta/deviceManagement/chromeOSOnboardingSettings/connect"
ASKED = {"ownerUserPrincipalName": "admin@contoso.com", "ownerAccessToken": "not-a-real-token"}


def test_a_compressed_body_goes_up_compressed_and_matches_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(UPLOADED)
    cassette, app = tmp_path / "tape.yaml", App(KIOTA.command(), tmp_path / "upload")
    answer = OK.replace(b"Length: 2\r\n\r\n{}", b'Length: 22\r\n\r\n{"value":"inprogress"}')
    with RawServer(lambda _: answer) as upstream:
        with recording(cassette, upstream=upstream.url, tls=True) as proxy:
            outcomes = app.run(proxy.proxy.addresses, [Job.CONNECT])
        app.stop()
        (sent,) = upstream.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    assert outcomes == {Job.CONNECT: "inprogress"}
    assert b"content-encoding: gzip" in head.lower()
    assert b"not-a-real-token" in gzip.decompress(body)
    with replaying(cassette) as proxy:
        got = requests.post(proxy.url + CONNECT, json=ASKED, timeout=10)
    assert got.json() == {"value": "inprogress"}
