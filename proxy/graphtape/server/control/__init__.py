"""The control API, on a port of its own."""

from typing import TYPE_CHECKING

from graphtape.core.lazily import lazily

if TYPE_CHECKING:
    from graphtape.server.control.app import make_control
    from graphtape.server.control.connection import ControlRunner
    from graphtape.server.control.events import Events
    from graphtape.server.control.guard import check_control_address, is_loopback

__all__ = ["ControlRunner", "Events", "check_control_address", "is_loopback", "make_control"]

if not TYPE_CHECKING:  # a mistyped name stays an error
    __getattr__ = lazily(
        __name__,
        {
            "app": "make_control",
            "connection": "ControlRunner",
            "events": "Events",
            "guard": "check_control_address is_loopback",
        },
    )
