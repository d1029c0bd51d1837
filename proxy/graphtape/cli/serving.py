"""Runs a server in the foreground and says what happens, on stderr."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from graphtape.core.graph import short
from graphtape.core.journal import Source
from graphtape.core.verdict import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graphtape.core.journal import Entry
    from graphtape.runner import Outcome

FAILED = 1
MISSED = 3
UNUSED = 4


def say(line: str) -> None:
    """Tell the user; stdout belongs to the command that is run."""
    click.echo(line, err=True)


def note(line: str) -> None:
    """Tell the user what he should know."""
    say(f"note: {line}")


def set_up_logging() -> None:
    """Send warnings to stderr, a line each, without tracebacks."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("graphtape: %(levelname)s: %(message)s"))
    for name in ("graphtape", "aiohttp", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False


class _OneLine(logging.Formatter):
    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
        del ei
        return ""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).rstrip()
        if record.exc_info and record.exc_info[1] is not None:
            line += f": {type(record.exc_info[1]).__name__}"
        return line


def live_line(*, quiet: bool) -> Callable[[Entry], None]:
    """Return what prints a line per request."""
    return _silent if quiet else _print


def _silent(_: Entry) -> None:
    return


def _print(entry: Entry) -> None:
    say(
        f"{entry.method} {short(entry.url)} {entry.status or '-'} {entry.source} "
        f"{entry.milliseconds:.0f} ms"
    )


def summary(outcome: Outcome) -> list[str]:
    """Say what a run came to."""
    journal = outcome.session.journal
    counts = ", ".join(
        f"{journal.counts[source]} {source}" for source in Source if journal.counts[source]
    )
    lines = [f"{count(journal.arrived, 'request')}" + (f": {counts}" if counts else "")]
    lines += _cut(outcome)
    for name, unused in outcome.session.unused().items() if outcome.session.plays else ():
        lines.append(f"unused in {name}: {', '.join(map(str, unused))}")
    if journal.misses:
        first = journal.misses[0].note.partition("\n")[0]
        lines.append(f"{count(len(journal.misses), 'miss', 'misses')}; the first: {first}")
    lines += [f"verdict: {line}" for line in outcome.verdicts.lines()]
    lines += [f"no effect: {rule}" for rule in outcome.session.script.idle()]
    lines += [f"left off the tape: {reason}" for reason in outcome.dropped]
    lines += outcome.failures
    replaced = {kind: outcome.redacted.get(kind, 0) for kind in ("secrets", "identities")}
    if any(replaced.values()):
        lines.append(
            f"redacted: {count(replaced['secrets'], 'secret')} masked, "
            f"{count(replaced['identities'], 'identity', 'identities')} replaced by pseudonyms"
        )
    kept = outcome.redacted.get("personal", 0)
    if kept:
        lines.append(
            f"kept as they are: {kept} names, phones, devices or serials; [redaction] "
            "personal = true replaces them"
        )
    return lines


def _cut(outcome: Outcome) -> Iterator[str]:
    for entry in outcome.session.journal.entries:
        if entry.status == 0 and entry.source is Source.REFUSED:
            yield f"unfinished: {entry.method} {short(entry.url)}: {entry.note}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number of things."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def exit_code(outcome: Outcome, *, fail_on_unused: bool, fail_on: tuple[str, ...] = ()) -> int:
    """Return the code a run ends with."""
    counts = outcome.session.journal.counts
    if outcome.failures or outcome.dropped:
        return FAILED
    if outcome.verdicts.among([Kind(name) for name in fail_on]):
        return FAILED
    if counts[Source.MISSED]:
        return MISSED
    if outcome.session.forwards and counts[Source.REFUSED] == sum(counts.values()) > 0:
        return FAILED
    if fail_on_unused and outcome.session.unused():
        return UNUSED
    return 0
