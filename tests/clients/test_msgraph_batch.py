"""The real msgraph-core's batch client: its ids are new in each run, its URLs absolute."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from proxies import recording, replaying
from sdk import app_at

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
    from msgraph_core.requests.batch_request_content import BatchRequestContent
    from msgraph_core.requests.batch_request_item import BatchRequestItem
from unused import left_unused

if TYPE_CHECKING:
    from pathlib import Path

    from kiota_abstractions.request_information import RequestInformation


async def statuses(root: str) -> list[int]:
    """Disconnect and list the settings in one batch; return the status of each."""
    async with app_at(root) as app:

        def item(info: RequestInformation, *after: BatchRequestItem) -> BatchRequestItem:
            info.path_parameters.update({"baseurl": app.adapter.base_url})
            return BatchRequestItem(info, depends_on=list(after))

        write = item(app.settings.disconnect.to_post_request_information())
        read = item(app.settings.to_get_request_information(), write)
        content = BatchRequestContent()
        for each in (write, read):
            content.add_request(None, each)
        got = await BatchRequestBuilder(app.adapter).post(content)
        return [got.responses[each.id].status for each in (write, read)]


async def test_a_recorded_batch_replays_to_a_client_that_makes_up_ids(tmp_path: Path) -> None:
    cassette = tmp_path / "batch.yaml"
    with recording(cassette, upstream="sandbox") as proxy:
        assert await statuses(proxy.url) == [200, 200]
    assert b"127.0.0.1" not in cassette.read_bytes()
    with replaying(cassette) as proxy:
        assert await statuses(proxy.url) == [200, 200]
        assert await statuses(proxy.url) == [599, 424]
        assert [entry.source for entry in proxy.entries] == ["replayed", "missed"]
        assert left_unused(proxy.proxy.outcome.session) == {}
