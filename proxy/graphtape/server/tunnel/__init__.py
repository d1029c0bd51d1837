"""CONNECT, for clients whose base URL is fixed: tunnels that end here, or elsewhere, or nowhere."""

from graphtape.server.tunnel.destination import FORWARD_HOSTS
from graphtape.server.tunnel.gateway import Gateway, check_listen_address, connect

__all__ = ["FORWARD_HOSTS", "Gateway", "check_listen_address", "connect"]
