"""Long bodies redacted while they pass, a piece at a time."""
