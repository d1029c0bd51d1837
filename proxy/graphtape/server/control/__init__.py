"""The control API, on a port of its own."""

from graphtape.server.control.app import make_control
from graphtape.server.control.events import Events
from graphtape.server.control.guard import check_control_address, is_loopback

__all__ = ["Events", "check_control_address", "is_loopback", "make_control"]
