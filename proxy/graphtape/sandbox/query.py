"""The OData query options the sandbox knows (Use query parameters to customize responses)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, quote

from graphtape.sandbox.fault import GraphFault, bad_request, not_simulated

DEFAULT_TOP = 100
MAX_TOP = 999

_FILTER = re.compile(
    r"\s*(?:(?P<eq>\w+)\s+eq\s+'(?P<equal>(?:[^']|'')*)'"
    r"|startswith\(\s*(?P<starts>\w+)\s*,\s*'(?P<prefix>(?:[^']|'')*)'\s*\))\s*"
)
_TOKEN_MARK = "m~"  # noqa: S105 (marks a page, guards nothing)
_SUPPORTED = ("top", "skiptoken", "select", "filter", "count")

Properties = Mapping[str, object]
"""An entity's properties as they stand in JSON."""


class FilterOperator(StrEnum):
    """What a `$filter` asks of one string property; case is ignored, as the directory does."""

    EQ = "eq"
    STARTSWITH = "startswith"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One comparison of a `$filter`."""

    name: str
    operator: FilterOperator
    operand: str

    def admits(self, properties: Properties) -> bool:
        """Tell whether an entity passes; a null never does."""
        value = properties.get(self.name)
        if not isinstance(value, str):
            return False
        if self.operator is FilterOperator.EQ:
            return value.casefold() == self.operand.casefold()
        return value.casefold().startswith(self.operand.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The query options of one request.

    Attributes:
        pairs: Every option as sent, decoded, in order.
        top: Entities on a page, 1 to 999.
        after: The serial that the page before ended with; None on the first page.
        select: Properties asked for, in order; empty for the default set.
        filter: None admits everything.
        count: Whether `@odata.count` is asked for.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    top: int = DEFAULT_TOP
    after: int | None = None
    select: tuple[str, ...] = ()
    filter: Filter | None = None
    count: bool = False

    def following(self, after: int) -> str:
        """Write the query of the next page: the same options, from behind a serial."""
        kept = [pair for pair in self.pairs if _option(pair[0]) != "skiptoken"]
        kept.append(("$skiptoken", _page_token(after)))
        return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in kept)


def parse_query(raw: str) -> Query:
    """Read the percent-encoded query of a URL.

    Raises:
        GraphFault: An option is malformed, or one the sandbox doesn't simulate.
    """
    pairs = tuple(parse_qsl(raw, keep_blank_values=True))
    options = dict(_known_options(pairs))
    return Query(
        pairs=pairs,
        top=_top(options["top"]) if "top" in options else DEFAULT_TOP,
        after=_serial(options["skiptoken"]) if "skiptoken" in options else None,
        select=tuple(name.strip() for name in options.get("select", "").split(",") if name.strip()),
        filter=_filter(options["filter"]) if "filter" in options else None,
        count=options.get("count", "false").lower() == "true",
    )


def _option(name: str) -> str:
    # Graph takes the system options with and without the dollar sign.
    return name.removeprefix("$").lower()


def _known_options(pairs: tuple[tuple[str, str], ...]) -> Iterable[tuple[str, str]]:
    for name, value in pairs:
        if _option(name) in _SUPPORTED:
            yield _option(name), value
        elif name.startswith("$"):
            # Left out in silence, the answer would look right and be wrong.
            known = ", ".join(f"${option}" for option in _SUPPORTED)
            raise not_simulated(f"the query option '{name}'; it knows {known}")


def _top(value: str) -> int:
    # isdecimal alone admits digits of other scripts, and int() takes thousands of them.
    if re.fullmatch(r"[0-9]{1,9}", value) is None or int(value) == 0:
        raise bad_request(
            f"Invalid value '{value}' for $top query option found."
            " The $top query option requires a positive integer value."
        )
    return min(int(value), MAX_TOP)


def _filter(value: str) -> Filter:
    found = _FILTER.fullmatch(value)
    if found is None:
        raise GraphFault(400, "Request_UnsupportedQuery", "Unsupported Query.")
    if found["eq"] is not None:
        return Filter(name=found["eq"], operator=FilterOperator.EQ, operand=_text(found["equal"]))
    return Filter(
        name=found["starts"], operator=FilterOperator.STARTSWITH, operand=_text(found["prefix"])
    )


def _text(literal: str) -> str:
    # OData writes a quote inside a string literal twice.
    return literal.replace("''", "'")


def _page_token(after: int) -> str:
    return _TOKEN_MARK + base64.urlsafe_b64encode(str(after).encode()).decode().rstrip("=")


def _serial(token: str) -> int:
    encoded = token.removeprefix(_TOKEN_MARK).encode()
    try:
        decoded = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", validate=True)
    except binascii.Error:
        decoded = b""
    if not token.startswith(_TOKEN_MARK) or re.fullmatch(rb"[0-9]{1,9}", decoded) is None:
        raise bad_request("The $skiptoken query option is not one that this tenant issued.")
    return int(decoded)


def _quoted(text: str) -> str:
    return quote(text, safe="$',()~*:@/")
