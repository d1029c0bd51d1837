"""vcrpy-style hooks, for users who come with them."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from graphtape.core.errors import UsageError
from graphtape.tape.vcr_format import from_vcr, to_vcr

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Interaction

    Hook = Callable[[object], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a user's code does to an interaction before it is redacted and stored.

    Attributes:
        before_record_request: Takes vcrpy's Request; returns it, or None to leave it off the tape.
        before_record_response: Likewise, with vcrpy's response dict.
    """

    before_record_request: Hook | None = None
    before_record_response: Hook | None = None

    @classmethod
    def named(cls, request: str | None, response: str | None) -> Self:
        """Import hooks by dotted name; the working folder is on the path.

        Raises:
            UsageError: There is no such callable.
        """
        return cls(
            before_record_request=_import("before-record-request", request),
            before_record_response=_import("before-record-response", response),
        )

    def apply(self, interaction: Interaction) -> Interaction | None:
        """Return what the hooks make of an interaction; None where it stays off the tape.

        Whatever a hook raises is raised.
        """
        if self.before_record_request is None and self.before_record_response is None:
            return interaction
        request, response = to_vcr(interaction)
        asked: object = request
        answered: object = response
        if self.before_record_request is not None:
            asked = self.before_record_request(request)
        if asked is not None and self.before_record_response is not None:
            answered = self.before_record_response(response)
        if asked is None or answered is None:
            return None
        if not isinstance(asked, type(request)):
            raise TypeError(f"before-record-request returned {type(asked).__name__}, no Request")
        return from_vcr(asked, answered, where="a hook's result", given=interaction)


def _import(key: str, name: str | None) -> Hook | None:
    if name is None:
        return None
    module, _, attribute = name.rpartition(".")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        hook = getattr(importlib.import_module(module), attribute) if module else None
    except (ImportError, AttributeError) as exc:
        raise UsageError(f"redaction.{key}: can't import {name!r}: {exc}") from exc
    if not callable(hook):
        raise UsageError(f"redaction.{key}: {name!r} is no function; give package.module.function")
    found: Hook = hook
    return found
