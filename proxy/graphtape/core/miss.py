"""Why nothing recorded answers a request, in words that end the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from graphtape.core.graph import short
from graphtape.core.mismatch import nearest
from graphtape.core.position import AlreadyPlayed, Miss, NotRecorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphtape.core.message import Request
    from graphtape.core.mismatch import Near
    from graphtape.core.recording import Recording

_NEAREST = 3
_UPSTREAMS = {"custom": "URL"}
_LONGEST_NAME = 500


def explain(request: Request, misses: Sequence[tuple[Recording, Miss]]) -> str:
    """Say what was asked, what is recorded, how they differ, and what to do.

    Secrets and identities are out of it.

    Args:
        request: As the client sent it, at Graph's URL.
        misses: Of each cassette, why it has no answer.
    """
    if not misses:
        return f"{_name(request)} was asked, but no cassette is loaded: name one to replay."
    asked = misses[0][0].redactor.request(request).request
    lines = [f"Nothing recorded answers {_name(asked)}."]
    for recording, miss in misses:
        lines += _of_one(request, recording, miss)
    lines.append(_advice(misses))
    return "\n".join(lines)


def _advice(misses: Sequence[tuple[Recording, Miss]]) -> str:
    recording = misses[0][0]
    # Without it the next recording would reach the real global tenant.
    upstream = recording.upstream
    where = (
        ""
        if upstream in {None, "global"}
        else f" --upstream {_UPSTREAMS.get(str(upstream), upstream)}"
    )
    again = f"graphtape record {recording.name} --mode new_episodes{where}"
    if any(isinstance(miss.reason, AlreadyPlayed) for _, miss in misses):
        return f"To record one more answer: {again}."
    return f"To add it: {again}. To let a value differ: --ignore-query NAME or --ignore-body FIELD."


def _of_one(request: Request, recording: Recording, miss: Miss) -> Iterator[str]:
    match miss.reason:
        case AlreadyPlayed(index=last, recorded=count, position=position):
            at = "before the first write" if position is None else f"after interaction {position}"
            times = "once" if count == 1 else f"{count} times"
            yield (
                f"It is recorded in {recording.name} ({times}, last as interaction {last}), "
                f"but already played; the tape stands {at}."
            )
        case NotRecorded():
            yield from _near(request, recording)
        case _:
            assert_never(miss.reason)


def _near(request: Request, recording: Recording) -> Iterator[str]:
    asked = recording.redactor.request(request).request
    near = nearest(
        asked,
        recording.index.answers,
        lambda index: recording.interactions[index].request,
        recording.options,
        limit=_NEAREST,
    )
    if not near:
        yield f"{recording.name} holds no interactions."
        return
    yield f"Nearest in {recording.name}:"
    for each in near:
        yield from _one(each, recording)


def _one(near: Near, recording: Recording) -> Iterator[str]:
    recorded = recording.redactor.request(recording.interactions[near.index].request).request
    yield f"  interaction {near.index}, {_name(recorded)}"
    for mismatch in near.mismatches:
        yield f"    {mismatch}"


def _name(request: Request) -> str:
    name = f"{request.method} {short(request.url)}"
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
