"""What is wrong with a decoded value, and under which keys."""

from __future__ import annotations


class KeyFault(ValueError):  # noqa: N818 - a fault of the file, reported as an error by who read it
    """A value isn't valid where it stands; raised while a file's struct checks itself.

    Attributes:
        keys: From the value the fault was found in to the one it is about.
    """

    def __init__(self, message: str, *keys: str | int) -> None:
        super().__init__(message)
        self.keys = keys


class SpellingError(ValueError):
    """A decoded value isn't what it must be.

    Attributes:
        keys: From the root to the value that is wrong, an unknown key included.
        reason: What is wrong and what is allowed, without the place.
    """

    def __init__(self, reason: str, *keys: str | int) -> None:
        super().__init__(f"{place(keys)}: {reason}" if keys else reason)
        self.keys = keys
        self.reason = reason


def place(keys: tuple[str | int, ...]) -> str:
    """Write keys as people do: `rules[0].when.path`."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.startswith("$"):
            text += f"[{key!r}]"
        else:
            text += f".{key}" if text else key
    return text
