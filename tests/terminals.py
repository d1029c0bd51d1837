"""Runs the command line at a terminal: keys go in, and what is drawn comes out."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commands import GRAPHTAPE, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# A program of its own, with the terminal on its streams as its own terminal.
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERASED = re.compile(r"[^\n]*\n(?:\x1b\[\?25h)?\r\x1b\[1A\x1b\[2K")
"""A line that the cursor went back up to, and that was wiped."""

CTRL_C = b"\x03"
_UNSET = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "COLORTERM", "PAGER", "LESS", "CI")


@dataclass(slots=True)
class Terminal:
    """A command on a terminal of its own.

    Attributes:
        drawn: All that came out, escape sequences included.
        code: Of the command that ended.
    """

    process: subprocess.Popen[bytes]
    handle: int
    drawn: str = ""
    code: int | None = None

    @property
    def lines(self) -> list[str]:
        """What can be read, without colours; of a line that was drawn anew the last state."""
        plain = ESCAPE.sub("", _ERASED.sub("", self.drawn)).replace("\r\n", "\n")
        return [line.rpartition("\r")[2].rstrip() for line in plain.split("\n")]

    @property
    def text(self) -> str:
        """Likewise, in one piece."""
        return "\n".join(self.lines)

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.handle, keys)

    def until(self, text: str) -> None:
        """Wait until a text can be read."""
        deadline = time.monotonic() + 30
        while text not in self.text:
            assert time.monotonic() < deadline and self._read(), (text, self.drawn)  # noqa: PT018

    def finish(self) -> None:
        """Read up to the command's end."""
        deadline = time.monotonic() + 60
        while self._read():
            assert time.monotonic() < deadline, self.drawn
        self.code = self.process.wait(timeout=30)

    def _read(self) -> bool:
        """Read what there is, within a second; False at the end."""
        if not select.select([self.handle], [], [], 1)[0]:
            return True
        try:
            read = os.read(self.handle, 65_536)
        except OSError:  # how Linux says that nobody has the other end
            return False
        self.drawn += read.decode(errors="replace")
        return bool(read)


@contextmanager
def at_terminal(
    *arguments: str | Path,
    cwd: Path,
    columns: int = 120,
    env: dict[str, str] | None = None,
    program: Sequence[str] = GRAPHTAPE,
) -> Iterator[Terminal]:
    """Start a command at a terminal so many columns wide; it is killed where it is left running."""
    import fcntl  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415 - likewise

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = environment(TERM="xterm-256color", PYTHONIOENCODING="utf-8")
    for name in _UNSET:
        kept.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *program, *map(str, arguments)],
        cwd=cwd,
        env={**kept, **(env or {})},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        with suppress(OSError):
            os.close(ours)
