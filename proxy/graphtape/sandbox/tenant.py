"""The simulated tenant: a request in, an answer of Graph's out; no I/O.

What it answers comes from Microsoft's public documentation, named in `onboarding`, `directory`
and `batch`; errors follow "Microsoft Graph error responses and resource types".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphtape.core.scenario.graph_error import challenge
from graphtape.sandbox.batch import read_parts, run_parts
from graphtape.sandbox.call import Call, Operations, Version, read_call
from graphtape.sandbox.directory import Directory
from graphtape.sandbox.fault import (
    SANDBOX_CODE,
    GraphFault,
    bad_request,
    method_not_allowed,
    unknown_segment,
)
from graphtape.sandbox.identity import IdSource
from graphtape.sandbox.onboarding import Onboarding
from graphtape.sandbox.outcome import Document, Outcome, Stamp, refuse, respond

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphtape.core.message import Request, Response

DEFAULT_ROOT = "https://graph.microsoft.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Everything a reset puts back."""

    ids: IdSource
    onboarding: Onboarding
    directory: Directory


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Tenant:
    """One simulated tenant; belongs to one thread.

    Attributes:
        now: The clock; answers an aware time.
        seed: Ids derive from it.
        root: The Graph root it plays: links in its answers point there, wherever it listens.
    """

    now: Callable[[], datetime] = _utc_now
    seed: int = 0
    root: str = DEFAULT_ROOT
    _state: _State = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root.rstrip("/")
        self.reset()

    def reset(self) -> None:
        """Put everything back to how it began, the sequence of ids included."""
        ids = IdSource(seed=self.seed)
        self._state = _State(
            ids=ids,
            onboarding=Onboarding(ids=ids),
            directory=Directory(ids=ids, tenant_id=ids.guid("tenant")),
        )

    def answer(self, request: Request) -> Response:
        """Answer a request made at the root the tenant plays, body decoded."""
        stamp = self._stamp(request)
        try:
            return respond(self._outcome(request, stamp.now), stamp)
        except GraphFault as fault:
            return refuse(fault, stamp)

    def refuse(self, request: Request, fault: GraphFault) -> Response:
        """Answer a request with an error, without looking at it further."""
        return refuse(fault, self._stamp(request))

    def fail(self, request: Request) -> Response:
        """Answer a request that the sandbox itself broke on."""
        message = "The sandbox failed on this request; its log says why."
        return self.refuse(request, GraphFault(500, SANDBOX_CODE, message))

    def _stamp(self, request: Request) -> Stamp:
        return Stamp(
            request_id=self._state.ids.guid("request"),
            client_request_id=request.headers.get("client-request-id"),
            now=self.now().astimezone(UTC),
        )

    def _outcome(self, request: Request, now: datetime) -> Outcome:
        _check_authorization(request)
        call = read_call(request, root=self.root, now=now)
        operations = self._operations(call)
        operation = operations.get(call.method)
        if operation is None:
            raise method_not_allowed(tuple(operations))
        return operation(call)

    def _operations(self, call: Call) -> Operations:
        match call.segments:
            case ("$batch",):
                return {"POST": self._batch}
            case ("deviceManagement", "chromeOSOnboardingSettings", *rest) if (
                call.version is Version.BETA
            ):
                return self._state.onboarding.operations(tuple(rest))
            case ("users" | "me", *_):
                return self._state.directory.operations(call.segments)
            case ("deviceManagement", segment, *_) | (segment, *_):
                raise unknown_segment(segment)
            case _:
                raise unknown_segment("")

    def _batch(self, call: Call) -> Outcome:
        parts = read_parts(
            call.json_object(),
            root=self.root,
            base=call.base,
            authorization=call.headers.get("Authorization") or "",
        )
        return Document(body=run_parts(parts, self._answer_part, self.refuse))

    def _answer_part(self, request: Request) -> Response:
        if request.url.partition("?")[0].endswith("/$batch"):
            return self.refuse(request, bad_request("A batch can't hold another batch."))
        return self.answer(request)


def _check_authorization(request: Request) -> None:
    scheme, _, token = (request.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise GraphFault(
            401,
            "InvalidAuthenticationToken",
            "Access token is empty.",
            fields=(("WWW-Authenticate", challenge()),),
        )
