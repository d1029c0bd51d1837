"""HTTP with the client: connections, answers, what can go wrong on the wire."""
