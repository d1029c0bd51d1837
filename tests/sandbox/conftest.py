from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.service import SandboxClient, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxClient]:
    async with serve() as client:
        yield client
