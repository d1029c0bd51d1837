"""msgraph-beta-sdk with kiota's azure-identity provider."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from client_runs import check, every_job
from known_clients import MSGRAPH
from sdk import app_at

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from msgraph_beta.generated.device_management.chrome_o_s_onboarding_settings.connect import (
        connect_post_request_body,
    )

if TYPE_CHECKING:
    from client_jobs import Job
    from client_runs import Phase, Scheme


@every_job(MSGRAPH)
def test_msgraph_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(MSGRAPH, scheme, phase, job)


@pytest.mark.parametrize(
    "asked",
    [(connect_post_request_body.ConnectPostRequestBody(),), ()],
    ids=["connect", "disconnect"],
)
async def test_the_generated_post_still_cannot_be_used(asked: tuple[object, ...]) -> None:
    # docs/clients.md gives the way round; it can go once this fails.
    async with app_at("http://127.0.0.1:9") as app:
        action = app.settings.connect if asked else app.settings.disconnect
        with pytest.raises(ImportError, match="chrome_o_s_onboarding_status"):
            await action.post(*asked)
