"""`graphtape permissions`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphtape import files
from graphtape.cli.options import FilePath, form_option
from graphtape.core.errors import GraphtapeError, UsageError
from graphtape.core.graph.privilege import Grant, PermissionsError, Privileges, smallest
from graphtape.core.matching.shape import operations_of
from graphtape.core.signin.permission import Kind
from graphtape.tape.store import open_cassette

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphtape.core.matching.operation import Operation
    from graphtape.tape.vcr_format import Metadata

COULD_NOT_LOOK = 2
_SCHEMES = {Kind.DELEGATED: "DelegatedWork", Kind.APPLICATION: "Application"}
# They let a client sign in; no operation of Graph takes them.
_OPEN_ID = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needed:
    """What the recorded operations need.

    Attributes:
        grants: By operation, the least privileged first; empty of one that isn't known.
        smallest: The fewest permissions for all that are known.
        beyond: What the recorded tokens had, and nothing needs.
        tokens: Whether the cassettes say what they had.
    """

    kind: Kind
    grants: dict[Operation, tuple[Grant, ...]]
    smallest: tuple[str, ...]
    beyond: tuple[str, ...]
    tokens: bool


@click.command("permissions")
@click.argument("cassettes", nargs=-1, required=True, type=FilePath(path_type=Path))
@click.option(
    "--permissions",
    "document",
    type=FilePath(path_type=Path),
    required=True,
    metavar="FILE",
    help="Microsoft's permissions.json; docs/permissions.md says where it is.",
)
@click.option(
    "--delegated/--application",
    "delegated",
    default=None,
    help="A user's permissions, or an app's; unless said, what the recorded tokens had.",
)
@form_option("A line for each operation, or all of them as one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    cassettes: tuple[Path, ...],
    document: Path,
    delegated: bool | None,  # noqa: FBT001 - click's
    form: str,
) -> None:
    """Say which permissions the recorded calls need, the least privileged that are documented.

    Then the fewest for all of them, and what the recorded tokens had beyond those. Operations that
    FILE doesn't know are named, and nothing is guessed of them.

    Exit codes: 0, 2 a file can't be read.
    """
    try:
        opened = [open_cassette(path) for path in cassettes]
        metadata = [each.metadata for each in opened if each.metadata is not None]
        kind = _kind(delegated, metadata)
        privileges = _privileges(document, kind)
    except UsageError:
        raise
    except GraphtapeError as exc:
        click.echo(f"Error: {exc}", err=True)
        ctx.exit(COULD_NOT_LOOK)
    calls = (call for each in opened for one in each.interactions for call in operations_of(one))
    needed = _needed(calls, metadata, kind, privileges)
    click.echo(_as_json(needed) if form == "json" else "\n".join(_lines(needed)))


def _kind(delegated: bool | None, metadata: Iterable[Metadata]) -> Kind:  # noqa: FBT001 - click's
    if delegated is not None:
        return Kind.DELEGATED if delegated else Kind.APPLICATION
    kinds = {
        kind
        for each in metadata
        for kind, names in ((Kind.DELEGATED, each.scopes), (Kind.APPLICATION, each.roles))
        if names
    }
    if len(kinds) != 1:
        why = "both were recorded" if kinds else "no recorded token says"
        raise UsageError(f"whose permissions? say --delegated or --application: {why}")
    return kinds.pop()


def _privileges(path: Path, kind: Kind) -> Privileges:
    try:
        tree: object = json.loads(files.content(path).decode("utf-8-sig"))
        return Privileges.parse(tree, scheme=_SCHEMES[kind])
    except FileNotFoundError as exc:
        raise UsageError(f"--permissions {path}: no such file") from exc
    except OSError as exc:
        raise UsageError(f"--permissions {path}: can't be read ({exc.strerror})") from exc
    except PermissionsError as exc:
        raise UsageError(f"--permissions {path}: not a permissions document: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"--permissions {path}: not JSON ({exc})") from exc


def _needed(
    calls: Iterable[Operation], metadata: Sequence[Metadata], kind: Kind, privileges: Privileges
) -> _Needed:
    # Off Graph, the path begins with a host.
    operations = {call.folded(): call for call in calls if call.path.startswith("/")}
    grants = {each: privileges.grants(each) for each in sorted(operations.values())}
    chosen = smallest([each for each in grants.values() if each])
    had = {
        name
        for each in metadata
        for name in (each.scopes if kind is Kind.DELEGATED else each.roles)
        if name.lower() not in _OPEN_ID
    }
    wanted = {name.lower() for name in chosen}
    return _Needed(
        kind=kind,
        grants=grants,
        smallest=chosen,
        beyond=tuple(sorted(name for name in had if name.lower() not in wanted)),
        tokens=bool(had),
    )


def _lines(needed: _Needed) -> list[str]:
    known = {str(each): grants[0] for each, grants in needed.grants.items() if grants}
    width = max(map(len, known), default=0)
    lines = [
        f"{name.ljust(width)}  {grant.name}" + (f", and {grant.also}" if grant.also else "")
        for name, grant in known.items()
    ]
    lines += [
        f"{each}: not in the permissions document"
        for each, grants in needed.grants.items()
        if not grants
    ]
    lines += ["", f"fewest {needed.kind} permissions: {', '.join(needed.smallest) or 'none'}"]
    if needed.tokens:
        lines.append(
            f"beyond them the recorded tokens had: {', '.join(needed.beyond) or 'nothing'}"
        )
    else:
        lines.append(f"no recorded token says which {needed.kind} permissions it had")
    return lines


def _as_json(needed: _Needed) -> str:
    tree = {
        "kind": str(needed.kind),
        "operations": [
            {
                "method": each.method,
                "path": each.path,
                "permissions": [grant.name for grant in grants],
                **({"also": grants[0].also} if grants and grants[0].also else {}),
            }
            for each, grants in needed.grants.items()
        ],
        "smallest": list(needed.smallest),
        "beyond": list(needed.beyond) if needed.tokens else None,
        "unknown": [str(each) for each, grants in needed.grants.items() if not grants],
    }
    return json.dumps(tree, indent=2)
