"""What can go wrong with the local CA."""

from __future__ import annotations

from graphtape.core.errors import GraphtapeError


class AuthorityError(GraphtapeError):
    """The local CA's files can't be used: broken, open to others, or not to be written."""
