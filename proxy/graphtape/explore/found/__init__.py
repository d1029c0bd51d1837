"""What an exploration found, or ordinary runs have met: kept, and written."""
