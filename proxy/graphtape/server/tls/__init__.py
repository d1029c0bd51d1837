"""TLS on the data port: the local certificate authority, or a certificate of the user's own.

Imports cryptography: to be imported where TLS is asked for, and not at start.
"""

from __future__ import annotations

from graphtape.server.tls.authority import Authority
from graphtape.server.tls.context import own_context
from graphtape.server.tls.error import AuthorityError

__all__ = ["Authority", "AuthorityError", "own_context"]
