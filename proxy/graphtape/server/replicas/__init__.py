"""Several proxies that look like one at their control ports."""
