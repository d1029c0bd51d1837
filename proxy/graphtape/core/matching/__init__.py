"""Which recorded request a request is, and how two of them differ."""
