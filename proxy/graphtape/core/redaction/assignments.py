"""Values in texts whose name says that they are secret: settings, scripts, YAML, tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.redaction import secrets
from graphtape.core.redaction.neighbours import PLAIN_VALUE
from graphtape.core.redaction.sweep import Rule
from graphtape.core.redaction.vocabulary import CURSOR_ENDINGS, SECRET_ENDINGS, Place, folded

if TYPE_CHECKING:
    from graphtape.core.redaction.sweep import Sweep

_ENDINGS = (
    *SECRET_ENDINGS,
    *("accesskey", "accountkey", "encryptionkey", "keymaterial", "masterkey", "presharedkey"),
    *("secretkey", "sharedkey", "signingkey", "storagekey", "subscriptionkey", "sastoken"),
    *("clientassertion", "clientstate", "samlassertion", "secrettext", "passwd"),
    *("serviceaccountcredentials", "sharedaccesssignature", "tempauth"),
)
_NAMES = frozenset({"assertion", "pass", "psk", "pw", "pwd"})
_LAST_WORDS = frozenset({"pass", "psk", "pw", "pwd"})
_SIGNATURES = frozenset({"sig", "signature"})
"""Names of much that is no secret, as tokens are: their value must look like one."""
_CURSORS = (*CURSOR_ENDINGS, "nexttoken")
_LONG = 16
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# `name=value` and `"name": "value"`, in a text of no known format.
_ASSIGNED = re.compile(
    r"(?<!\w)(\w[\w-]{1,127}+)"
    r"""(?:["'\\]{0,8}\]?\s{0,4}:?={1,3}>?\s{0,4}|["'\\]{0,8}\s{0,4}:\s{0,4}(?=["'\\]))"""
    r"""(?:"((?:[^"\\\r\n]|\\.)*+)(?:"|\\?\Z)|'([^'\r\n]*+)(?:'|\Z)|(\\{1,7}["'])((?:(?!\4)[^\r\n])*+)"""
    r"""|([^\s"'\\&<>;,#]++))"""
)
# `--password x`, `-Password 'x'`, `/password:x`
_OPTION = re.compile(
    r"(?<![\w/-])(?:--?|/)([A-Za-z][\w-]{1,63}+)(?:[ \t]{1,8}|:)"
    r"""(?:"([^"\r\n]++)"|'([^'\r\n]++)'|([^\s"'|;&<>()-][^\s"'|;&<>()]*+))"""
)
_SECURE = re.compile(
    r"""ConvertTo-SecureString\s{1,8}(?:-String\s{1,8})?(?:"([^"\r\n]++)"|'([^'\r\n]++)')"""
    r"""|(?:"([^"\r\n]++)"|'([^'\r\n]++)')(?=\s{0,8}\|\s{0,8}ConvertTo-SecureString)""",
    re.IGNORECASE,
)
# `curl -u user:password`, `net user name password /add`, `reg add … /v Password … /d value`
_CURL = re.compile(
    r"""(?<=\s)(?:-u|--user|--proxy-user|-U)[ =]{0,4}["']?[^\s:"']{1,128}:([^\s"']++)"""
)
_NET_USER = re.compile(
    r"\bnet1?(?:\.exe)? user\s{1,4}(?:\"[^\"]{1,64}\"|[^\s\"/]{1,64})\s{1,4}([^\s/*][^\s]*+)",
    re.IGNORECASE,
)
_REG_ADD = re.compile(
    r"""/v\s{1,4}["']?([\w-]{2,64}+)["']?(?:\s{1,4}/t\s{1,4}\w{1,20})?\s{1,4}/d\s{1,4}"""
    r"""(?:"([^"\r\n]++)"|([^\s"]++))""",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\{\{.*\}\}|%\w+%|\$env:\w+|<[\w -]+>")
"""No value, but where it comes from."""
# `password: x`, `- token: 'x'`: a line of YAML, or of a text that is written like it.
_YAML_LINE = re.compile(
    r"^[ \t]{0,64}(?:-[ \t]{1,8})?([\w-]{1,64})[ \t]{0,4}:[ \t]{1,8}"
    r"(?:\"([^\"\r\n]*+)\"|'([^'\r\n]*+)'|([^\s\"'|>&*\[{][^\s]*+))"
    r"(?=[ \t]*+(?:#[^\r\n]*+)?(?:\r|$))",
    re.MULTILINE,
)
_YAML_BLOCK = re.compile(
    r"^([ \t]{0,64})(?:-[ \t]{1,8})?([\w-]{1,64})[ \t]{0,4}:[ \t]{1,8}[|>][+-]?[0-9]?[ \t]*+\r?\n"
    r"((?:\1[ \t]+[^\n]*+(?:\n|\Z))+)",
    re.MULTILINE,
)
_CELL = re.compile(r'"((?:[^"]|"")*+)"|[^,;\t\r\n]*+')
_HEADINGS = re.compile(r"[^\r\n]{3,4000}")
_MOST_COLUMNS = 1000


def swept(sweep: Sweep, text: str) -> str:
    """Mask values that are assigned to a name that says secret."""
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(lambda found: _named(sweep, found), text)
    if "-" in text or "/" in text:
        text = _OPTION.sub(lambda found: _named(sweep, found), text)
    if "curl" in text:
        text = _CURL.sub(lambda found: assigned(sweep, found, 1), text)
    if " user " in text:
        text = _NET_USER.sub(lambda found: assigned(sweep, found, 1), text)
    if " /d " in text:
        text = _REG_ADD.sub(lambda found: _named(sweep, found), text)
    if "securestring" in text.lower():
        text = _SECURE.sub(lambda found: assigned(sweep, found, found.lastindex or 0), text)
    return text


def lines(sweep: Sweep, text: str) -> str:
    """Mask values in the lines of YAML, and of what is written like it, and in tables."""
    if ":" in text:
        text = _YAML_BLOCK.sub(lambda block: _yaml_block(sweep, block), text)
        text = _YAML_LINE.sub(lambda line: _yaml_line(sweep, line), text)
    return _table(sweep, text) if "\n" in text else text


def says_secret(sweep: Sweep, name: str, value: str) -> bool:
    """Tell whether a name in a text says that its value is secret, and it may be one."""
    key = folded(name)
    policy = sweep.rules.policy
    if policy.allow_queries or policy.allow_fields:
        allowed = map(folded, (*policy.allow_queries, *policy.allow_fields))
        if key in allowed:
            return False
    words = _WORDS.findall(name)
    last = words[-1].lower() if words else ""
    if key in _NAMES or key.endswith(_ENDINGS) or last in _LAST_WORDS:
        return PLAIN_VALUE.fullmatch(value) is None and _ELSEWHERE.fullmatch(value) is None
    if key in _SIGNATURES:
        return len(value) >= _LONG or any(map(str.isdigit, value))
    return (
        key.endswith("token")
        and len(value) >= _LONG
        and not key.endswith(_CURSORS)
        and key != "token"
    )


def assigned(sweep: Sweep, found: re.Match[str], group: int) -> str:
    """Mask the group of a match that holds a secret, unless it says that there is none."""
    before, value, after = around(found, group)
    if secrets.masked(value) or value.lower() in {"null", "none", "true", "false"}:
        return found[0]
    return before + shaped(sweep, Rule.SECRET, value, secrets.MASK) + after


def around(found: re.Match[str], group: int) -> tuple[str, str, str]:
    """Part a match into what is before a group, the group, and what is after."""
    start, end = found.start(group) - found.start(), found.end(group) - found.start()
    return found[0][:start], found[group], found[0][end:]


def shaped(sweep: Sweep, rule: Rule, secret: str, fake: str) -> str:
    """Note that a secret is replaced, unless the user wants it left alone."""
    return secret if secret in sweep.rules.allowed_values else sweep.note(rule, secret, fake)


def _named(sweep: Sweep, found: re.Match[str]) -> str:
    group = found.lastindex or 0
    if not says_secret(sweep, found[1], found[group]):
        return found[0]
    return assigned(sweep, found, group)


def _yaml_line(sweep: Sweep, line: re.Match[str]) -> str:
    group = line.lastindex or 0
    if not _heads_secret(sweep, line[1]) or PLAIN_VALUE.fullmatch(line[group]):
        return line[0]
    return assigned(sweep, line, group)


def _yaml_block(sweep: Sweep, block: re.Match[str]) -> str:
    if not _heads_secret(sweep, block[2]):
        return block[0]
    before, value, _ = around(block, 3)
    bare = value.strip()
    if secrets.masked(bare):
        return block[0]
    indent = value[: len(value) - len(value.lstrip(" \t"))]
    end = value[len(value.rstrip("\r\n")) :]
    return before + indent + shaped(sweep, Rule.SECRET, bare, secrets.MASK) + end


def _heads_secret(sweep: Sweep, name: str) -> bool:
    place = sweep.rules.field((name.replace(" ", ""),))
    return place is Place.SECRET or (
        place is not Place.ALLOWED and says_secret(sweep, name, "x" * _LONG)
    )


def heads_secrets(sweep: Sweep, text: str) -> bool:
    """Tell whether a text is a table with columns that are headed by the name of a secret."""
    return _headed(sweep, text) is not None


def _headed(sweep: Sweep, text: str) -> tuple[int, str, set[int]] | None:
    """Read a table's heading: where it ends, what parts its cells, which columns are secret."""
    first = _HEADINGS.match(text)
    if first is None or first.end() == len(text):
        return None
    marks = [mark for mark in ",;\t" if mark in first[0]]
    if not marks:
        return None
    mark = max(marks, key=first[0].count)
    names = [name.strip().strip('"').lstrip("\ufeff") for name in first[0].split(mark)]
    secret = {n for n, name in enumerate(names) if _heads_secret(sweep, name)}
    return (first.end(), mark, secret) if secret and len(names) <= _MOST_COLUMNS else None


def _table(sweep: Sweep, text: str) -> str:
    """Mask the columns of CSV (RFC 4180) that are headed by the name of a secret."""
    headed = _headed(sweep, text)
    if headed is None:
        return text
    at, mark, secret = headed
    pieces = [text[:at]]
    column = -1
    while at < len(text):
        if column < 0 or text[at] != mark:
            if text[at] not in "\r\n" and column >= 0:  # no table from here on
                pieces.append(text[at:])
                break
            end = at + len(text[at : at + 2]) - len(text[at : at + 2].lstrip("\r\n"))
            pieces.append(text[at:end])
            at, column = end, 0
        else:
            pieces.append(mark)
            at, column = at + 1, column + 1
        at, cell = _cell(text, at, mark)
        pieces.append(_masked_cell(sweep, cell) if column in secret else cell)
    return "".join(pieces)


def _cell(text: str, at: int, mark: str) -> tuple[int, str]:
    """Read a table's cell; return where it ends, and it."""
    pieces: list[str] = []
    while True:
        found = _CELL.match(text, at)
        cell = found[0] if found is not None else ""
        pieces.append(cell)
        at += len(cell)
        # Another mark than this table's belongs to the cell.
        if cell[:1] == '"' or at >= len(text) or text[at] == mark or text[at] not in ",;\t":
            return at, "".join(pieces)
        pieces.append(text[at])
        at += 1


def _masked_cell(sweep: Sweep, cell: str) -> str:
    quoted = cell[:1] == '"' and len(cell) > 1
    value = cell[1:-1] if quoted else cell
    if not value.strip() or secrets.masked(value) or PLAIN_VALUE.fullmatch(value):
        return cell
    new = shaped(sweep, Rule.SECRET, value, secrets.MASK)
    return f'"{new}"' if quoted else new
