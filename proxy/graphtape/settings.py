"""One frozen Settings: a file, under the environment, under flags."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from graphtape import files
from graphtape.core.decoded import convert
from graphtape.core.errors import UsageError
from graphtape.core.graph.cloud import Upstream, upstream_named
from graphtape.core.graph.path_template import PathTemplate
from graphtape.core.matching.key import MatchOptions, Route
from graphtape.core.redaction import Policy
from graphtape.core.refresh import FAST_RETRY_AFTER, Timing
from graphtape.core.replica import Replica, check_name, check_url
from graphtape.core.scenario.key_fault import SpellingError
from graphtape.core.scenario.status import StatusRule
from graphtape.core.tape.outcome import Mode
from graphtape.core.tape.position import Order
from graphtape.core.verdict.verdict import Kind  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.scenario.rule import Scenario
    from graphtape.core.tape.age import AgeLimit

MIB = 1024 * 1024


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the settings file; a key that it doesn't know is an error."""


class RouteMatching(Table, frozen=True, kw_only=True):
    """A `[[matching.routes]]` table: what holds for some requests instead of for all.

    Attributes:
        path: Below the version; `{id}` is one segment, a last `/**` any number of them.
        method: Of the requests; None for any.
        match_on, ignore_body, ignore_query: As in Settings.
    """

    path: str
    method: str | None = None
    match_on: tuple[str, ...] = ()
    ignore_body: tuple[str, ...] = ()
    ignore_query: tuple[str, ...] = ()


class Matching(Table, frozen=True, kw_only=True):
    """The `[matching]` table.

    Attributes:
        reads: Last segments of POSTs that only read, beyond those Graphtape knows.
        routes: Requests that are compared in a way of their own; the first that fits.
    """

    reads: tuple[str, ...] = ()
    routes: tuple[RouteMatching, ...] = ()


class Redaction(Table, frozen=True, kw_only=True):
    """The `[redaction]` table; see `core.redaction.Policy` for each key.

    Attributes:
        before_record_request: Dotted name of a vcrpy-style hook, called with the vcrpy Request
            before redaction; None from it leaves the interaction off the tape.
        before_record_response: Likewise, with vcrpy's response dict.
    """

    keep_identities: bool = False
    personal: bool = False
    headers: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    allow_fields: tuple[str, ...] = ()
    allow_queries: tuple[str, ...] = ()
    allow_domains: tuple[str, ...] = ()
    allow_values: tuple[str, ...] = ()
    before_record_request: str | None = None
    before_record_response: str | None = None


class SignIn(Table, frozen=True, kw_only=True):
    """The `[signin]` table: what the tokens of the offline authority say.

    Attributes:
        roles: Application permissions of an app-only token; None are enough that nothing is
            refused.
        scopes: Delegated permissions where a client asks for `.default`, or for none; likewise.
        lifetime: Of a token, seconds.
        user: Who has signed in, where the client names nobody.
    """

    roles: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    lifetime: Annotated[int, msgspec.Meta(gt=0)] | None = None
    user: str | None = None


class Settings(Table, frozen=True, kw_only=True):
    """Everything a run can be told.

    Attributes:
        listen: Where clients connect, HOST:PORT.
        control: Where the control API listens, HOST:PORT.
        control_token: That its clients must show; None where only this machine can ask.
        console: Whether the control port serves the web console.
        tls: Whether the data port speaks https, with a certificate of the local CA.
        forward: Whether clients may use the data port as HTTPS_PROXY.
        tls_name: Names and addresses it is reached by, besides loopback and `listen`.
        tls_cert: PEM file of the user's own certificate, in place of the local CA's.
        tls_key: Its key, where it isn't in the same file.
        upstream: A Graph cloud's name, `sandbox`, or a URL.
        mode: How recording treats a cassette that exists.
        status: `VALUE`, `connect=VALUE` or `disconnect=VALUE`.
        order: How repeats of a request play.
        retry_after: Seconds that each Retry-After replayed becomes, or `keep`.
        fast: Whether no recorded or injected wait is longer than it must be.
        freeze_time: Whether Date is replayed as recorded.
        max_age: How old a cassette may be that is played: `90d`, or `90d=fail`.
        match_on: What a request is compared by, in vcrpy's names.
        ignore_body: JSON paths or field names that don't take part in matching.
        ignore_query: Query names that don't take part in matching.
        report: Files that tell what the run came to; the suffix names the format.
        fail_on_unused: Whether unused interactions are a failure.
        upstream_ca: PEM file of roots trusted besides the system's.
        allow_private_origins: Whether hosts on loopback and in private networks are reached though
            upstream isn't there.
        max_body: Bytes, decoded; a larger body is passed on and left off the tape.
        connect_timeout: Seconds to reach upstream.
        read_timeout: Seconds without a byte from upstream.
        record_signin: Whether sign-in at the real authority goes onto the tape, secrets out.
        token_command: Prints the token that is added to what is forwarded; None adds none.
        ready_file: Written once the ports accept.
        quiet: No live line per request.
        seed: For everything random; None is each scenario file's own, or else 0.
        scenario: Presets by name, or files.
        workers: Processes that a replay's sessions are divided among; None serves in this one.
        replica: The name that ids of sessions begin with; None where there is one proxy alone.
        public_url: Where clients reach the data port; None where they do by the name they call
            the control port by.
        notify: Origin of the app that a replay notifies of changes; None notifies nobody.
        notifications: Origin of the app that a recording passes notifications on to; None passes
            none on.
        peers: `NAME=URL` of the control ports of other replicas.
        state: Where sessions are kept that several proxies serve: a Redis URL; None keeps them
            here.
        session: What the default session is called there.
        fail_on: Verdicts on the client that make a run fail.
        keep_identities: Leave mail addresses, tenant ids and domains as they are.
        keep_opaque: Record what can't be looked into, such as damaged gzip.
        fsync: Make each record durable against power loss before its answer's last byte.
        matching: The `[matching]` table.
        redaction: The `[redaction]` table.
        signin: The `[signin]` table.
    """

    listen: str = "127.0.0.1:8787"
    control: str = "127.0.0.1:8788"
    control_token: str | None = None
    console: bool = True
    tls: bool = False
    forward: bool = False
    tls_name: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    upstream: str = "global"
    mode: Literal["once", "new_episodes", "all"] = "once"
    status: tuple[str, ...] = ()
    order: Literal["position", "request"] = "position"
    retry_after: Literal["keep"] | Annotated[int, msgspec.Meta(ge=0)] = "keep"
    fast: bool = False
    freeze_time: bool = False
    max_age: str | None = None
    match_on: tuple[str, ...] = ()
    ignore_body: tuple[str, ...] = ()
    ignore_query: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    fail_on_unused: bool = False
    upstream_ca: str | None = None
    allow_private_origins: bool = False
    max_body: Annotated[int, msgspec.Meta(ge=0)] = 1024 * MIB
    connect_timeout: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    read_timeout: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    record_signin: bool = False
    token_command: str | None = None
    ready_file: str | None = None
    quiet: bool = False
    seed: int | None = None
    scenario: tuple[str, ...] = ()
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] | None = None
    replica: str | None = None
    public_url: str | None = None
    notify: str | None = None
    notifications: str | None = None
    peers: tuple[str, ...] = ()
    state: str | None = None
    session: str = "default"
    fail_on: tuple[Kind, ...] = ()
    keep_identities: bool = False
    keep_opaque: bool = False
    fsync: bool = False
    matching: Matching = Matching()
    redaction: Redaction = Redaction()
    signin: SignIn = SignIn()

    def match_options(self) -> MatchOptions:
        """Return how requests are compared.

        Raises:
            UsageError: A name in match-on isn't one.
        """
        options = MatchOptions(
            ignore_body=self.ignore_body,
            ignore_query=self.ignore_query,
            reads=self.matching.reads,
            routes=tuple(_route(route, self.matching.reads) for route in self.matching.routes),
        )
        return options.matching_on(self.match_on) if self.match_on else options

    def status_rules(self) -> tuple[StatusRule, ...]:
        """Return the rules `status` stands for.

        Raises:
            UsageError: One names another action, or no value.
        """
        return tuple(StatusRule.parse(text) for text in self.status)

    def scenarios(self) -> tuple[Scenario, ...]:
        """Read the scenarios.

        Raises:
            UsageError: One isn't known, or its file is wrong.
        """
        if not self.scenario:
            return ()
        from graphtape import scenarios  # noqa: PLC0415 - few runs have any

        return tuple(scenarios.load(name) for name in self.scenario)

    def timing(self) -> Timing:
        """Return what becomes of the times of recorded and injected answers."""
        wait = FAST_RETRY_AFTER if self.fast else None
        if self.retry_after != "keep":
            wait = self.retry_after
        return Timing(retry_after=wait, frozen=self.freeze_time)

    def age_limit(self) -> AgeLimit | None:
        """Return how old a cassette may be.

        Raises:
            UsageError: It is no age.
        """
        if self.max_age is None:
            return None
        from graphtape.core.tape.age import AgeLimit  # noqa: PLC0415 - few runs have one

        try:
            return AgeLimit.parse(self.max_age)
        except ValueError as exc:
            raise UsageError(f"max-age: {exc}; 90d=fail refuses what is older") from exc

    def policy(self) -> Policy:
        """Return what is redacted.

        Raises:
            UsageError: A pattern isn't a regular expression.
        """
        names = msgspec.structs.asdict(self.redaction)
        del names["before_record_request"], names["before_record_response"]
        names["keep_identities"] = self.keep_identities or self.redaction.keep_identities
        return Policy(**names)

    def upstream_at(self) -> Upstream:
        """Return where recording forwards to.

        Raises:
            UsageError: It's neither a cloud, `sandbox` nor a URL.
        """
        return upstream_named(self.upstream)

    def own_replica(self) -> Replica | None:
        """Return which of several proxies this one is; None where there is one alone.

        Raises:
            UsageError: A name or a URL is none, or one of them is missing.
        """
        if self.state is not None:
            for flag, value in (("--replica", self.replica), ("--peers", self.peers)):
                if value:
                    raise UsageError(
                        f"{flag} divides sessions among proxies, and with --state each of them "
                        "serves all; leave one out"
                    )
            return None
        if self.replica is None:
            for flag, value in (("--public-url", self.public_url), ("--peers", self.peers)):
                if value:
                    raise UsageError(f"{flag} goes with --replica NAME; give that too")
            return None
        self.peer_urls()  # what is wrong with them is said at the start
        return Replica(name=check_name(self.replica, "--replica"))

    def public(self) -> str | None:
        """Return where clients reach the data port, scheme to port; None where that isn't said.

        Raises:
            UsageError: It is another kind of URL, or none.
        """
        return None if self.public_url is None else check_url(self.public_url, "--public-url")

    def peer_urls(self) -> dict[str, str]:
        """Return where the control ports of other replicas are, by name.

        Raises:
            UsageError: One is no `NAME=URL`, or names this replica.
        """
        found: dict[str, str] = {}
        for text in self.peers:
            name, equals, url = text.partition("=")
            if not equals:
                raise UsageError(
                    f"--peers {text[:200]!r} is no NAME=URL, such as r2=http://r2:8788"
                )
            if check_name(name, "--peers") in found:
                raise UsageError(f"--peers names {name!r} twice")
            found[name] = check_url(url, f"--peers {name}=")
        found.pop(self.replica or "", None)  # one list for all of them
        return found

    def notified_origin(self) -> str | None:
        """Return the origin of the app that is notified; None where nobody is.

        Raises:
            UsageError: It is no origin, or sessions are shared with other proxies.
        """
        if self.notify is None:
            return None
        if self.state is not None:
            raise UsageError("--notify keeps subscriptions in one proxy; leave --state out")
        return check_url(self.notify, "--notify")

    def receiving_origin(self) -> str | None:
        """Return the origin of the app that is passed notifications; None where none is.

        Raises:
            UsageError: It is no origin.
        """
        return (
            None if self.notifications is None else check_url(self.notifications, "--notifications")
        )

    def play_order(self, mode: Mode) -> Order:
        """Return the order repeats play in: vcrpy's own in vcrpy's recording modes."""
        return Order(self.order) if mode is Mode.NONE else Order.REQUEST


def _route(route: RouteMatching, reads: tuple[str, ...]) -> Route:
    try:
        path = PathTemplate.parse(route.path)
    except ValueError as exc:
        raise UsageError(f"matching.routes: {exc}") from exc
    options = MatchOptions(
        ignore_body=route.ignore_body, ignore_query=route.ignore_query, reads=reads
    )
    return Route(
        method=route.method.upper() if route.method else None,
        path=path,
        options=options.matching_on(route.match_on) if route.match_on else options,
    )


def load(
    given: Mapping[str, object],
    *,
    config: str | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Settings:
    """Make the settings of a run.

    Args:
        given: By field name: what flags and the environment said.
        defaults: In place of those in Settings.
        config: A TOML file; else `graphtape.toml`, else `[tool.graphtape]` in pyproject.toml of
            the working folder, else nothing.

    Raises:
        UsageError: A file can't be read, a key is unknown, or a value isn't of its type.
    """
    source, table = _config_table(config)
    settings = _convert({**_kebab(defaults or {}), **_kebab(table)}, source)
    if not given:
        return settings
    return msgspec.structs.replace(settings, **_convert_given(given))


def _config_table(config: str | None) -> tuple[str, dict[str, object]]:
    if config is not None:
        return config, _read_toml(Path(config))
    own = Path("graphtape.toml")
    if own.is_file():
        return str(own), _read_toml(own)
    project = Path("pyproject.toml")
    if project.is_file():
        tool = _read_toml(project).get("tool")
        table = tool.get("graphtape") if isinstance(tool, dict) else None
        if isinstance(table, dict):
            return "[tool.graphtape] in pyproject.toml", table
    return "", {}


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(files.content(path).decode())
    except FileNotFoundError as exc:
        raise UsageError(f"no settings file {str(path)!r}") from exc
    except OSError as exc:
        raise UsageError(f"can't read settings file {str(path)!r}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"settings file {str(path)!r} is not TOML: {exc}") from exc


def _kebab(table: Mapping[str, object]) -> dict[str, object]:
    """Let keys be written with `_` as well as `-`."""
    return {
        key.replace("_", "-"): _kebab(value) if isinstance(value, dict) else value
        for key, value in table.items()
    }


def _convert(table: dict[str, object], source: str) -> Settings:
    lists = {
        field.encode_name
        for field in msgspec.structs.fields(Settings)
        if field.default == () and field.name != "matching"
    }
    as_lists = {
        key: [value] if key in lists and isinstance(value, str) else value
        for key, value in table.items()
    }
    try:
        return convert(as_lists, Settings)
    except SpellingError as exc:
        raise UsageError(f"{source}: {exc}") from exc


def _convert_given(given: Mapping[str, object]) -> dict[str, object]:
    converted = _convert(
        {name.replace("_", "-"): value for name, value in given.items()}, "a flag or variable"
    )
    return {name: getattr(converted, name) for name in given}
