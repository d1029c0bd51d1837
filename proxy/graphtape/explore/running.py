"""Runs a command once in a session of its own, and reads what that saw."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from graphtape.core.graph.actions import short
from graphtape.explore.judging.run import Run
from graphtape.explore.process import Streams
from graphtape.explore.process import run as run_process
from graphtape.explore.watch import Watch
from graphtape.runner.command import environment
from graphtape.server.session.sessions import Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from graphtape.core.journal import Entry
    from graphtape.core.message import Response
    from graphtape.core.scenario.rule import Scenario
    from graphtape.explore.watch import Asked
    from graphtape.runner.proxy import Proxy
    from graphtape.server.session.live_session import LiveSession

STDOUT = "stdout"
EXIT = "exit"
"""What a result is, where it isn't a file."""


@dataclass(slots=True, kw_only=True)
class Runner:
    """Runs one command over one proxy, as often as it is told to.

    Attributes:
        proxy: Serving; it replays.
        words: The command.
        oracle: `stdout`, `exit`, or the file that holds the command's result.
        folder: The streams of each run are written to it.
        clean: Takes secrets and identities out of a URL; known once something was run.
    """

    proxy: Proxy
    words: tuple[str, ...]
    oracle: str
    folder: Path
    clean: Callable[[str], str] = str
    _count: int = 0

    async def run(
        self,
        name: str,
        scenarios: tuple[Scenario, ...],
        *,
        limit: float | None,
        threads: Executor,
    ) -> Run:
        """Run the command in a session of its own.

        Args:
            name: Of the files for its streams.
            scenarios: Of the session.
            limit: Seconds; None for any time.
            threads: One waits for the process.

        Raises:
            GraphtapeError: The command can't be started.
        """
        self._count += 1
        sessions = self.proxy.sessions
        live = await sessions.open(Wish(id=f"{name[:40]}-{self._count}", scenario=scenarios))
        self.clean = live.clean_url
        watch = Watch(live.clean_url, options=live.options, bearing=live.bearing)
        live.observer = watch
        base_url = f"{self.proxy.addresses.proxy}/_session/{live.play.id}"
        addresses = replace(self.proxy.addresses, proxy=base_url)
        streams = Streams(
            stdout=self.folder / f"{name}.stdout", stderr=self.folder / f"{name}.stderr"
        )
        written = self._result_file()
        try:
            ended = await run_process(
                self.words,
                # Python's sets are printed in the same order each time.
                {"PYTHONHASHSEED": "0", **environment(os.environ, addresses, signs_in=True)},
                streams,
                limit=limit,
                threads=threads,
            )
        finally:
            await sessions.close(live.play.id)
            sessions.ended.clear()  # a report of each is nobody's wish
        stdout, stderr = streams.read()
        entries = live.play.journal.entries
        return Run(
            code=ended.code,
            signal=ended.signal,
            late=ended.late,
            milliseconds=round(ended.seconds * 1000),
            limit=limit or 0.0,
            output=self._output(stdout, written),
            stdout=stdout,
            stderr=stderr,
            base_url=base_url,
            asked=tuple(watch.asked_all),
            whole=_whole(entries, watch.asked_all),
            answers=_answers(live),
            interactions={
                each.number: each.interaction for each in entries if each.interaction is not None
            },
            statuses={each.number: each.status for each in entries},
            misses=tuple(map(_named, live.play.journal.misses)),
            verdicts=dict(live.verdicts.counts),
        )

    def _output(self, stdout: str, before: tuple[int, int] | None) -> str | None:
        if self.oracle == STDOUT:
            return stdout
        if self.oracle == EXIT:
            return None
        if self._result_file() in {None, before}:
            return ""  # not written by this run
        return Path(self.oracle).read_text(encoding="utf-8", errors="replace")

    def _result_file(self) -> tuple[int, int] | None:
        """Return what changes when the command writes its result; None where there is none."""
        if self.oracle in {STDOUT, EXIT}:
            return None
        try:
            found = Path(self.oracle).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _named(miss: Entry) -> str:
    """Name a request that nothing recorded answers, and how it differs from what is recorded."""
    _, _, nearest = miss.note.partition("\n")[0].partition("; ")
    return f"{miss.method} {short(miss.url)}" + (f" ({nearest.rstrip('.')})" if nearest else "")


def _answers(live: LiveSession) -> dict[int, Response]:
    """Return, by request, the answers that came from tape as they are."""
    tape = live.play.playbacks[0].recording.interactions
    return {
        each.number: tape[each.interaction].response
        for each in live.play.journal.entries
        if each.interaction is not None and not each.effects
    }


def _whole(entries: Sequence[Entry], asked: Sequence[Asked]) -> dict[int, bool]:
    """Tell, by request, whether its answer was out before the next request came."""
    took = {each.number: each.milliseconds / 1000 for each in entries}
    following = [*(each.at for each in asked[1:]), math.inf]
    return {
        each.number: each.at + took.get(each.number, math.inf) <= after
        for each, after in zip(asked, following, strict=False)
    }
