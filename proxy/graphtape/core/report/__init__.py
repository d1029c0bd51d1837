"""What sessions came to: for a terminal, a program, a page, and what shows test results."""
