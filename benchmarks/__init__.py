"""Measures Graphtape beside what else answers the same requests; see docs/performance.md."""
