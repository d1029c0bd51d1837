"""Record-and-replay testing proxy for Microsoft Graph.

`replay` and `record` run a proxy while a block of code does. What this module exports is loaded
when it is first asked for: the pytest plugin is imported in test runs that never use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphtape.core.errors import (
        CassetteError,
        GraphtapeError,
        ListenError,
        RequestError,
        UpstreamError,
        UsageError,
    )
    from graphtape.core.journal import Entry, Source
    from graphtape.core.report.report import Report
    from graphtape.embedded import MissError, ProxySession, SessionError, record, replay

__version__ = "0.1.0"

__all__ = [
    "CassetteError",
    "Entry",
    "GraphtapeError",
    "ListenError",
    "MissError",
    "ProxySession",
    "Report",
    "RequestError",
    "SessionError",
    "Source",
    "UpstreamError",
    "UsageError",
    "__version__",
    "record",
    "replay",
]

_HOMES = {
    "graphtape.core.errors": (
        "CassetteError",
        "GraphtapeError",
        "ListenError",
        "RequestError",
        "UpstreamError",
        "UsageError",
    ),
    "graphtape.core.journal": ("Entry", "Source"),
    "graphtape.core.report.report": ("Report",),
    "graphtape.embedded": ("MissError", "ProxySession", "SessionError", "record", "replay"),
}


if not TYPE_CHECKING:  # to a type checker, a module with __getattr__ has every attribute

    def __getattr__(name: str) -> object:
        """Load what is asked for."""
        for home, names in _HOMES.items():
            if name in names:
                value: object = getattr(import_module(home), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what is exported, loaded or not."""
    return sorted({*globals(), *__all__})
