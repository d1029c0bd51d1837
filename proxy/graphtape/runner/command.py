"""The command that a proxy runs for: its environment, its signals and its end."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphtape.server.http.ports import Addresses

ONE_STOP = 1.0
"""Seconds in which signals count as one: `timeout` and some CI runners send each of them twice."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")
_OTHER = ("SIGUSR1", "SIGUSR2")
_KEYS = ("SIGINT", "SIGQUIT", "SIGBREAK")
"""What a terminal sends to every process in its foreground."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The command ran to its end.

    Attributes:
        code: As a shell has it: 128+N for signal N.
        by: The name of the signal that ended it; empty where none did.
    """

    code: int
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStarted:
    """The command never ran.

    Attributes:
        code: As a shell has it: 127 not found, 126 found and not to be run.
        reason: What was asked, and what was found.
    """

    code: int
    reason: str


Ending: TypeAlias = Exited | NotStarted


@dataclass(slots=True, kw_only=True)
class Command:
    """A command that runs while a proxy serves, on the terminal and streams of this process.

    It stays in this process's group: one of its own would lose the terminal, and with it prompts,
    debuggers and Ctrl-Z.

    Attributes:
        words: The program and its arguments.
        on_note: Told what the user should know, a line each.
        grace: Seconds it is given to end once it was told to.
        over: Whether it has ended.
    """

    words: tuple[str, ...]
    on_note: Callable[[str], None]
    grace: float = 10.0
    over: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _early: list[int] = field(default_factory=list)
    _first: tuple[int, float] = (0, 0.0)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _again: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, environment: Mapping[str, str]) -> Ending:
        """Run it to its end; once."""
        try:
            return await self._run(environment)
        finally:
            self.over = True

    async def _run(self, environment: Mapping[str, str]) -> Ending:
        try:
            process = await asyncio.to_thread(start, self.words, environment)
        except OSError as exc:
            return not_started(self.words[0], exc)
        self._process = process
        try:
            for number in self._early:
                self._pass_on(number)
            async with asyncio.TaskGroup() as group:
                killing = group.create_task(self._kill_when_due(process.pid))
                code = await asyncio.to_thread(process.wait)
                killing.cancel()
        finally:
            if process.returncode is None:  # the run itself was broken off
                process.kill()
        return exited(code)

    def signalled(self, number: int) -> None:
        """Pass a signal on that this process got; from the loop's own thread."""
        if _came_from_keys(number):
            # The command got it too, and it may mean anything there: a REPL goes on after Ctrl-C.
            return
        if signal.Signals(number).name in _ENDING:
            now = asyncio.get_running_loop().time()
            if not self._asked.is_set():
                self._first = (number, now)
                self._asked.set()
            elif now - self._first[1] > ONE_STOP:
                self._again.set()
                return
            elif number == self._first[0]:
                return
        if self._process is None:
            self._early.append(number)
        else:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self._process is None or sys.platform == "win32":
            # There the console has told every process on it already; more would end it at once.
            return
        self._process.send_signal(number)

    async def _kill_when_due(self, pid: int) -> None:
        await self._asked.wait()
        why = "was told twice to end"
        try:
            async with asyncio.timeout(self.grace):
                await self._again.wait()
        except TimeoutError:
            why = f"did not end within {self.grace:.0f} s of being told to"
        self.on_note(f"{self.words[0]} {why}; killing it and what it started")
        await asyncio.to_thread(kill_tree, pid)


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants. Asks the system for all processes: not for the loop."""
    import psutil  # noqa: PLC0415 - few commands have to be killed

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        # Before anything is killed: an orphan's parent is forgotten.
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                each.kill()


def passed_on() -> list[int]:
    """Return the numbers of the signals that a command is passed, as far as this system has them.

    One that this process was started to ignore, as by nohup or in the background of a script, stays
    ignored: the command inherits that.
    """
    numbers = [getattr(signal, name) for name in (*_ENDING, *_OTHER) if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def environment(
    inherited: Mapping[str, str], addresses: Addresses, *, signs_in: bool = False
) -> dict[str, str]:
    """Return the environment in which a command finds the proxy.

    Args:
        inherited: What it would have without one.
        addresses: Of the proxy.
        signs_in: Whether the proxy is the authority: over https, apps then sign in to it.
    """
    found = {**inherited, "GRAPH_BASE_URL": addresses.proxy}
    if addresses.control is not None:
        found["GRAPHTAPE_CONTROL_URL"] = addresses.control
    host = urlsplit(addresses.proxy).hostname or ""
    direct = (*LOOPBACK, *({host} - {*LOOPBACK, ""}))
    forwards = addresses.secured is not None and addresses.secured.authority is not None
    # Windows' names have no case.
    names = ("NO_PROXY",) if sys.platform == "win32" else ("NO_PROXY", "no_proxy")
    for name in names:
        # Each is read first by some client: one that is new must not hide what the other says.
        other = inherited.get("no_proxy", inherited.get("NO_PROXY", ""))
        listed = inherited.get(name, other)
        found[name] = _with_hosts(_without_graph(listed) if forwards else listed, direct)
    if addresses.secured is not None:
        found |= addresses.secured.environment
        if addresses.secured.authority is not None:
            found |= dict.fromkeys(_proxied(), addresses.proxy)
            found["NODE_USE_ENV_PROXY"] = "1"  # Node heeds HTTPS_PROXY only then
        if signs_in:
            from graphtape.core.signin.environment import credentials  # noqa: PLC0415 - few runs need it

            over_https = addresses.secured.context is not None
            found |= credentials(inherited, authority=addresses.proxy if over_https else None)
    return found


def _proxied() -> tuple[str, ...]:
    # Windows' names have no case; elsewhere some clients read the one and some the other.
    return ("HTTPS_PROXY",) if sys.platform == "win32" else ("HTTPS_PROXY", "https_proxy")


def _without_graph(listed: str) -> str:
    """Leave out what would lead a client past the proxy, to the real Graph."""
    from graphtape.server.tunnel import FORWARD_HOSTS  # noqa: PLC0415 - few runs forward

    def leads_past(entry: str) -> bool:
        suffix = entry.lower().partition(":")[0].lstrip("*").lstrip(".")
        return not suffix or any(f".{host}".endswith(f".{suffix}") for host in FORWARD_HOSTS)

    entries = filter(None, re.split(r"[,\s]+", listed))
    return ",".join(entry for entry in entries if not leads_past(entry))


def _with_hosts(listed: str, hosts: tuple[str, ...]) -> str:
    known = {entry.lower() for entry in re.split(r"[,\s]+", listed) if entry}
    if "*" in known:
        # It stands for all only where it stands alone.
        return listed
    missing = [host for host in hosts if host not in known]
    return ",".join([*filter(None, [listed.strip().rstrip(",")]), *missing])


def start(
    words: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    stdin: int | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
    apart: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a program.

    Args:
        words: The program and its arguments.
        environment: Whole.
        stdin: None is that of this process.
        stdout: Likewise.
        stderr: Likewise.
        apart: Whether it gets a session of its own, away from the terminal's signals.

    Raises:
        OSError: It can't be started; `not_started` says why.
    """
    # Not the loop's: uvloop's children lose the signals they were to ignore.
    program, *arguments = words
    if sys.platform == "win32":
        # Finds npm.cmd by the name npm, as a shell does.
        program = shutil.which(program, path=environment.get("PATH")) or program
    return subprocess.Popen(  # noqa: S603 - the user's own command
        [program, *arguments],
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=apart and sys.platform != "win32",
    )


def not_started(program: str, exc: OSError) -> NotStarted:
    """Say why a program can't be started."""
    if exc.errno in {errno.ENOENT, errno.ENOTDIR}:
        if os.path.dirname(program) and os.path.exists(program):  # noqa: PTH110, PTH120 - a word, not a path yet
            reason = f"{program}: the interpreter that its #! line names was not found"
        else:
            where = "there is no such file" if os.path.dirname(program) else "it is not on the PATH"  # noqa: PTH120 - likewise
            reason = f"{program}: command not found; {where}"
        return NotStarted(code=127, reason=reason)
    hint = {
        errno.EACCES: "it is no file that may be executed",
        errno.ENOEXEC: "it is no program, and has no #! line",
    }.get(exc.errno or 0, exc.strerror or str(exc))
    return NotStarted(code=126, reason=f"{program}: can't be run: {hint}")


def exited(returned: int) -> Exited:
    """Read what a process returned; minus N for signal N."""
    if returned >= 0:
        return Exited(code=returned)
    try:
        name = signal.Signals(-returned).name
    except ValueError:  # a real-time signal
        name = f"signal {-returned}"
    return Exited(code=128 - returned, by=name)


def _came_from_keys(number: int) -> bool:
    """Say whether a signal is a key stroke, which reaches every process in the foreground.

    Who sent a signal can't be asked in Python; so one of a key's, in the foreground of a terminal,
    is taken for the key's.
    """
    if signal.Signals(number).name not in _KEYS:
        return False
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
