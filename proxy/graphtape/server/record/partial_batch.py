"""A `$batch` of which scenarios answer a part, on its way to upstream and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from graphtape.core.graph.batch import FIRST_FAILURE, answers_of, in_order, joined, parts_of
from graphtape.server.http.errors import failed_dependency, new_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.graph.batch import Part
    from graphtape.core.message import Request, Response
    from graphtape.core.scenario.play import Parts
    from graphtape.server.http.request import Incoming


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialBatch:
    """What scenarios make of a batch that is forwarded.

    Attributes:
        parts: As the client asked.
        directed: What scenarios say of them.
        injected: Answers to those that don't go up, by id: injected, or failed with one that was.
    """

    parts: tuple[Part, ...]
    directed: Parts
    injected: Mapping[str, Response]

    @classmethod
    def of(cls, request: Request, directed: Parts) -> Self:
        """Answer the parts that scenarios answer, and those that depend on one that failed."""
        parts = parts_of(request)
        injected: dict[str, Response] = {}
        for part in in_order(parts):
            failed = _failed(part, injected)
            decided = directed.answers.get(part.id)
            if failed is not None:
                injected[part.id] = failed_dependency(part, on=failed, stamp=new_stamp())
            elif decided is not None:
                injected[part.id] = decided.response(part.request, new_stamp())
        return cls(parts=parts, directed=directed, injected=injected)

    def whole(self) -> Response | None:
        """Return the answer to the batch, where nothing of it is left to go up."""
        if len(self.injected) < len(self.parts):
            return None
        return joined(self.parts, self.injected)

    def reduce(self, incoming: Incoming) -> None:
        """Take the parts that don't go up out of the request."""
        if not self.injected:
            return
        batch = json.loads(incoming.request.body)
        batch["requests"] = [
            _without(each, self.injected)
            for each in batch["requests"]
            if str(each["id"]) not in self.injected
        ]
        body = json.dumps(batch, separators=(",", ":"), ensure_ascii=False).encode()
        incoming.request = replace(incoming.request, body=body)
        incoming.wire_headers = incoming.wire_headers.without("Content-Encoding")
        incoming.wire_body = body
        incoming.length = None if incoming.chunked else len(body)

    def staged(self, response: Response) -> Response:
        """Put upstream's answers, bent, and the others together as the client asked."""
        upstream = answers_of(response)
        if not upstream:
            return response  # the batch itself was refused
        answers: dict[str, Response] = {}
        for part in in_order(self.parts):
            failed = _failed(part, answers)
            bend = self.directed.bends.get(part.id)
            if part.id in self.injected:
                answers[part.id] = self.injected[part.id]
            elif failed is not None and upstream[part.id].status < FIRST_FAILURE:
                answers[part.id] = failed_dependency(part, on=failed, stamp=new_stamp())
            else:
                answer = upstream[part.id]
                answers[part.id] = answer if bend is None else bend.apply(answer)
        return replace(joined(self.parts, answers), headers=response.headers)


def _failed(part: Part, answers: Mapping[str, Response]) -> str | None:
    """Return the id of a failed part that this one depends on."""
    return next(
        (each for each in part.after if each in answers and answers[each].status >= FIRST_FAILURE),
        None,
    )


def _without(part: dict[str, object], gone: Mapping[str, Response]) -> dict[str, object]:
    """Return a part that waits for none of those that don't go up."""
    left = dict(part)
    for key in ("dependsOn", "depends_on"):
        ids = part.get(key)
        if isinstance(ids, list):
            left[key] = [each for each in ids if str(each) not in gone]
    return left
