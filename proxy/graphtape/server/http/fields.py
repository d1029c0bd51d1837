"""Header fields that mean something to the proxy."""

from __future__ import annotations

import re

OWN_HEADERS = "graphtape-"
"""What begins so is said to the proxy: never forwarded, never recorded."""

HOST = re.compile(r"[A-Za-z0-9._-]+(?::\d+)?|\[[0-9A-Fa-f:.]+\](?::\d+)?")
"""A Host field that can be believed."""
