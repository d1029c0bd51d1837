"""curl, which announces an upload before it sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client_runs import check, every_job
from known_clients import CURL

if TYPE_CHECKING:
    from client_jobs import Job
    from client_runs import Phase, Scheme


@every_job(CURL)
def test_curl_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(CURL, scheme, phase, job)
