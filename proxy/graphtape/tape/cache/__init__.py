"""Large cassettes compiled once, so that they open at once afterwards."""

from graphtape.tape.cache.opening import load_compiled

__all__ = ["load_compiled"]
