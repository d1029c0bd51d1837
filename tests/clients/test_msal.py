"""msal's sign-in with a client's secret, at the proxy as the authority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client_runs import Phase, Scheme, check, every_job, played
from known_clients import MSAL

if TYPE_CHECKING:
    from client_jobs import Job


@every_job(MSAL)
def test_msal_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(MSAL, scheme, phase, job)


def test_msal_refuses_an_authority_on_plain_http() -> None:
    outcomes = played(MSAL)[Scheme.HTTP, Phase.RECORD].outcomes
    assert {outcome["raised"] for outcome in outcomes.values() if isinstance(outcome, dict)} == {
        MSAL.only_https
    }
