"""Runs a command once for each documented failure of each of its calls."""

from __future__ import annotations

import asyncio
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.core.matching.mismatch import spelled_out
from graphtape.explore.call import NO_ANSWER, Call, Exchange, calls_of
from graphtape.explore.documented import faults_of
from graphtape.explore.fault import LASTING, Chosen, Fault
from graphtape.explore.judging.judgement import Judgement, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graphtape.explore.judging.run import Run
    from graphtape.explore.pattern import Pattern
    from graphtape.explore.running import Runner

LEAST_LIMIT = 30.0
"""Seconds that a run is given at least."""

TIMES = 10
"""Of what the run without faults took."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class BaseError(GraphtapeError):
    """The run without faults failed, so that there is nothing to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run, and how.

    Attributes:
        chosen: The faults that are wanted.
        patterns: Of the calls that are wanted; none is all of them.
        jobs: Runs at a time.
        budget: Seconds for all runs; None for any time.
        timeout: Seconds for one run; None is made of the time of the run without faults.
        tries: Of one request that are no hammering.
        seed: Of the order of the runs, but for 0, and of which part of a `$batch` fails how.
    """

    chosen: Chosen
    patterns: tuple[Pattern, ...] = ()
    jobs: int = 1
    budget: float | None = None
    timeout: float | None = None
    tries: int = 10
    seed: int = 0


@dataclass(slots=True, kw_only=True)
class Case:
    """One failure at one call, and what became of it.

    Attributes:
        name: Of its files.
        judgement: None where it wasn't run.
    """

    call: Call
    fault: Fault
    name: str
    milliseconds: int = 0
    judgement: Judgement | None = None


@dataclass(slots=True, kw_only=True)
class Exploration:
    """Every run of one command over one proxy.

    Attributes:
        plan: What is run.
        runner: Runs its command.
        on_case: Told of each case that is done.
        calls: Of the run without faults.
        cases: In the order of the table.
        stopped: Why cases were left out; '' where none was.
    """

    plan: Plan
    runner: Runner
    on_case: Callable[[Case], None]
    calls: tuple[Call, ...] = ()
    cases: list[Case] = field(default_factory=list)
    stopped: str = ""
    _base: Run | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self, why: str) -> None:
        """Start no further run, and end those under way; from the loop's own thread."""
        if not self.stopped:
            self.stopped = why
        self._stop.set()

    async def begin(self) -> None:
        """Run the command without faults, and list the cases.

        Raises:
            BaseError: That run failed, missed a recording, or asked for nothing.
            UsageError: What is wanted leaves nothing to run.
            GraphtapeError: The command can't be started.
        """
        with ThreadPoolExecutor(2) as threads:
            base = await self.runner.run("base", (), limit=self.plan.timeout, threads=threads)
        _check(base)
        self._base = base
        self.calls = calls_of(_exchanges(base), self.runner.clean)
        if not self.calls:
            raise BaseError("the command called nothing of Graph: there is nothing to explore")
        for call in self.calls:
            if self.plan.patterns and not any(each.matches(call) for each in self.plan.patterns):
                continue
            for fault in faults_of(call, seed=self.plan.seed):
                if fault in self.plan.chosen:
                    self.cases.append(Case(call=call, fault=fault, name=self._name(fault)))
        if not self.cases:
            names = ", ".join(dict.fromkeys(call.name for call in self.calls))
            raise UsageError(
                f"--calls and --faults leave nothing to run; the command calls {names[:500]}"
            )

    def _name(self, fault: Fault) -> str:
        """Name a case's files; several parts of a batch may meet the same failure."""
        name = _UNSAFE.sub("-", f"{fault.call.index:03}-{fault.call.method}-{fault.name}")
        same = sum(each.name == name or each.name.startswith(f"{name}.") for each in self.cases)
        return f"{name}.{same + 1}" if same else name

    async def explore(self) -> None:
        """Run every case; `stop` ends it early."""
        order = list(self.cases)
        if self.plan.seed:
            random.Random(self.plan.seed).shuffle(order)  # noqa: S311 - an order, no secret
        waiting = iter(order)
        ends = asyncio.create_task(self._stop.wait())
        with ThreadPoolExecutor(2 * self.plan.jobs) as threads:
            workers = [
                asyncio.create_task(self._work(waiting, threads)) for _ in range(self.plan.jobs)
            ]
            all_done = asyncio.create_task(_all(workers))
            try:
                await asyncio.wait(
                    {all_done, ends},
                    timeout=self.plan.budget,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not all_done.done():
                    self.stop("the budget is used up")
            finally:
                ends.cancel()
                all_done.cancel()
                for worker in workers:
                    worker.cancel()
                ended = await asyncio.gather(*workers, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _work(self, waiting: Iterator[Case], threads: ThreadPoolExecutor) -> None:
        assert self._base is not None  # noqa: S101 - begin comes first
        for case in waiting:
            # Retries that back off, as Graph asks for, take their time.
            limit = self._limit * (2 if case.fault.kind in LASTING else 1)
            run = await self.runner.run(
                case.name, (case.fault.scenario(),), limit=limit, threads=threads
            )
            case.milliseconds = run.milliseconds
            # A long result takes its time to compare; the other runs are not to wait for that.
            case.judgement = await asyncio.get_running_loop().run_in_executor(
                threads, partial(judge, case.fault, self._base, run, tries=self.plan.tries)
            )
            self.on_case(case)

    @property
    def _limit(self) -> float:
        assert self._base is not None  # noqa: S101 - begin comes first
        if self.plan.timeout is not None:
            return self.plan.timeout
        return max(LEAST_LIMIT, TIMES * self._base.milliseconds / 1000)


async def _all(workers: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all have ended, or one failed."""
    await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)


def _check(base: Run) -> None:
    """See that the run without faults is one to compare with."""
    last = base.stderr.strip().splitlines()[-1:]
    said = f"; its last line of stderr: {spelled_out(last[0][:200])}" if last else ""
    if base.late:
        raise BaseError(f"the run without faults did not end within {base.limit:.0f} s{said}")
    if base.misses:
        raise BaseError(
            f"the run without faults asked for what isn't recorded: {base.misses[0]}; record "
            "it, then explore"
        )
    if base.code:
        raise BaseError(f"the run without faults exited with {base.code}{said}")
    if not base.asked:
        raise BaseError(
            "no request reached the proxy in the run without faults: the command must take its "
            f"base URL from GRAPH_BASE_URL, with its path: {base.base_url}"
        )


def _exchanges(run: Run) -> Sequence[Exchange]:
    return [
        Exchange(
            request=each.request,
            response=run.answers.get(each.number, NO_ANSWER),
            interaction=run.interactions.get(each.number),
        )
        for each in run.asked
    ]


def scenario_text(fault: Fault, why: str) -> str:
    """Write a finding as a scenario file, YAML that is JSON but for its first lines."""
    return (
        f"# {' '.join(why.split())}\n{json.dumps(fault.spelled(), indent=2, ensure_ascii=False)}\n"
    )
