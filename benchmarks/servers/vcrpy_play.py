"""Stock vcrpy in the client's own process, asked as fast as it goes."""

from __future__ import annotations

import argparse
import http.client
import json
import time

import vcr

from benchmarks import tape


def main() -> None:
    """Ask for so many seconds; print what that came to, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--interactions", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    file = tape.cassette(given.interactions)
    lines = tape.request_paths(given.interactions, [""]).read_text(encoding="utf-8").splitlines()
    recorder = vcr.VCR(record_mode="none")
    with recorder.use_cassette(str(file), allow_playback_repeats=True):
        _check(given.interactions)
        print(json.dumps(_ask(lines, given.seconds)))
        _check(given.interactions)


def _get(path: str) -> bytes:
    # The standard library's client: the least that vcrpy can be used with.
    connection = http.client.HTTPSConnection("graph.microsoft.com")
    connection.request("GET", path)
    body: bytes = connection.getresponse().read()
    return body


def _check(interactions: int) -> None:
    for number in tape.sample(interactions):
        if _get(tape.path(number)) != tape.body(number):
            raise SystemExit(f"vcrpy answers {tape.path(number)} with another body")


def _ask(lines: list[str], seconds: float) -> dict[str, object]:
    took: list[float] = []
    used, began = time.process_time(), time.perf_counter()
    ends = began + seconds
    while time.perf_counter() < ends:
        start = time.perf_counter()
        _get(lines[len(took) % len(lines)])
        took.append(time.perf_counter() - start)
    whole = time.perf_counter() - began
    cpu = time.process_time() - used
    took.sort()
    return {
        "requests": len(took),
        "seconds": whole,
        "p50": took[len(took) // 2],
        "p99": took[len(took) * 99 // 100],
        "cpu": cpu,
    }


if __name__ == "__main__":
    main()
