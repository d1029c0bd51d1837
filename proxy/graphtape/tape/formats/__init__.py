"""Recordings and mocks of other tools, in: a module for each format, chosen by content."""
