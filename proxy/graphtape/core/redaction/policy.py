"""What a user wants redacted beyond the built-in rules, and what left alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphtape.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The `[redaction]` settings.

    Names compare without regard to case, `_` and `-`: `clientSecret` is `client_secret`.

    Attributes:
        keep_identities: Leave mail addresses, tenant ids and domains as they are.
        personal: Replace display names, phones, device names and serial numbers too.
        headers: More header fields whose values are secret.
        fields: More JSON and form fields whose values are secret: a name, or a path of names
            joined by dots that the field's own path must end in; list indexes don't count.
        queries: More query parameters whose values are secret.
        patterns: Regular expressions; what they match in any value is masked. They need not be
            linear: that is the user's to see to.
        allow_headers: Header fields to leave alone.
        allow_fields: JSON and form fields to leave alone; names or paths as in `fields`.
        allow_queries: Query parameters to leave alone.
        allow_domains: Domains that name nobody, beside Microsoft's fictitious ones; exact.
        allow_values: Values (a mail address, a GUID, a token for tests) to leave alone; exact.

    Raises:
        UsageError: A pattern isn't a regular expression, or matches the empty text.
    """

    keep_identities: bool = False
    personal: bool = False
    headers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    allow_fields: tuple[str, ...] = ()
    allow_queries: tuple[str, ...] = ()
    allow_domains: tuple[str, ...] = ()
    allow_values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            try:
                empty = re.compile(pattern).search("")
            except re.error as exc:
                raise UsageError(
                    f"redaction.patterns: {pattern!r} is not a regular expression: {exc}"
                ) from exc
            if empty is not None:
                raise UsageError(
                    f"redaction.patterns: {pattern!r} matches the empty text, "
                    "so it would mask everywhere: make it match at least one character"
                )
