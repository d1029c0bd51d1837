"""`python -m benchmarks kinds`: every kind of request, beside a bare aiohttp handler.

Each row is a proxy of its own and the same requests put to the bare handler, in turns.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.answer import connect
from benchmarks.contestant import FREE
from benchmarks.load import put
from benchmarks.process import Failed, by_ready_file, python
from benchmarks.table import Figure, Goal
from benchmarks.tape import Taped
from benchmarks.turns import rotated, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.load import Load
    from benchmarks.options import Options
    from benchmarks.process import Served
    from benchmarks.table import Results

PART = "kinds"
_SETTINGS = "/beta/deviceManagement/chromeOSOnboardingSettings"
_JSON = "application/json"
_MANY = 100_000
_SOME = 1000
_FEW = 200
_WRITES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of request.

    Attributes:
        name: Of the row.
        goal: Requests per second, as a multiple of the bare handler's.
        tapes: What is replayed; each is written when it is called.
        requests: Writes a file of them, as `load.lua` reads it.
        arguments: Of `graphtape replay` besides.
        source: `Graphtape-Result` of the answers.
        once: Whether each request is sent but once.
        errors: Whether the answers are errors.
    """

    name: str
    goal: float
    tapes: tuple[Callable[[], Path], ...]
    requests: Callable[[], Path]
    arguments: tuple[str, ...] = ()
    source: str = "replayed"
    once: bool = False
    errors: bool = False


def run(options: Options, results: Results) -> None:
    """Measure each kind, over TLS too."""
    for tls in (False, True):
        rows = [row for row in _rows() if options.wants(_name(row, tls=tls))]
        measured: dict[str, tuple[list[Load], list[Load]]] = {}
        with ExitStack() as stack:
            if not rows:
                continue
            bare = stack.enter_context(_bare(tls=tls))
            for number, row in rotated(rows, options.rounds):
                name = _name(row, tls=tls)
                say(f"{PART}: round {number}, {name}")
                ours, its = measured.setdefault(name, ([], []))
                with _replaying(row, tls=tls) as served:
                    _check(served, row)
                    # The first seconds of a fresh process are its warming up, unless the requests
                    # are to be new.
                    if not row.once:
                        _put(served, row, options, seconds=1)
                    ours.append(_put(served, row, options))
                its.append(_put(bare, row, options))
        results.goals += _goals(rows, measured, tls=tls)
        results.figures += _figures(measured)


def _name(row: Row, *, tls: bool) -> str:
    return f"{row.name}, over TLS" if tls else row.name


def _goals(
    rows: Iterable[Row], measured: dict[str, tuple[list[Load], list[Load]]], *, tls: bool
) -> Iterator[Goal]:
    for row in rows:
        ours, its = measured[_name(row, tls=tls)]
        # Each is held against the bare handler of its own turn.
        ratios = [mine.requests / bare.requests for mine, bare in zip(ours, its, strict=True)]
        goal = row.goal * 0.9 if tls else row.goal
        yield Goal(part=PART, name=_name(row, tls=tls), value=median(ratios), goal=goal)


def _figures(measured: dict[str, tuple[list[Load], list[Load]]]) -> Iterator[Figure]:
    for name, (ours, its) in measured.items():
        for whose, loads in (("", ours), (", bare", its)):
            cpu = median(load.cpu for load in loads) * 1e6
            yield Figure(part=PART, name=f"{name}{whose}: CPU/request", value=cpu, unit="µs")


def _bare(*, tls: bool) -> AbstractContextManager[Served]:
    secured = ["--certificate", str(_certificate())] if tls else []
    return by_ready_file(python("benchmarks.servers.bare", "--interactions", "1000", *secured))


def _replaying(row: Row, *, tls: bool) -> AbstractContextManager[Served]:
    secured = ["--tls"] if tls else []
    tapes = [str(write()) for write in row.tapes]
    command = python("graphtape", "replay", *tapes, *FREE, *row.arguments, *secured)
    return by_ready_file(command)


def _put(served: Served, row: Row, options: Options, *, seconds: float | None = None) -> Load:
    load, _ = put(
        served,
        row.requests(),
        connections=options.connections,
        seconds=options.seconds if seconds is None else seconds,
        once=row.once,
        errors=row.errors,
    )
    return load


def _check(served: Served, row: Row) -> None:
    """Ask for the last request of a row: a write or an answer of its own is used up by it.

    Raises:
        Failed: It isn't answered as its row says.
    """
    line = row.requests().read_text(encoding="utf-8").splitlines()[-1]
    fields = line.split("\t") if "\t" in line else ["GET", line, "", ""]
    method, path, media, body = fields
    connection = connect(served.url)
    try:
        headers = {"Content-Type": media} if media else {}
        connection.request(method, path, body.encode() or None, headers)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    source = answer.getheader("Graphtape-Result")
    if source != row.source or (answer.status >= 400) is not row.errors:  # noqa: PLR2004 - 4xx, 5xx
        raise Failed(f"{row.name}: {method} {path}: {answer.status}, {source}, {said[:300]!r}")


@cache
def _certificate() -> Path:
    file = tape.made_cache() / "bare.pem"
    if not file.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
             "-subj", "/CN=127.0.0.1", "-keyout", str(file), "-out", f"{file}.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        file.write_bytes(file.read_bytes() + (tape.CACHE / "bare.pem.crt").read_bytes())
    return file


def _rows() -> Iterator[Row]:
    users, many = partial(tape.cassette, _SOME), partial(tape.cassette, _MANY)
    asked = partial(tape.request_paths, _SOME, [""])
    settings = partial(tape.written, "settings", _settings)
    of_settings = _requests("settings", lambda: (f"{_SETTINGS}/{n}" for n in range(_SOME)))
    yield Row(name="GET, one tape", goal=3.0, tapes=(users,), requests=asked)
    yield Row(
        name="--status failed",
        goal=2.0,
        tapes=(settings,),
        requests=of_settings,
        arguments=("--status", "failed"),
    )
    yield Row(
        name="a scenario of which no rule fits",
        goal=2.0,
        tapes=(users,),
        requests=asked,
        arguments=("--scenario", str(tape.scenario())),
    )
    for name, rule, source in _SCENARIOS:
        yield Row(
            name=f"a scenario that {name}",
            goal=1.5,
            tapes=(settings,),
            requests=of_settings,
            arguments=("--scenario", str(_scenario(rule))),
            source=source,
            errors=source == "injected",
        )
    yield Row(name="two tapes", goal=2.0, tapes=(settings, users), requests=asked)
    ids = _requests("ids", lambda: map(tape.path, range(_WRITES)))
    yield Row(
        name="--order request",
        goal=2.0,
        tapes=(many,),
        requests=ids,
        arguments=("--order", "request"),
        once=True,
    )
    disconnect = f"POST\t{_SETTINGS}/disconnect\t\t"
    yield Row(
        name="a write, empty body",
        goal=2.0,
        tapes=(partial(tape.written, "disconnects", _disconnects),),
        requests=_requests("disconnects", lambda: (disconnect for _ in range(_WRITES))),
        once=True,
    )
    for size, padding in (("200 bytes", 150), ("4 KB", 4000)):
        bodies = [_get_by_ids(number, padding) for number in range(_FEW)]
        yield Row(
            name=f"a POST that reads, JSON of {size}",
            goal=1.5,
            tapes=(partial(tape.written, f"getByIds-{padding}", partial(map, _read, bodies)),),
            requests=_requests(f"getByIds-{padding}", partial(map, _post, bodies)),
        )
    batches = [_batch(number) for number in range(_FEW)]
    yield Row(
        name="a recorded $batch",
        goal=1.5,
        tapes=(partial(tape.written, "batches", partial(map, _batched, batches)),),
        requests=_requests("batches", partial(map, _post_batch, batches)),
    )
    yield Row(
        name="a $batch assembled from parts",
        goal=0.5,
        tapes=(users,),
        requests=_requests("assembled", partial(map, _post_batch, batches)),
    )
    yield Row(name="never seen, a new id", goal=0.8, tapes=(many,), requests=ids, once=True)
    yield Row(
        name="never seen, a new query",
        goal=0.8,
        tapes=(partial(tape.written, "queries", lambda: map(_queried, range(_WRITES))),),
        requests=_requests("queries", lambda: map(_query, range(_WRITES))),
        once=True,
    )


_SCENARIOS = [
    ("answers 403", "answer: {error: Authorization_RequestDenied}", "injected"),
    ("answers 429", "answer: {error: TooManyRequests, retry_after: 5}", "injected"),
    ("bends a field", "set: {'$.onboardingStatus': failed}", "replayed"),
    ("counts the first call", "calls: first\n  set: {'$.onboardingStatus': failed}", "replayed"),
    ("counts from the 5th", "calls: {from: 5}\n  set: {'$.onboardingStatus': failed}", "replayed"),
    (
        "plays a timeline",
        "timeline: [{set: {$.onboardingStatus: inprogress}}, {set: {$.onboardingStatus: failed}}]",
        "replayed",
    ),
]


def _scenario(rule: str) -> Path:
    text = f"name: benchmark\nrules:\n- when: {{path: '{_SETTINGS[5:]}/{{id}}'}}\n  {rule}\n"
    return tape.kept("scenario", "yaml", text, lambda: [text])


def _requests(name: str, lines: Callable[[], Iterable[str]]) -> Callable[[], Path]:
    """Return what writes a file of requests."""
    shape = next(iter(lines()))
    return partial(
        tape.kept, f"requests-{name}", "txt", shape, lambda: (f"{line}\n" for line in lines())
    )


def _settings() -> Iterator[Taped]:
    for number in range(_SOME):
        body = {
            "@odata.context": f"{tape.GRAPH}/beta/$metadata#settings/$entity",
            "id": str(number),
            "ownerUserPrincipalName": "owner@contoso.com",
            "onboardingStatus": "inprogress",
            "lastModifiedDateTime": "2025-01-06T10:00:00Z",
        }
        yield Taped("GET", f"{_SETTINGS}/{number}", json.dumps(body))


def _disconnects() -> Iterator[Taped]:
    for _ in range(_WRITES):
        yield Taped("POST", f"{_SETTINGS}/disconnect", '{"value": "inprogress"}')


def _get_by_ids(number: int, padding: int) -> str:
    return json.dumps({"ids": [f"user-{number}"], "types": ["user"], "note": "x" * padding})


def _read(body: str) -> Taped:
    return Taped("POST", "/v1.0/directoryObjects/getByIds", '{"value": []}', body)


def _post(body: str) -> str:
    return f"POST\t/v1.0/directoryObjects/getByIds\t{_JSON}\t{body}"


def _batch(number: int) -> str:
    parts = [
        {
            "id": str(n),
            "method": "GET",
            "url": tape.path((number * 4 + n) % _SOME).removeprefix("/v1.0"),
        }
        for n in range(4)
    ]
    return json.dumps({"requests": parts})


def _batched(batch: str) -> Taped:
    answers = [
        {"id": str(n), "status": 200, "headers": {"Content-Type": _JSON}, "body": {"id": n}}
        for n in range(4)
    ]
    return Taped("POST", "/v1.0/$batch", json.dumps({"responses": answers}), batch)


def _post_batch(batch: str) -> str:
    return f"POST\t/v1.0/$batch\t{_JSON}\t{batch}"


def _query(number: int) -> str:
    return f"/v1.0/users?$filter=employeeId%20eq%20'{number}'&$select=id,displayName"


def _queried(number: int) -> Taped:
    return Taped("GET", _query(number), json.dumps({"value": [{"id": str(number)}]}))
