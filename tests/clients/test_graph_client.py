"""The JavaScript Graph client, @microsoft/microsoft-graph-client."""

from __future__ import annotations

from client_jobs import Job
from client_runs import Phase, Scheme, check, every_job, played
from known_clients import GRAPH_CLIENT


@every_job(GRAPH_CLIENT)
def test_the_javascript_client_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(GRAPH_CLIENT, scheme, phase, job)


def test_the_javascript_client_sends_no_token_over_plain_http() -> None:
    assert played(GRAPH_CLIENT)[Scheme.HTTP, Phase.RECORD].outcomes[Job.CONNECT] == {
        "raised": "GraphError",
        "message": "Access token is empty.",
        "status": 401,
    }
