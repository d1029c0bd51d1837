"""A report as JSON, for programs: the schema is in docs/reports.md."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import to_builtins

from graphtape.core.report.others import abridged
from graphtape.core.report.unused import unused_by_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphtape.core.report.report import Report

FORMAT = 1


def as_json(reports: Sequence[Report]) -> str:
    """Write reports: the first at the top level, the others, some abridged, under `sessions`.

    A lone surrogate of a file's name stays one: encode with `backslashreplace`, which writes it as
    JSON does.
    """
    first, *others = abridged(reports)
    wrong = [
        *first.wrong(),
        *(f"session {each.session}: {why}" for each in others for why in each.wrong()),
    ]
    tree = {
        "format": FORMAT,
        **_tree(first),
        "ok": not wrong,
        "wrong": wrong,
        "unused": unused_by_all(reports),
        "sessions": [_tree(each) for each in others],
    }
    return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"


def _tree(report: Report) -> dict[str, object]:
    wrong = report.wrong()
    return {
        "session": report.session,
        "mode": report.mode.value,
        "made_at": _utc(report.now),
        "ok": not wrong,
        "wrong": list(wrong),
        "requests": report.arrived,
        **{source.value: count for source, count in report.counts.items()},
        "misses": to_builtins(report.misses),
        "misses_cut": report.misses_cut,
        "refusals": to_builtins(report.refused),
        "unfinished": to_builtins(report.unfinished),
        "faults": to_builtins(report.injected),
        "unused": {each.cassette: list(each.indices) for each in report.unused if each.count},
        "unused_cut": report.unused_cut,
        **_read_alone(report),
    }


def _read_alone(report: Report) -> dict[str, object]:
    """Return what no exit code hangs on, but for the verdicts asked for."""
    taping = report.taping
    return {
        "unused_requests": [
            {"cassette": each.cassette, **to_builtins(request)}
            for each in report.unused
            for request in each.requests
        ],
        "calls": to_builtins(report.called),
        "verdicts": to_builtins(report.verdicts),
        "verdict_counts": {kind.value: count for kind, count in report.judged.items()},
        "rules_without_effect": list(report.idle),
        "cassettes": [
            {**to_builtins(each.facts), "age_days": each.days} for each in report.cassettes
        ],
        "saved": taping.saved,
        "new": taping.recorded,
        "dropped": list(taping.dropped),
        "failures": list(taping.failures),
        "redacted": dict(sorted(taping.redacted.items())),
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
