"""`graphtape redact`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import click

from graphtape.cli.options import FilePath, config, option, settings_of
from graphtape.cli.serving import say
from graphtape.cli.terminal.progress import working
from graphtape.core.errors import CassetteError, NotAFileError
from graphtape.tape.baseline import is_baseline
from graphtape.tape.cleaning import Clean, Cleaned, clean
from graphtape.tape.folder import UNSAVED, cassettes_among, is_part

if TYPE_CHECKING:
    from graphtape.core.redaction import Policy
    from graphtape.tape.cleaning import Outcome

FAILED = 1
COULD_NOT_LOOK = 2


@click.command("redact")
@click.argument("paths", nargs=-1, required=True, type=FilePath(path_type=Path))
@option("--keep-identities", is_flag=True, help="Leave mail addresses, tenant ids and domains.")
@config
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[Path, ...], **_: object) -> None:
    """Mask the secrets in existing cassettes and replace the identities, in place.

    A PATH is a YAML cassette of Graphtape or vcrpy, or a folder of them. A clean one stays as it
    is, to the byte; of any other, comments and unknown keys go.

    \b
    Example:
      graphtape redact cassettes/ && graphtape scan cassettes/
    """  # noqa: D301 - click's mark for lines to leave alone
    policy = settings_of(ctx).policy()
    code = 0
    try:
        for path in cassettes_among(paths):
            if not is_baseline(path):
                code = max(code, _redact(path, policy))
    except CassetteError as exc:
        code = max(code, FAILED)
        say(f"error: {exc}")
    ctx.exit(code)


def _redact(path: Path, policy: Policy) -> int:
    """Redact one file; return the exit code it is worth."""
    if is_part(path):
        say(f"error: {path}: {UNSAVED}")
        return FAILED
    salt = os.environ.get("GRAPHTAPE_SALT")
    try:
        with working(f"redacting {path}") as progress:
            outcome = clean(path, policy, salt=salt, progress=progress)
    except NotAFileError as exc:
        say(f"error: {exc}")
        return COULD_NOT_LOOK
    except CassetteError as exc:
        say(f"error: {exc}")
        return FAILED
    except Exception as exc:  # noqa: BLE001 - our own mistake; the other files are still to do
        say(f"error: {path}: left as it is: {type(exc).__name__} in redaction")
        return FAILED
    click.echo(f"{path}: {_told(outcome)}")
    return 0


def _told(outcome: Outcome) -> str:
    match outcome:
        case Clean():
            told = "clean"
        case Cleaned():
            told = (
                f"masked {_count(outcome.secrets, 'secret')}, "
                f"replaced {_count(outcome.identities, 'identity', 'identities')}"
            )
            if outcome.personal:
                personal = _count(outcome.personal, "personal field")
                told += f", kept {personal} (`personal = true` under [redaction] replaces them)"
        case _:
            assert_never(outcome)
    if outcome.left:
        told += f"; left {_count(outcome.left, 'finding')} for you to judge, see `graphtape scan`"
    return told


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
