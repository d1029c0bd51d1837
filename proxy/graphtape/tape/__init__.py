"""Cassette files: what is on disk, as values and back."""
