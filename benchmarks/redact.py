"""`python -m benchmarks redact`: what redaction costs, beside reading the same JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from benchmarks.table import Figure, Goal
from benchmarks.turns import say
from graphtape.core.message import Headers, Response
from graphtape.core.redaction import Redactor

if TYPE_CHECKING:
    from benchmarks.options import Options
    from benchmarks.table import Results

PART = "redact"
_URL = "https://graph.microsoft.com/v1.0/users"
_MIB = 1 << 20


def run(options: Options, results: Results) -> None:
    """Measure ordinary answers, and long ones with and without something to hide."""
    bodies = {
        "70 users": _users(70, "contoso.com"),
        "70 users with addresses": _users(70, "acme.test"),
        "policy of 40 settings": _policy(40),
        "1 MB of users": _users(3_700, "contoso.com"),
        "20 MiB, no secret": _users(73_000, "contoso.com"),
        "20 MiB, one secret": _users(73_000, "contoso.com", secret=True),
        "15 MB of identities": _users(53_000, "acme.test"),
    }
    took = {
        name: _seconds(body, options.rounds) for name, body in bodies.items() if options.wants(name)
    }
    for name, (ours, reading) in took.items():
        results.figures += [
            Figure(part=PART, name=name, value=ours * 1e3, unit="ms"),
            Figure(part=PART, name=f"{name}, beside reading it", value=ours / reading, unit="x"),
        ]
    plain, secret = took.get("20 MiB, no secret"), took.get("20 MiB, one secret")
    if plain is not None and secret is not None:
        results.goals.append(
            Goal(
                part=PART,
                name="20 MiB with one secret, beside without any",
                value=secret[0] / plain[0],
                goal=1.5,
                more_is_better=False,
            )
        )
    people = took.get("15 MB of identities")
    if people is not None:
        results.goals.append(
            Goal(
                part=PART,
                name="15 MB of identities",
                value=people[0],
                goal=3.0,
                unit="s",
                more_is_better=False,
            )
        )


def _seconds(body: bytes, rounds: int) -> tuple[float, float]:
    """Return the best time to redact a body that was never seen, and to read it."""
    say(f"{PART}: {len(body) / _MIB:.2f} MiB")
    ours, reading = [], []
    headers = Headers((("Content-Type", "application/json"),))
    for _ in range(rounds if len(body) > _MIB else rounds * 10):
        clean = Redactor(salt="benchmark")
        response = Response(status=200, reason="OK", headers=headers, body=body)
        began = time.process_time()
        clean.response(response, url=_URL)
        ours.append(time.process_time() - began)
        began = time.process_time()
        json.loads(body)
        reading.append(time.process_time() - began)
    return min(ours), min(reading)


def _users(count: int, domain: str, *, secret: bool = False) -> bytes:
    people: list[dict[str, object]] = [
        {
            "@odata.type": "#microsoft.graph.user",
            "id": f"{n:08x}-1111-4222-8333-{n * 7919 % 10**12:012d}",
            "displayName": f"User {n}",
            "jobTitle": "Engineer",
            "mail": f"user{n}@{domain}",
            "userPrincipalName": f"user{n}@{domain}",
            "businessPhones": ["+1 425 555 0100"],
            "officeLocation": "18/2111",
        }
        for n in range(count)
    ]
    if secret:
        people[count // 2]["password"] = "Fake-Benchmark-1"  # noqa: S105 - fake
    return json.dumps({"@odata.context": "users", "value": people}).encode()


def _policy(count: int) -> bytes:
    kind = "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance"
    name = "device_vendor_msft_policy_config_browser_allow"
    settings = [
        {
            "id": str(n),
            "settingInstance": {
                "@odata.type": kind,
                "settingDefinitionId": f"{name}{n}",
                "choiceSettingValue": {"value": f"{name}{n}_1", "children": []},
            },
        }
        for n in range(count)
    ]
    return json.dumps({"id": "p", "name": "Policy", "settings": settings}).encode()
