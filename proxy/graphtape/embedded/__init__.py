"""A proxy inside the process that uses it: what tests record and replay with."""

from graphtape.embedded.block import Block, RecordOptions, ReplayOptions, record, replay
from graphtape.embedded.failure import MissError, SessionError
from graphtape.embedded.server import Server
from graphtape.embedded.session import ProxySession

__all__ = [
    "Block",
    "MissError",
    "ProxySession",
    "RecordOptions",
    "ReplayOptions",
    "Server",
    "SessionError",
    "record",
    "replay",
]
