"""Runs a proxy or the sandbox: in the foreground, or in a thread."""

from graphtape.runner.proxy import Proxy
from graphtape.runner.serving import InThread, Run, run, until_stopped
from graphtape.runner.tenant import SandboxServer
from graphtape.server.session.outcome import Outcome

__all__ = ["InThread", "Outcome", "Proxy", "Run", "SandboxServer", "run", "until_stopped"]
