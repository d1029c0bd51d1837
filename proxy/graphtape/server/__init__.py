"""The aiohttp shell around the core."""
