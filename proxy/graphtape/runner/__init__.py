"""Runs a proxy or the sandbox: in the foreground, or in a thread."""

from graphtape.runner.proxy import Outcome, Proxy
from graphtape.runner.serving import InThread, run, until_stopped
from graphtape.runner.tenant import SandboxServer

__all__ = ["InThread", "Outcome", "Proxy", "SandboxServer", "run", "until_stopped"]
