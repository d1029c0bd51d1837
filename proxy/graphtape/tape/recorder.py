"""One cassette being recorded: onto disk while it happens, into the cassette at the end."""

from __future__ import annotations

import asyncio
import bisect
import json
import logging
import re
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Self

from graphtape.core.errors import CassetteError
from graphtape.core.message import Headers, Interaction, Request
from graphtape.core.signin.permission import Kind, granted_by
from graphtape.core.tape.outcome import Mode
from graphtape.tape.digest import digest, fingerprint
from graphtape.tape.hooks import Hooks
from graphtape.tape.lock import locked
from graphtape.tape.masked_alike import MaskedAlike
from graphtape.tape.part import Part, set_aside
from graphtape.tape.progress import told
from graphtape.tape.record import Header
from graphtape.tape.recovery import UnreadablePartError, recover
from graphtape.tape.rerecording import keep_volatile
from graphtape.tape.spelled_fields import SpelledFields
from graphtape.tape.spool import Spool
from graphtape.tape.store import open_cassette, part_path, save_cassette, sync_folder
from graphtape.tape.vcr_format import Cassette

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack
    from pathlib import Path

    from graphtape.core.message import Response
    from graphtape.core.redaction import Redactor
    from graphtape.tape.long_body import WithLongBodies
    from graphtape.tape.progress import Progress
    from graphtape.tape.vcr_format import Metadata

log = logging.getLogger("graphtape")

_MOST_NEW = 1000
_LARGE = 256 * 1024
"""Bytes of bodies that are redacted in the loop at most."""

_PERMISSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def take_up(path: Path, *, say: Callable[[str], None]) -> str:
    """See to what an earlier run of the same cassette left behind; the caller holds its lock.

    A leftover that adds to the cassette is merged into it; one that was to replace it is set
    aside, and so is one of which anything can't be read.

    Returns:
        What was lost, a line; empty where nothing was.

    Raises:
        CassetteError: The leftover or the cassette can't be read or written.
    """
    try:
        left = recover(part_path(path))
    except UnreadablePartError as exc:
        return f"{exc}; it is kept as {set_aside(part_path(path), damaged=True)}"
    if left is None:
        return ""
    if not left.damaged or left.header.mode is Mode.ALL:
        say(left.summary())
    if left.header.mode is Mode.ALL:
        aside = set_aside(left.path)
        say(f"it was to replace {path}, which is as it was; it is kept as {aside}")
        return ""
    old = open_cassette(path) if path.exists() else Cassette(interactions=())
    missing = left.missing_from(old.interactions)
    if missing:
        metadata = old.metadata or left.header.metadata
        metadata = replace(metadata, variables={**metadata.variables, **left.variables})
        save_cassette(
            path,
            (*old.interactions, *missing),
            metadata=metadata,
            other_metadata=old.other_metadata,
        )
    if missing:
        say(
            f"{len(missing)} interactions of it are now in {path}; that recording was interrupted, "
            "so it may lack what came after: --mode new_episodes goes on with it"
        )
    if not left.damaged:
        left.path.unlink(missing_ok=True)
        return ""
    aside = set_aside(left.path, damaged=True)
    return f"{left.summary()}; {len(missing)} are now in {path}, and the whole is kept as {aside}"


class _UnopenedError(Exception):
    """Something in a message can't be looked into; the text says what."""


@dataclass(slots=True, kw_only=True)
class Recorder:
    """Takes interactions as they happen.

    Attributes:
        path: The cassette.
        mode: How it treats one that exists.
        old: What the cassette held when the run began; None where there was none.
        metadata: Written into it.
        redactor: Cleans what is kept.
        aside: The same, for large bodies, in a thread.
        hooks: The user's own, before redaction.
        keep_opaque: Whether what can't be looked into is kept.
        fsync: Whether a record must survive a power loss before its answer's last byte.
        progress: Told how much is saved.
        dropped: Why interactions were left off the tape, a line each.
        variables: Kept beside the interactions, by name; an existing cassette's too.
        failures: What went wrong besides, a line each; the run isn't a success.
        notes: What is to be known of what was saved, a line each.
        asked: The header fields of its requests, as the append file has them.
        answered: Those of its answers.
    """

    path: Path
    mode: Mode
    old: Cassette | None
    metadata: Metadata
    redactor: Redactor
    aside: Redactor
    hooks: Hooks = field(default_factory=Hooks)
    keep_opaque: bool = False
    fsync: bool = False
    progress: Progress | None = None
    dropped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _part: Part | None = None
    _opened: bytes | None = None
    _masked: MaskedAlike = field(default_factory=MaskedAlike)
    _aside: asyncio.Lock = field(default_factory=asyncio.Lock)
    _arrived: int = 0
    _open: list[int] = field(default_factory=list)
    _granted: dict[Kind, set[str]] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)
    _kept: list[int] = field(default_factory=list)
    asked: SpelledFields = field(init=False)
    answered: SpelledFields = field(init=False)

    def __post_init__(self) -> None:
        """Remember no fields yet."""
        self.asked = SpelledFields(self.redactor, answers=False)
        self.answered = SpelledFields(self.redactor, answers=True)

    def __enter__(self) -> Self:
        """Begin the append file. Where it can't be written the run goes on, and fails at its end.

        Raises:
            CassetteError: An append file is there already.
        """
        if self.old is not None and self.old.metadata is not None and self.mode is not Mode.ALL:
            self.variables.update(self.old.metadata.variables)
        self._opened = fingerprint(self.path)
        header = Header(
            mode=self.mode,
            cassette=self.path.name,
            base=digest(self.existing),
            metadata=self.metadata,
        )
        try:
            self._part = Part.create(self.path, header)
            if self.fsync:
                self._part.sync()
                sync_folder(self._part.path.parent)
        except OSError as exc:
            self.fail(
                f"{part_path(self.path)}: can't be written ({exc.strerror}); answers pass, and "
                "nothing is recorded: check folder, rights and free space"
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the append file as it is: the next run sees to it."""
        if self._part is not None:
            self._part.close()

    @property
    def existing(self) -> tuple[Interaction, ...]:
        """What stays on the tape before what is new."""
        return () if self.old is None or self.mode is Mode.ALL else self.old.interactions

    @property
    def recorded(self) -> int:
        """How many interactions this run has put on the tape."""
        return len(self._kept)

    def begin(self) -> int:
        """Give a request its place: the tape's order is that of arrival."""
        self._arrived += 1
        self._open.append(self._arrived)
        return self._arrived

    def index(self, place: int) -> int:
        """Return the index a place has on the tape, if every earlier request gets an answer."""
        before = bisect.bisect_left(self._kept, place) + bisect.bisect_left(self._open, place)
        return len(self.existing) + before

    def spool(self, place: int, *, url: str) -> Spool | None:
        """Open a place for bodies that come in pieces; None where they must come whole.

        Args:
            place: As `begin` gave it.
            url: Of the request.
        """
        if self._part is None or self.hooks != Hooks():  # hooks take whole bodies
            return None
        return Spool(self._part, place, self.redactor, url=url)

    async def keep(  # noqa: PLR0911 - one for each way to fail
        self, place: int, request: Request, response: Response, *, spool: Spool | None = None
    ) -> str:
        """Put an interaction in its place, cleaned of secrets; return why not, where it isn't.

        Never raises: the client's answer doesn't depend on the tape.

        Args:
            place: As `begin` gave it.
            request: Its body empty where that was spooled.
            response: Likewise.
            spool: Has the bodies that came in pieces.
        """
        raw = Interaction(request=request, response=response)
        try:
            clean, masked = await self._cleaned(raw)
        except _UnopenedError as exc:
            return self.lose(request.method, request.url, str(exc))
        except Exception as exc:  # noqa: BLE001 - the user's hooks and every body there is
            # Its text may quote what was to be redacted: the type alone is told.
            return self.lose(
                request.method, request.url, f"it couldn't be redacted ({type(exc).__name__})"
            )
        self._close(place)
        if clean is None:
            return "a hook left it off the tape"
        if self._part is None:
            return self.lose(request.method, request.url, "the append file can't be written")
        try:
            if spool is None:
                self._part.append(place, clean)
            else:
                unopened = self._unopened(spool.end())
                if unopened:
                    return self.lose(request.method, request.url, unopened)
                spool.commit(clean)
        except OSError as exc:
            return self.lose(
                request.method, request.url, f"{self._part.path} can't be written ({exc.strerror})"
            )
        except Exception as exc:  # noqa: BLE001 - a piece of a body: as above
            return self.lose(
                request.method, request.url, f"it couldn't be redacted ({type(exc).__name__})"
            )
        bisect.insort(self._kept, place)
        self._masked.add(place, clean.request, masked)
        if self.fsync:
            await asyncio.to_thread(self._sync)
        return ""

    @property
    def takes_packed(self) -> bool:
        """Whether `keep_packed` can be used: nobody else has a say in what is kept, or how."""
        return self._part is not None and not self.fsync and self.hooks == Hooks()

    def keep_packed(self, place: int, payload: bytes, method: str, url: str) -> str:
        """Put an interaction in its place that is cleaned of secrets and packed; as `keep`.

        Args:
            place: As `begin` gave it.
            payload: As `record.pack_spelled` makes it.
            method: Of its request.
            url: Likewise.
        """
        self._close(place)
        if self._part is None:
            return self.lose(method, url, "the append file can't be written")
        try:
            self._part.append_packed(place, payload)
        except OSError as exc:
            return self.lose(method, url, f"{self._part.path} can't be written ({exc.strerror})")
        bisect.insort(self._kept, place)
        return ""

    async def _cleaned(self, raw: Interaction) -> tuple[Interaction | None, tuple[str, ...]]:
        """Redact: a large body in a thread, so that nobody else waits for it."""
        if len(raw.request.body) + len(raw.response.body) <= _LARGE:
            return self._clean(raw, self.redactor)
        # A redactor is for one thread at a time.
        async with self._aside:
            return await asyncio.to_thread(self._clean, raw, self.aside)

    def _clean(
        self, raw: Interaction, redactor: Redactor
    ) -> tuple[Interaction | None, tuple[str, ...]]:
        taken = self.hooks.apply(raw)
        if taken is None:
            return None, ()
        asked = redactor.request(taken.request)
        unopened = self.unopened(redactor)
        answered = redactor.response(taken.response, url=taken.request.url)
        unopened = unopened or self.unopened(redactor)
        if unopened:
            raise _UnopenedError(unopened)
        return Interaction(request=asked.request, response=answered), asked.masked

    def unopened(self, redactor: Redactor) -> str:
        """Say why the message that was redacted last must not be kept; empty if it may be."""
        return self._unopened(redactor.unopened)

    def _unopened(self, what: str) -> str:
        if not what or self.keep_opaque:
            return ""
        return f"{what}, so a secret in it would not be seen; --keep-opaque keeps it"

    def set_variable(self, name: str, value: str) -> None:
        """Keep a value that a test made up, cleaned of secrets, to be handed back at replay."""
        clean = self._clean_variable(name, value)
        self.variables[name] = clean
        if self._part is None:
            return
        try:
            self._part.set_variable(name, clean)
        except OSError as exc:
            self.fail(f"variable {name!r} is NOT on the tape: {self._part.path} ({exc.strerror})")

    def grant(self, authorization: str) -> None:
        """Take note of the permissions of a token; nothing else of it is kept."""
        known = hash(authorization)
        if known in self._seen:
            return
        self._seen.add(known)
        granted = granted_by(authorization)
        if granted is not None:
            named = {name for name in granted.names if _PERMISSION.fullmatch(name)}
            self._granted.setdefault(granted.kind, set()).update(named)

    def _permissions(self, kind: Kind) -> tuple[str, ...]:
        old = self.old.metadata if self.old is not None and self.mode is not Mode.ALL else None
        before = () if old is None else old.scopes if kind is Kind.DELEGATED else old.roles
        return tuple(sorted({*before, *self._granted.get(kind, ())}))

    def _clean_variable(self, name: str, value: str) -> str:
        """Redact a value as a field of that name is in a JSON body."""
        headers = Headers.of([("Content-Type", "application/json")])
        body = json.dumps({name: value}).encode()
        asked = Request(
            method="PUT", url="https://graph.microsoft.com/", headers=headers, body=body
        )
        clean = json.loads(self.redactor.request(asked).request.body)
        return str(clean[name])

    def _sync(self) -> None:
        """Make what was kept survive a power loss."""
        if self._part is None:
            return
        try:
            self._part.sync()
        except OSError as exc:
            self.fail(f"{self._part.path}: may not survive a power loss ({exc.strerror})")

    @property
    def redacted(self) -> dict[str, int]:
        """How many values were replaced on the tape, by kind."""
        return {
            kind: count + self.aside.counts[kind] for kind, count in self.redactor.counts.items()
        }

    def lose(self, method: str, url: str, reason: str) -> str:
        """Say at once, and in the summary, that an interaction isn't on the tape; return why."""
        clean = self.redactor.url(url)
        line = f"{method} {clean} was answered and is NOT on the tape: {reason}"
        self.dropped.append(line)
        log.error("%s", line)
        return reason

    def drop(self, place: int) -> None:
        """Leave a place empty: there was no answer."""
        self._close(place)

    def fail(self, line: str) -> None:
        """Say at once, and in the summary, what makes this run no success."""
        self.failures.append(line)
        log.error("%s", line)

    def _close(self, place: int) -> None:
        at = bisect.bisect_left(self._open, place)
        if at < len(self._open) and self._open[at] == place:
            del self._open[at]

    def save(self, *, well: bool = True) -> int | None:
        """Compile the cassette; return how many interactions it holds, None where it is as it was.

        Args:
            well: Whether the run went well in its user's eyes; `all` replaces a cassette only
                then, and when nothing was dropped.

        Raises:
            CassetteError: It can't be written; the append file holds what was recorded.
        """
        part = self._part
        if part is None:
            return None
        if self._kept:
            self._restore(part)
        part.close()
        if not self._kept:
            part.remove()
            return None
        if self.mode is Mode.ALL and self.old is not None and not (well and not self._blemishes()):
            self.fail(
                f"{self.path} is as it was, since this run didn't go well; what it recorded is in "
                f"{part.path}"
            )
            return None
        try:
            recovered = recover(part.path)
        except UnreadablePartError as exc:
            self.fail(f"{exc}; it is kept as {set_aside(part.path, damaged=True)}")
            return None
        if recovered is None or not (recovered.damaged or len(recovered) == len(self._kept)):
            raise CassetteError(
                f"{part.path}: doesn't hold the {len(self._kept)} interactions written to it; "
                "something else has changed it"
            )
        interactions: Iterable[Interaction | WithLongBodies] = chain(
            self.existing, recovered.long_apart()
        )
        metadata = replace(
            self.metadata,
            variables=self.variables,
            scopes=self._permissions(Kind.DELEGATED),
            roles=self._permissions(Kind.APPLICATION),
            alike=self._alike(),
        )
        others = self.old.other_metadata if self.old is not None else {}
        if self.mode is Mode.ALL and self.old is not None:
            if recovered.damaged:
                aside = set_aside(part.path, damaged=True)
                self.fail(f"{self.path} is as it was; {recovered.summary()}; it is kept as {aside}")
                return None
            new = Cassette(interactions=tuple(recovered), metadata=metadata)
            new = keep_volatile(self.old, new)
            interactions, metadata = new.interactions, new.metadata or metadata
        path = self._target()
        whole = told(interactions, len(self.existing) + len(recovered), self.progress)
        save_cassette(path, whole, metadata=metadata, other_metadata=others)
        if not recovered.damaged:
            part.remove()
        else:
            summary, aside = recovered.summary(), set_aside(part.path, damaged=True)
            self.fail(
                f"{summary}; {len(recovered)} of {len(self._kept)} are now in {path}, and the "
                f"whole is kept as {aside}"
            )
        return len(self.existing) + len(recovered) if path == self.path else None

    def _alike(self) -> tuple[str, ...]:
        """Name the keys of requests that differ only in what was masked; tell which they are."""
        known = self.old.metadata.alike if self.old and self.old.metadata else ()
        groups = self._masked.groups()
        for places in groups.values():
            numbers = [len(self.existing) + bisect.bisect_left(self._kept, n) for n in places]
            listed = ", ".join(map(str, numbers[:-1]))
            self.notes.append(
                f"interactions {listed} and {numbers[-1]} differ only in what was masked: they "
                "play in order"
            )
        return tuple(sorted({*(known if self.existing else ()), *groups}))

    def _restore(self, part: Part) -> None:
        """See that the append file is where its name says.

        Raises:
            CassetteError: It isn't, and can't be: what was recorded ends with this process.
        """
        try:
            if part.restore():
                log.warning("%s was moved or deleted, and is written anew", part.path)
        except OSError as exc:
            raise CassetteError(
                f"{part.path} was moved or deleted, and can't be written anew ({exc.strerror})"
            ) from exc

    def _target(self) -> Path:
        """Return where the result goes: beside a cassette that somebody else changed meanwhile."""
        if fingerprint(self.path) == self._opened:
            return self.path
        names = (f"{self.path.name}.new{n}" for n in ("", *(f"-{n}" for n in range(1, _MOST_NEW))))
        beside = (self.path.with_name(name) for name in names)
        path = next((each for each in beside if not each.exists()), None)
        if path is None:
            raise CassetteError(
                f"{self.path} was changed while it was recorded; move its .new away"
            )
        self.fail(
            f"{self.path} was changed by something else while it was recorded, and stays so; what "
            f"this run came to is in {path}"
        )
        return path

    def _blemishes(self) -> list[str]:
        return [*self.dropped, *self.failures]


def held(path: Path, stack: ExitStack, *, say: Callable[[str], None]) -> str:
    """Take a cassette's lock, until the stack ends, and see to what an earlier run left.

    Returns:
        What of that was lost, a line; empty where nothing was.

    Raises:
        CassetteError: Another process records into it, or a leftover can't be used.
    """
    try:
        stack.enter_context(locked(path))
    except OSError as exc:
        say(f"{path}: its folder takes no lock file ({exc.strerror}): nothing guards it")
        return ""
    return take_up(path, say=say)
