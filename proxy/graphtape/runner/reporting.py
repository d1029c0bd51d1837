"""Reports where people look for them: in a file, and on GitHub's pages of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from graphtape import files
from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.core.graph.actions import short
from graphtape.core.journal import Source
from graphtape.core.report.flat_json import as_json
from graphtape.core.report.junit import as_junit
from graphtape.core.report.markdown import as_markdown
from graphtape.tape.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from graphtape.core.report.report import Report

_FORMATS: Mapping[str, Callable[[Sequence[Report]], str]] = {
    ".json": as_json,
    ".md": as_markdown,
    ".xml": as_junit,
}

MOST_ANNOTATIONS = 10
"""Errors that GitHub shows of one step (GitHub Docs, "Workflow commands", Limits)."""

STEP_SUMMARY_LIMIT = 1024 * 1024
"""Bytes; GitHub refuses a step's whole summary beyond it (Step isolation and limits)."""

_LONGEST_MESSAGE = 4_000


def check_report_path(path: Path) -> None:
    """See that a report can go to a file, before there is one to write.

    Raises:
        UsageError: Its suffix names no format, or it is a folder.
    """
    if path.suffix.lower() not in _FORMATS:
        found = f"{path.suffix!r} is none" if path.suffix else "it has none"
        raise UsageError(
            f"--report {path}: the suffix names the format, and {found}: name it .json, .md or "
            ".xml (JUnit)"
        )
    if files.is_folder(path):
        raise UsageError(f"--report {path}: is a folder; name a file in it")
    try:
        files.check_place(path)
    except OSError as exc:
        raise UsageError(f"--report {path}: can't be written ({exc.strerror})") from exc


def write_report(path: Path, reports: Sequence[Report]) -> None:
    """Write reports as the suffix says; the file is the whole old or the whole new one.

    Args:
        path: Its folder is made.
        reports: That of the default session first; at least one.

    Raises:
        UsageError: As for `check_report_path`.
        GraphtapeError: It can't be written; what was there before is still there.
    """
    write_text(path, _FORMATS[path.suffix.lower()](reports))


def write_text(path: Path, text: str) -> None:
    """Write a report that is made already; as `write_report`."""
    check_report_path(path)
    try:
        replace_file(path, [_encoded(text)])
    except OSError as exc:
        raise GraphtapeError(
            f"--report {path}: can't be written ({exc.strerror}); check folder, rights and free "
            "space"
        ) from exc


def annotate(
    reports: Sequence[Report],
    env: Mapping[str, str],
    *,
    say: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Tell GitHub Actions, where a run is one of its steps: misses on its page, and a summary.

    Args:
        reports: That of the default session first.
        env: The environment.
        say: Prints a line, on stdout or stderr: GitHub reads both, from a line's first character.
        note: Told where the summary can't be written.
    """
    if env.get("GITHUB_ACTIONS") == "true":
        for line in workflow_commands(reports):
            say(line)
    if env.get("GITHUB_STEP_SUMMARY"):
        path = Path(env["GITHUB_STEP_SUMMARY"])
        try:
            whole = _append(path, reports)
        except OSError as exc:
            note(f"GITHUB_STEP_SUMMARY {path}: can't be written ({exc.strerror})")
        else:
            if not whole:
                note(f"GITHUB_STEP_SUMMARY {path}: holds 1 MiB already, and GitHub takes no more")


def workflow_commands(reports: Iterable[Report]) -> Iterator[str]:
    """Write an error for each different miss; the last one tells of those beyond the limit."""
    reports = tuple(reports)
    misses = [miss for report in reports for miss in report.misses]
    total = sum(report.counts[Source.MISSED] for report in reports)
    fit = len(misses) <= MOST_ANNOTATIONS and total == sum(miss.times for miss in misses)
    shown = misses if fit else misses[: MOST_ANNOTATIONS - 1]
    for miss in shown:
        times = f" ({miss.times} times)" if miss.times > 1 else ""
        title = f"Graphtape missed {miss.method} {short(miss.url)}{times}"
        yield _error(title, miss.reason[:_LONGEST_MESSAGE])
    more = total - sum(miss.times for miss in shown)
    if more:
        yield _error("Graphtape", f"and {more} more misses")


def _error(title: str, message: str) -> str:
    # Escapes as in GitHub's actions/toolkit, packages/core, command.ts.
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    title = title.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    title = title.replace(":", "%3A").replace(",", "%2C")
    return f"::error title={title}::{escaped}"


def _append(path: Path, reports: Sequence[Report]) -> bool:
    """Append to a step's summary; False where nothing fits any more.

    Raises:
        OSError: It can't be written.
    """
    files.check_place(path)
    with path.open("ab+") as file:
        size = file.seek(0, 2)
        gap = b""
        if size:
            file.seek(size - 1)
            # Beside an open line of the command's own, a heading would be none.
            gap = b"\n" if file.read(1) == b"\n" else b"\n\n"
        text = as_markdown(reports, limit=STEP_SUMMARY_LIMIT - size - len(gap))
        if text:
            file.write(gap + _encoded(text))
    return bool(text)


def _encoded(text: str) -> bytes:
    # A file's name may hold what isn't UTF-8; JSON writes it in the very same way.
    return text.encode("utf-8", "backslashreplace")
