"""What can go wrong, split by whose fault it is."""

from __future__ import annotations


class GraphtapeError(Exception):
    """The base of every error Graphtape raises on purpose; its text is one line for a person."""


class UsageError(GraphtapeError):
    """What the user asked for can't be done as asked: a flag, a setting, a name. Exit code 2."""


class CassetteError(GraphtapeError):
    """A cassette file can't be used: missing, broken, or not one. Exit code 1."""


class NotAFileError(CassetteError, UsageError):
    """What a user names as a cassette is no regular file, or can't be read. Exit code 2."""


class ListenError(GraphtapeError):
    """An address can't be listened on. Exit code 1."""


class UpstreamError(GraphtapeError):
    """Upstream gave no answer.

    Attributes:
        status: 502 or 504, for the client.
        code: Graph-shaped error code; begins with `Graphtape`.
    """

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RequestError(GraphtapeError):
    """A client's request can't be served as sent.

    Attributes:
        status: 4xx, for the client.
        code: Graph-shaped error code; begins with `Graphtape`.
        location: URL to ask instead; None where none is known.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "GraphtapeRequest",
        location: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.location = location
