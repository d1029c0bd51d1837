"""Sessions divided among processes of one machine."""
