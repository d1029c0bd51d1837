"""Sessions that several proxies serve together: their steps lie in Redis, in one order."""
