"""Large cassettes compiled once, so that they open at once afterwards."""

from graphtape.tape.cache.opening import Opened, load_recording

__all__ = ["Opened", "load_recording"]
