"""The real msgraph-beta-sdk against record, replay and a bent status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxies import TOKEN, recording, replaying
from sdk import App, ODataError, app_at

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN_ID = "00000000-0000-0000-0000-00000000dead"


async def use(root: str) -> dict[str, object]:
    """Do what a session does; return all that the app saw."""
    async with app_at(root) as app:
        return await play(app)


async def play(app: App) -> dict[str, object]:
    pages = [page async for page in app.pages(top=2)]
    first = pages[0][0]
    answered = await app.disconnect()
    polls = [await app.status(first) for _ in range(3)]
    with pytest.raises(ODataError) as missing:
        await app.status(UNKNOWN_ID)
    return {
        "pages": pages,
        "answered": answered,
        "polls": polls,
        "missing": (missing.value.response_status_code, missing.value.error.code),
    }


async def test_the_sdk_records_replays_and_meets_a_bent_status(tmp_path: Path) -> None:
    cassette = tmp_path / "sdk.yaml"
    with recording(cassette, upstream="sandbox") as proxy:
        recorded = await use(proxy.url)
        assert {entry.source for entry in proxy.entries} == {"recorded"}
    with replaying(cassette) as proxy:
        assert await use(proxy.url) == recorded
        assert {entry.source for entry in proxy.entries} == {"replayed"}
    with replaying(cassette, status=("failed",)) as proxy:
        bent = await use(proxy.url)

    assert len(recorded["pages"]) > 1  # type: ignore[arg-type]
    assert recorded["answered"] == "inprogress"
    assert recorded["polls"] == ["offboarding", "offboarding", "unknown"]
    assert recorded["missing"] == (404, "ResourceNotFound")
    assert bent == recorded | {"answered": "failed", "polls": ["failed"] * 3}
    assert TOKEN not in cassette.read_text()


async def test_a_miss_surfaces_in_the_sdks_own_exception(tmp_path: Path) -> None:
    cassette = tmp_path / "sdk.yaml"
    with recording(cassette, upstream="sandbox") as proxy:
        async with app_at(proxy.url) as app:
            await app.disconnect()
    with replaying(cassette) as proxy:
        async with app_at(proxy.url) as app:
            with pytest.raises(ODataError) as missed:
                await app.status(UNKNOWN_ID)
    assert missed.value.error is not None
    assert missed.value.error.code == "GraphtapeMiss"
    assert UNKNOWN_ID in str(missed.value.error.message)
