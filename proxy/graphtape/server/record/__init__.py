"""Requests that are forwarded and recorded."""
