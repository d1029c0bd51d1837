"""What is drawn where the output is a terminal."""
