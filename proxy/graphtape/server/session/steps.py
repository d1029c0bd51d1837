"""What a session needs of whoever takes its steps, where several proxies serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from graphtape.core.journal import Entry
    from graphtape.core.message import Request
    from graphtape.core.tape.outcome import Outcome, Replay
    from graphtape.core.tape.question import Question


class Shared(Protocol):
    """Takes the steps of a session in the order that all proxies take them."""

    def needs_step(self, question: Question) -> bool:
        """Tell whether the answer to a question depends on what others were given."""

    async def decide(self, question: Question) -> tuple[Outcome | None, str | None]:
        """Decide a request.

        Returns:
            What was decided, None where the question has to be compiled anew; and by what name its
            answer is reserved, None where it isn't.

        Raises:
            RequestError: It is a batch that Graph would refuse, or the state can't be had.
        """

    async def find(self, request: Request) -> tuple[Replay | None, str | None]:
        """Find the answer to another request than the client's; scenarios don't apply to it."""

    async def commit(self, name: str) -> None:
        """Say that an answer is about to have gone out whole.

        Raises:
            RequestError: That can't be said.
        """

    def release(self, name: str) -> None:
        """Say that an answer didn't go out whole; nobody waits for that."""

    async def direct(self, said: bytes) -> None:
        """Direct the session everywhere; `said` is JSON, as the control API takes it."""

    async def rewind(self) -> None:
        """Play from the start, everywhere."""

    async def sync(self) -> None:
        """Take all steps there are."""

    async def gather(self, *, end: bool = False) -> list[Any]:
        """Return what the others know of the session; `end` ends it everywhere."""

    async def journal(self) -> list[Entry]:
        """Return the entries of all proxies, those that were read before in the same order."""

    async def end(self) -> None:
        """Take part no longer."""
