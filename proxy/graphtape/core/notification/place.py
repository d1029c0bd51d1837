"""Where on the data port Graph's notifications arrive, and what they are called on tape."""

from __future__ import annotations

from graphtape.core.graph.actions import path_of

PREFIX = "/_notifications"


def path_at_app(url: str) -> str | None:
    """Return the path and query that a notification has at the app; None of any other request.

    Args:
        url: Of a request, as it is on tape.
    """
    path = path_of(url)
    if not (path + "/").startswith(f"{PREFIX}/"):
        return None
    return (path.removeprefix(PREFIX) or "/") + url.partition(path)[2]
