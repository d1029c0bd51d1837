"""Sessions: opened, served, ended."""
