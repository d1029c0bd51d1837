"""Record-and-replay testing proxy for Microsoft Graph."""

__version__ = "0.1.0"

__all__ = ["__version__"]
