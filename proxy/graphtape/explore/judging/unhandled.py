"""What runtimes print of an error that nobody caught."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Each runtime's own words for an error that nobody caught.
_UNHANDLED = (
    (re.compile(r"^ +\+ Exception Group Traceback", re.MULTILINE), "an unhandled ExceptionGroup"),
    (re.compile(r"^panic: ", re.MULTILINE), "a Go panic"),
    (re.compile(r"^thread '.*' panicked at", re.MULTILINE), "a Rust panic"),
    (re.compile(r'^Exception in thread "', re.MULTILINE), "an unhandled Java exception"),
    (re.compile(r"^Unhandled [Ee]xception[.:]", re.MULTILINE), "an unhandled .NET exception"),
    (re.compile(r"^Node\.js v\d+", re.MULTILINE), "an uncaught error of Node.js"),
    (re.compile(r"^error: Uncaught ", re.MULTILINE), "an uncaught error of Deno"),
    (re.compile(r"^\S+\.rb:\d+:in .*\(\w+\)$", re.MULTILINE), "an uncaught Ruby error"),
    (re.compile(r"^PHP Fatal error: +Uncaught", re.MULTILINE), "an uncaught PHP error"),
)
SHELL_CODES = {
    132: "SIGILL",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
}
"""By what a script whose child was killed ends with."""

_PYTHON = "Traceback (most recent call last):"
_SENTENCE = re.compile(r"[A-Za-z][\x20-\x7e]*\Z")
_LOGGED = re.compile(
    r"\b(?:DEBUG|INFO|WARNING|ERROR|CRITICAL|FATAL)\b|^future: |^task: |^Exception ignored in",
    re.IGNORECASE,
)
"""Stands before a traceback that is logged, by asyncio or as the interpreter ends, too."""

_MESSAGE = re.compile(r"For more information")
"""The second line of some errors, such as those that httpx raises for a status."""

_IN_THREAD = re.compile(
    r'^Exception in thread (?:[^"\n]*:\nTraceback \(most recent call last\):|")', re.MULTILINE
)
"""Python and Java print it and go on with the other threads."""


def unhandled_error(stderr: str) -> str | None:
    """Say which error nobody caught, from what a runtime prints of it; None where it prints none.

    A traceback that the program itself prints stands behind a line with the level of a message, or
    is followed by a line of the program's.
    """
    lines = stderr.rstrip().splitlines()
    starts = [place for place, line in enumerate(lines) if line == _PYTHON]
    if starts:
        last = first = starts[-1]
        for earlier in reversed(starts[:-1]):
            if not _chained(lines, earlier, first):
                break
            first = earlier
        error, *rest = [line for line in lines[last + 1 :] if line[:1].strip()] or [""]
        logged = first > 0 and _LOGGED.search(lines[first - 1])
        if "validation error" in error:  # pydantic's has a line at the margin for each field
            rest = []
        exits = error.startswith("SystemExit")  # somebody's exit code, from a task or a group
        own = any(_SENTENCE.match(line) and not _MESSAGE.match(line) for line in rest)
        if error and not exits and not logged and not own:
            return f"an unhandled traceback: {error.partition(':')[0][:200]}"
    for pattern, name in _UNHANDLED:
        if pattern.search(stderr):
            return name
    return None


def _chained(lines: Sequence[str], earlier: int, later: int) -> bool:
    between = "\n".join(lines[earlier:later])
    return "direct cause of the following" in between or "another exception occurred" in between


def error_in_thread(stderr: str) -> str | None:
    """Say that a thread ended with an error that nobody caught; None where none did."""
    return "an unhandled error in a thread" if _IN_THREAD.search(stderr) else None
