"""A tape in formats of other tools, out."""
