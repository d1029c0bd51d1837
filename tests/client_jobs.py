"""What every client of Graph is made to do, and what it must see of it."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

from graphtape.sandbox.photo import PORTRAIT

if TYPE_CHECKING:
    from collections.abc import Mapping

UPLOADED = bytes((at * 7 + (at >> 8)) & 0xFF for at in range(1024 * 1024))


class Job(StrEnum):
    """In the order they are done."""

    THROTTLED = "throttled"
    PAGES = "pages"
    CONNECT = "connect"
    ONBOARDED = "onboarded"
    DISCONNECT = "disconnect"
    OFFBOARDED = "offboarded"
    BATCH = "batch"
    MISSING = "missing"
    DOWNLOAD = "download"
    UPLOAD = "upload"


def outcomes(*, error: str) -> Mapping[Job, object]:
    """Return what each job comes to.

    Args:
        error: The type that the client raises for an error answer.
    """
    return {
        # The first answer is a 429: the name comes with the second.
        Job.THROTTLED: "Megan Bowen",
        Job.PAGES: [2, 1],
        Job.CONNECT: "inprogress",
        Job.ONBOARDED: ["inprogress", "inprogress", "onboarded"],
        Job.DISCONNECT: "inprogress",
        Job.OFFBOARDED: ["offboarding", "offboarding", "unknown"],
        Job.BATCH: {"me": 200, "none": 404, "list": 200},
        Job.MISSING: {"type": error, "status": 404, "code": "ResourceNotFound"},
        Job.DOWNLOAD: hashlib.sha256(PORTRAIT.data).hexdigest(),
        Job.UPLOAD: hashlib.sha256(UPLOADED).hexdigest(),
    }
