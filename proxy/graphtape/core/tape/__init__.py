"""A cassette in memory, and where a session stands on it."""
