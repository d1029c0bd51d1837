"""requests, with urllib3's retries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client_runs import check, every_job
from known_clients import REQUESTS

if TYPE_CHECKING:
    from client_jobs import Job
    from client_runs import Phase, Scheme


@every_job(REQUESTS)
def test_requests_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(REQUESTS, scheme, phase, job)
