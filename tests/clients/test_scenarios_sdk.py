"""The real SDK meets the presets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxies import replaying
from sdk import ODataError, app_at
from tapes import exchanged, taped

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    json = {"Content-Type": "application/json"}
    entity = '{"id": "1", "onboardingStatus": "offboarding"}'
    return taped(
        tmp_path,
        exchanged("POST", f"{SETTINGS}/disconnect", '{"value": "inprogress"}', fields=json),
        exchanged("GET", f"{SETTINGS}/1", entity, fields=json),
    )


@pytest.mark.parametrize(
    ("preset", "status", "code"),
    [
        ("unauthorized", 401, "InvalidAuthenticationToken"),
        ("forbidden", 403, "Forbidden"),
        ("not-licensed", 400, "BadRequest"),
        ("not-found", 404, "ResourceNotFound"),
        ("conflict", 409, "Conflict"),
        ("outage", 503, "ServiceUnavailable"),
        ("gateway-timeout", 504, "GatewayTimeout"),
        ("throttled-without-retry-after", 429, "TooManyRequests"),
    ],
)
async def test_an_error_preset_is_raised_as_the_sdks_own_error(
    tape: Path, preset: str, status: int, code: str
) -> None:
    with replaying(tape, scenario=(preset,)) as proxy:
        async with app_at(proxy.url, retries=False) as app:
            with pytest.raises(ODataError) as raised:
                await app.disconnect()
    assert raised.value.response_status_code == status
    assert raised.value.error is not None
    assert raised.value.error.code == code


async def test_the_sdk_retries_throttled_and_succeeds(tape: Path) -> None:
    with replaying(tape, scenario=("throttled",)) as proxy:
        async with app_at(proxy.url) as app:
            assert await app.disconnect() == "inprogress"
        assert [entry.status for entry in proxy.entries] == [429, 200]


@pytest.mark.parametrize("preset", ["failed", "unknownFutureValue", "offboarding"])
async def test_a_status_preset_reaches_the_app(tape: Path, preset: str) -> None:
    with replaying(tape, scenario=(preset,)) as proxy:
        async with app_at(proxy.url) as app:
            assert await app.disconnect() == preset
            assert await app.status("1") == preset
