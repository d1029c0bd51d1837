"""Delta queries: URLs that carry a token, and where a client starts anew once it has expired.

After "Use delta query to track changes in Microsoft Graph data", Synchronization reset.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from graphtape.core.graph.actions import last_segment, path_of

_TOKENS = frozenset({"$deltatoken", "$skiptoken", "token"})
_ARGUMENT = re.compile(r"(?:\(|%28)token[^/]*\Z", re.IGNORECASE)


def fresh_delta(url: str) -> str | None:
    """Return the URL of a delta query without its token, or None where a URL isn't one.

    Args:
        url: Absolute; the token stands in the query, or in the arguments of `delta(token='…')`.
    """
    if last_segment(url) != "delta":
        return None
    path = path_of(url)
    before, _, query = url.partition("?")
    start = before[: before.rindex(path)] if path else before
    kept = [
        pair
        for pair in query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]).lower() not in _TOKENS
    ]
    return start + _ARGUMENT.sub("", path) + ("?" + "&".join(kept) if kept else "")
