"""Sessions that this proxy serves together with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from graphtape.core.errors import RequestError, UsageError
from graphtape.server.control.direction import Library
from graphtape.server.control.endpoints import wish_of
from graphtape.server.control.message import NewSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from graphtape.core.report.report import Report
    from graphtape.server.session.live_session import LiveSession
    from graphtape.server.session.sessions import Sessions, Wish
    from graphtape.settings import Settings


async def share(
    stack: AsyncExitStack,
    sessions: Sessions,
    *,
    settings: Settings,
    records: bool,
    report: Callable[[LiveSession], Report],
) -> None:
    """Serve the default session together with others, and all that are opened later.

    Args:
        stack: Closes the connections.
        sessions: The default one has served nothing yet.
        settings: Of the run.
        records: Whether sessions may record.
        report: Tells what a session came to here.

    Raises:
        GraphtapeError: Redis doesn't answer, or the session is played otherwise.
        UsageError: Settings contradict each other, or what is needed isn't installed.
    """
    if records:
        raise UsageError("--state is for replay: a recording has one writer")
    if settings.notify is not None:
        raise UsageError(
            "--notify keeps subscriptions in one process, and --state has several; leave one out"
        )
    try:
        from graphtape.server.state.store import TapeDiffersError  # noqa: PLC0415 - an extra
        from graphtape.server.state.stored import Stored  # noqa: PLC0415 - likewise
    except ImportError as exc:
        raise UsageError(
            f"--state needs {exc.name}, which isn't installed; pip install 'graphtape[state]'"
        ) from exc

    library = Library(folder=sessions.folder)

    def direct(live: LiveSession, said: bytes) -> None:
        scenario, status = library.directing_now(msgspec.json.decode(said))
        live.direct(scenario=scenario, status=status)

    async def adopt(session_id: str) -> Wish | None:
        said = await stored.wish(session_id)
        if said is None:
            return None
        asked = msgspec.json.decode(said, type=NewSession)
        return await wish_of(msgspec.structs.replace(asked, id=session_id), library)

    async def also(live: LiveSession, said: bytes, new: bool) -> None:  # noqa: FBT001 - as Sessions calls it
        try:
            await stored.share(live, said, new=new)
        except TapeDiffersError as exc:
            raise RequestError(str(exc), status=409, code="GraphtapeTapeDiffers") from exc

    stored = Stored(
        settings=settings, sessions=sessions, direct=direct, report=report, close=sessions.close
    )
    stack.push_async_callback(stored.end)
    await stored.begin()
    sessions.share, sessions.adopt, sessions.known = also, adopt, stored.known
