"""Stock vcrpy reads a cassette, and no more."""

from __future__ import annotations

import sys
from pathlib import Path

from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

if __name__ == "__main__":
    requests, responses = FilesystemPersister.load_cassette(Path(sys.argv[1]), yamlserializer)
    print(len(requests))
