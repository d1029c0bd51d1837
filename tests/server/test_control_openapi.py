"""The control API does what its OpenAPI document says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from proxies import AUTH, recording, replaying

DOCS = Path(__file__).parents[2] / "docs" / "control.md"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "negative_data_rejection",
)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "tape.yaml"
    with recording(path, upstream="sandbox") as proxy:
        requests.get(f"{proxy.url}/v1.0/me", headers=AUTH, timeout=5)
    return path


@pytest.fixture(scope="module")
def document(tape: Path) -> dict[str, dict[str, dict[str, object]]]:
    with replaying(tape) as proxy:
        answer = requests.get(f"{proxy.control}/openapi.json", timeout=5).json()
    assert isinstance(answer, dict)
    return answer


def test_every_reference_leads_somewhere(
    document: dict[str, dict[str, dict[str, object]]],
) -> None:
    named = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert named
    assert named <= document["components"]["schemas"].keys()


def test_every_operation_is_documented(
    document: dict[str, dict[str, dict[str, object]]],
) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for path, item in document["paths"].items():
        for method in item.keys() - {"parameters"}:
            assert f"`{method.upper()} {path}`" in text


def test_every_field_says_what_it_means(
    document: dict[str, dict[str, dict[str, object]]],
) -> None:
    schema = document["components"]["schemas"]["NewSession"]
    assert isinstance(schema, dict)
    fields = schema["properties"]
    assert [name for name, schema in fields.items() if "description" not in schema] == []


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="needs schemathesis")
def test_what_schemathesis_makes_up_is_answered_as_documented(tape: Path, tmp_path: Path) -> None:
    with replaying(tape, fast=True) as proxy:
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"{proxy.control}/openapi.json",
                *("--seed", "0", "--max-examples", "5", "--request-timeout", "10", "--no-color"),
                *("--phases", "coverage,fuzzing", "--checks", ",".join(CHECKS)),
                *("--exclude-path", "/events"),  # without end; test_control_events.py has it
            ],
            cwd=tmp_path,
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
