from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from graphtape.cli.scenarios import command
from graphtape.scenarios import load, preset_text, presets

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_presets_are_listed_with_what_they_imitate() -> None:
    result = run()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == list(presets())
    assert lines[0].endswith(load(presets()[0]).description)


def test_a_preset_is_printed_as_yaml() -> None:
    assert run("late-failure").output == preset_text("late-failure")


def test_a_file_is_checked_and_printed(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nrules:\n- fault: reset", encoding="utf-8")
    assert run(str(path)).output == "name: mine\nrules:\n- fault: reset\n"
    path.write_text("name: mine\nrules:\n- fault: bang", encoding="utf-8")
    assert "mine.yaml, line 3: rules[0].fault: 'bang'" in str(run(str(path)).exception)


def test_an_unknown_name_lists_those_there_are() -> None:
    said = str(run("throtled").exception)
    assert "did you mean 'throttled'" in said
    assert all(name in said for name in presets())


def test_the_schema_is_json_and_closed() -> None:
    schema = json.loads(run("--schema").output)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    tables = schema["$defs"].values()
    assert all(table["additionalProperties"] is False for table in tables)


def test_schema_and_name_exclude_each_other() -> None:
    assert "leave 'throttled' out" in str(run("--schema", "throttled").exception)
