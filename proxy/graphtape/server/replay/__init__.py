"""Answers that come from a tape or a scenario."""
