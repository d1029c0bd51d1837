"""Opens sessions over a loaded tape, in one process with it."""

from __future__ import annotations

import json
import sys
import time
from statistics import median

from benchmarks import tape
from graphtape.core.tape.outcome import Mode
from graphtape.server.session.opening import Opener
from graphtape.settings import Settings

_TIMES = 200


def main() -> None:
    """Print the median time to open one, as JSON."""
    file = tape.cassette(int(sys.argv[1]))
    opener = Opener(settings=Settings(), upstream="global", say=lambda _: None)
    opener.open("first", [file], mode=Mode.NONE)
    took = []
    for number in range(_TIMES):
        began = time.perf_counter()
        opener.open(f"s{number}", [file], mode=Mode.NONE)
        took.append(time.perf_counter() - began)
    print(json.dumps({"seconds": median(took)}))


if __name__ == "__main__":
    main()
