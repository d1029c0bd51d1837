"""Findings as SARIF 2.1.0 (OASIS), which code scanning reads."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from graphtape import __version__
from graphtape.core.redaction import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from graphtape.tape.file_scan import LocatedFinding

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ABOUT = {
    Rule.AUTHORIZATION: "Credentials of a header field",
    Rule.COOKIE: "A cookie",
    Rule.SECRET: "A value whose name or shape says that it is secret",
    Rule.JWT: "A JSON Web Token",
    Rule.PRIVATE_KEY: "A private key",
    Rule.LINK: "A part of a URL that lets one in without a token",
    Rule.URL_PASSWORD: "A password in a URL",
    Rule.MAIL: "A mail address or user principal name",
    Rule.DOMAIN: "A domain of a tenant",
    Rule.TENANT: "The id of a tenant",
    Rule.PERSONAL: "A name, phone number or device name",
    Rule.PATTERN: "What an expression of the settings matches",
    Rule.UNOPENED: "Something packed that can't be looked into",
    Rule.OPAQUE: "A long random value in a place that no rule knows",
}
_WARNINGS = frozenset({Rule.OPAQUE, Rule.UNOPENED})
_HELP = (
    "Clean the cassette with `graphtape redact`. To allow a value, list it under allow-values in "
    "[redaction]; to accept this finding alone, write a baseline with `graphtape scan "
    "--write-baseline FILE`."
)


def sarif(found: Sequence[tuple[Path, LocatedFinding]]) -> str:
    """Write findings as one SARIF log.

    Args:
        found: File and finding; paths as the user named them.
    """
    rules = [
        rule_of(rule.value, about, _HELP, _level(rule.value)) for rule, about in _ABOUT.items()
    ]
    return log(rules, [_result(path, located) for path, located in found])


def rule_of(name: str, about: str, help_: str, level: str) -> dict[str, object]:
    """Describe a rule."""
    return {
        "id": name,
        "shortDescription": {"text": about},
        "help": {"text": help_},
        "defaultConfiguration": {"level": level},
    }


def log(rules: Sequence[object], results: Sequence[object]) -> str:
    """Write rules and results as one SARIF log."""
    driver = {"name": "graphtape", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _level(rule: str) -> str:
    return "warning" if rule in _WARNINGS else "error"


def _result(path: Path, located: LocatedFinding) -> dict[str, object]:
    finding, index = located.finding, located.interaction
    place = finding.place if index is None else f"interactions[{index}].{finding.place}"
    text = f"{place}: {finding.excerpt}. {_ABOUT[Rule(finding.rule)]}. {_HELP}"
    return result_of(path, finding.rule, _level(finding.rule), place=place, text=text)


def result_of(path: Path, rule: str, level: str, *, place: str, text: str) -> dict[str, object]:
    """Describe a finding: in a file, at a place that no line tells."""
    address = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": address},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": place}],
            }
        ],
        "partialFingerprints": {
            "place/v1": hashlib.sha256(f"{rule} {place}".encode()).hexdigest()[:32]
        },
    }
