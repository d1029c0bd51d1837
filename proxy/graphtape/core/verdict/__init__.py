"""Verdicts on the client: what it did that Graph's documentation advises against."""
