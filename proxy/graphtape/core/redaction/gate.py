"""The first look at a body: most of Graph's answers hold nothing to hide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphtape.core.redaction import long_runs, vocabulary
from graphtape.core.redaction.identities import DOCUMENTATION_DOMAINS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphtape.core.redaction.places import Rules

# Each rule's names and shapes hold one of these, lower case, without `_` and `-`. bytes.find goes
# through a body several times faster than a regular expression with as many alternatives.
_SECRET_STEMS = (
    *(b"secret", b"pass", b"pwd", b"auth", b"assertion", b"cred", b"client", b"key", b"code"),
    *(b"token", b"cookie", b"sig", b"sas", b'url"', b"connectionstr", b"eyj", b"earer ", b"mii"),
    *(b'headers"', b'"body"', b"\\", b'pin"', b"pin=", b"psk", b'"k"', b'"d"'),
    *(b"securestring", b"=?", b"pw", b"basic ", b"curl", b"ticket", b"/meet/"),
    *(b"net user ", b"net1 user ", b"exe user "),
    *(b"%4", b"%5", b"%6", b"%7", b"%2d"),  # letters: `pass%77ord=` is a form's `password=`
)
_IDENTITY_STEMS = (
    *(b"tenant", b"tid", b"organi", b"/v2/", b"login.", b"sts.", b"domain", b"aadsts"),
    *(b".onm", b"sharepoint.", b"ext#", b"%"),
    *(b"realm", b"directory ", b"directory=", b"directory:", b'directory"', b"directoryid"),
)
# An `@` of an annotation, or at the domain of nobody, tells nothing; what stands before it shows
# by a stem, if it is a guest's name.
_TELLING_AT = re.compile(
    rb'@(?!odata\.|removed"|microsoft\.graph\.|(?:%b)")'
    % b"|".join(re.escape(name.encode()) for name in sorted(DOCUMENTATION_DOMAINS))
)
# UTF-16, gzip and zlib: nothing shows.
_PACKED = {b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"x\x9c", b"x\xda"}
UTF16_SAMPLE = 256
"""Bytes from a body's start in which UTF-16 without a mark shows by its zeros."""
_FEW = 8 * 1024
"""Bytes of a body up to which its words hardly repeat."""
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 64
_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_DIGITS = b"0123456789"
_LEFT_OUT = _DIGITS + b"_-"
_RECOVERY_KEY = b"000000-000000-000000-"


class Gate:
    """Turns away the bodies in which no rule can find anything."""

    def __init__(self, rules: Rules) -> None:
        self._always = bool(rules.patterns or rules.personal)
        self._identities = rules.identities
        own = (*_own(rules), *_stemless())
        self._stems = _shortest(
            (*_SECRET_STEMS, *(_IDENTITY_STEMS if rules.identities else ()), *own)
        )
        self._sure = _sure(rules, own)
        self._words = _Words(self._stems)
        # A name of the user's with a quote in it would stand in two pieces.
        self._remembers = not any(b'"' in name for name in own)
        self._dull: set[bytes] = set()

    def lets_by(self, body: bytes) -> bool:
        """Tell whether a body can stay as it is."""
        if self._always or body[:2] in _PACKED or b"\0" in body[:UTF16_SAMPLE]:
            return False
        if self._identities and b"@" in body and _TELLING_AT.search(body) is not None:
            return False
        if self._remembers and len(body) <= _FEW and self._is_dull(body):
            return True
        return not shows(body) and self._holds_nothing(body)

    def _holds_nothing(self, body: bytes) -> bool:
        """Tell whether no stem is in a body, or none where a name stands."""
        if len(body) > _FEW and self._words.holds_none(body):
            return True
        bare = body.lower().translate(None, b"_-")
        if len(body) <= _FEW and not any(map(bare.__contains__, self._stems)):
            return True
        return self._sure.search(bare) is None

    def _is_dull(self, body: bytes) -> bool:
        """Tell that no stem is in a body, by those of its pieces alone that are new.

        Answers repeat their names, and many of their values. Quotes part the pieces, and no stem
        has one but at its ends.
        """
        pieces = set(body.split(b'"'))
        pieces -= self._dull
        if not pieces:
            return True
        new = b'"%b"' % b'"'.join(pieces)
        bare = new.lower().translate(None, b"_-")
        if any(map(bare.__contains__, self._stems)):
            return False
        if shows(b'"'.join([piece for piece in pieces if len(piece) >= long_runs.SHORTEST])):
            return False
        if len(self._dull) >= _REMEMBERED:
            self._dull.clear()
        self._dull.update(piece for piece in pieces if len(piece) <= _LONGEST_REMEMBERED)
        return True


class _Words:
    """Looks for stems in the distinct words of a long body: a list repeats most of its words.

    Digits are left out, of the stems as well: what differs only in numbers is one word then. More
    bodies seem to hold a stem so, and none that holds one is missed.
    """

    def __init__(self, stems: tuple[bytes, ...]) -> None:
        bare = _shortest(tuple(stem.translate(None, _LEFT_OUT) for stem in stems))
        self._stems = _shortest(tuple(_one_word(stem) for stem in bare))
        used = set(b"".join(self._stems)) | set(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
        self._table = bytes(
            lower if (lower := bytes((each,)).lower()[0]) in used else 0x20 for each in range(256)
        )

    def holds_none(self, body: bytes) -> bool:
        """Tell whether no stem is in a body."""
        words = set(body.translate(self._table, _LEFT_OUT).split())
        joined = b" %b " % b" ".join(words)
        return not any(map(joined.__contains__, self._stems))


def _one_word(stem: bytes) -> bytes:
    """Return a stem, or one of its words where it has several: words are looked at apart."""
    words = stem.split()
    if len(words) < 2:  # noqa: PLR2004 - one word
        return stem
    return b" %b " % words[-1] if stem.endswith(b" ") else max(words, key=len)


def shows(raw: bytes) -> bool:
    """Tell whether there may be what no name tells: keys by their shape, base64 of a text."""
    return _RECOVERY_KEY in raw.translate(_AS_ZERO) or any(long_runs.look(raw))


def _shortest(stems: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Leave out what holds another one, and can't be there without it."""
    return tuple(
        stem for stem in dict.fromkeys(stems) if not any(o in stem for o in stems if o != stem)
    )


def _stemless() -> tuple[bytes, ...]:
    """List the names of secrets that hold none of the stems."""
    names = {*vocabulary.SECRET_FIELDS, *vocabulary.LINK_FIELDS, *vocabulary.TYPED_SECRETS}
    return tuple(
        name.encode()
        for name in sorted(names)
        if not any(stem in f'"{name}"'.encode() for stem in _SECRET_STEMS)
    )


def _own(rules: Rules) -> tuple[bytes, ...]:
    """List the user's own names; of paths, the innermost."""
    policy = rules.policy
    names: Iterable[str] = (*policy.fields, *policy.queries, *policy.headers)
    return tuple(vocabulary.folded(name.rpartition(".")[2]).encode() for name in names)


def _trie(names: Iterable[str]) -> str:
    """Write an expression of names that tries each common beginning once."""
    tree: dict[str, list[str]] = {}
    ends = False
    for name in names:
        if name:
            tree.setdefault(name[0], []).append(name[1:])
        else:
            ends = True
    branches = [re.escape(first) + _trie(rest) for first, rest in tree.items()]
    if not branches:
        return ""
    whole = branches[0] if len(branches) == 1 and not ends else f"(?:{'|'.join(branches)})"
    return f"(?:{whole})?" if ends else whole


def _sure(rules: Rules, own: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Match what a body must hold beyond a stem: a name where names stand, or a shape's mark."""
    names = sorted(
        {
            *vocabulary.SECRET_FIELDS,
            *vocabulary.SECRET_ENDINGS,
            *vocabulary.FORM_SECRETS - {"code"},
            *vocabulary.QUERY_SECRETS,
            *vocabulary.SECRET_NEIGHBOURS,
            *vocabulary.LINK_FIELDS,
            *("downloadurl", "weburl"),
        }
    )
    marks = [b"(?:" + _trie(names).encode() + rb")[\"'\\\s]{0,40}[=:,}>%;<|&\]]", b"code="]
    # Options and headings; the names of properties go on, as `passwordPolicies` does.
    marks += [rb"(?:pass|pwd|pw|passwd|password|psk|secret|token|key|code)[\"'\\]{0,8}[\s\\]"]
    marks += [b"basic ", b"curl ", rb"net1?(?:\.exe)? user ", b"/meet/"]
    marks += [
        b"securestring",
        rb"=\?",
        rb"(?:pass|pw|psk|signature|sig|ticket|token)[\"'\\\s]{0,40}[=:>]",
    ]
    marks += [b"eyj", b"earer ", b"cookie", b"authorization", b"private", b'headers"', b'"body"']
    marks += [b"mii..[aqgw]iba", b'"k"', b'"d"', *map(str.encode, vocabulary.TYPED_SECRETS)]
    marks += [b"contentdisposition"]  # multipart: blank lines stand between name and value
    # They hide what a name would show.
    marks += [rb"\\/", rb"\\u00[2-7]", b"%3d", b"%[4-7][0-9a-f]", b"%2d"]
    if rules.identities:
        marks += [
            b"tenant",
            rb"(?:tid|directory)(?:\W|[0-9a-f]{8}|eq|is|with|id)",
            b"realm",
            b"/v2/",
            rb"login\.",
            rb"sts\.",
            b"domain",
        ]
        marks += [b"organi[sz]ation", b"aadsts", b"onmicrosoft", b"onmschina"]
        marks += [rb"sharepoint\.", b"#ext#", b"%23ext%23"]
    marks += [re.escape(name) for name in own]
    return re.compile(b"|".join(marks))
