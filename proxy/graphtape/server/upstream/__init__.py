"""The way to upstream, and what can go wrong on it."""
