"""A report as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from graphtape.core.journal import Source
from graphtape.core.report.markdown import as_markdown
from reports import eventful, fine, journal, miss, session, tape, tell, used

if TYPE_CHECKING:
    from collections.abc import Callable

    from markdown_it.token import Token

    Golden = Callable[[str, str], None]


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def tables(text: str) -> list[list[list[Token]]]:
    """Return the cells of each row of each table, as a reader sees them."""
    found: list[list[list[Token]]] = []
    for token in parsed(text):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                found[-1].append([])
            case "inline" if token.level >= 4 and found:
                found[-1][-1].append(token)
            case _:
                pass
    return found


def shown(cell: Token) -> str:
    return "".join(child.content for child in cell.children or () if child.type != "html_inline")


def fences(text: str) -> list[str]:
    return [token.content for token in parsed(text) if token.type == "fence"]


def test_markdown_tells_everything(golden: Golden) -> None:
    golden("report.md", as_markdown([eventful()]))


def test_a_run_that_is_fine_is_a_heading_and_a_table(golden: Golden) -> None:
    golden("report-fine.md", as_markdown([fine()]))


@pytest.mark.parametrize(
    "path",
    [
        "/v1.0/a|b",
        "/v1.0/a|b`c",
        "/v1.0/`",
        "/v1.0/``a`",
        "/v1.0/a\\",
        "/v1.0/a\\|b",
        "/v1.0/a\\\\|b`<b>&amp;",
        "/v1.0/<script>*a*_b_[c](d)",
        "/v1.0/users?$filter=a eq 'b'|c",
    ],
)
def test_a_url_cannot_break_a_table(path: str) -> None:
    (_, rows) = tables(as_markdown([tell(session(tape(f"GET {path}")), cassettes=())]))
    assert [len(row) for row in rows] == [3, 3]
    assert shown(rows[1][2]) == path


@pytest.mark.parametrize("note", ["```\n# heading", "````\na|b\n```", "~~~\n- x", "a\r\n```\nb"])
def test_a_message_cannot_leave_its_fence(note: str) -> None:
    told = session()
    miss(told, note=note)
    assert fences(as_markdown([tell(told)])) == ["\n".join(note.splitlines()) + "\n"]


def test_a_line_of_a_list_cannot_leave_its_fence() -> None:
    told = session()
    journal(told, "/v1.0/x", Source.REFUSED, status=400, note="```\n# heading")
    text = as_markdown([tell(told, cassettes=())])
    assert fences(text) == ["1 x GET /v1.0/x: ```\n"]


def test_a_method_cannot_break_a_table() -> None:
    rows = tables(as_markdown([tell(session(tape("A|B`C /v1.0/me")), cassettes=())]))[-1]
    assert shown(rows[1][1]) == "A|B`C"


def test_each_session_has_a_heading_of_its_own() -> None:
    other = session(used(), name="b")
    miss(other)
    text = as_markdown([fine(), tell(other)])
    headings = [token.content for token in parsed(text) if token.type == "inline" and token.level]
    assert "✅ Graphtape: ok" in headings
    assert "❌ Graphtape session `b`: 1 miss" in headings


@pytest.mark.parametrize("limit", [0, 50, 400, 1_000, 5_000, 20_000])
def test_a_cut_is_between_blocks_and_said(limit: int) -> None:
    told = session()
    for number in range(50):
        miss(told, f"/v1.0/{number}", f"Nothing recorded answers {number} ü.\n" * 20)
    text = as_markdown([tell(told, cassettes=())], limit=limit)
    assert len(text.encode()) <= limit
    if text:
        assert "--report FILE.md" in text.splitlines()[-1]
        assert len([each for each in parsed(text) if each.type == "fence"]) == text.count("```text")


def test_what_fits_is_not_cut() -> None:
    whole = as_markdown([eventful()])
    assert as_markdown([eventful()], limit=len(whole.encode())) == whole
    assert as_markdown([eventful()], limit=len(whole.encode()) - 1) != whole
