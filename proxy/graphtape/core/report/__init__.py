"""What sessions came to: for a terminal, a program, a page, and what shows test results."""

from typing import TYPE_CHECKING

from graphtape.core.lazily import lazily

if TYPE_CHECKING:
    from graphtape.core.report.accounting import account
    from graphtape.core.report.flat_json import as_json
    from graphtape.core.report.junit import as_junit
    from graphtape.core.report.markdown import as_markdown
    from graphtape.core.report.report import CassetteFacts, Incident, Report, Taping
    from graphtape.core.report.text import as_text
    from graphtape.core.report.unused import unused_by_all
    from graphtape.core.report.usage import Usage

__all__ = [
    "CassetteFacts",
    "Incident",
    "Report",
    "Taping",
    "Usage",
    "account",
    "as_json",
    "as_junit",
    "as_markdown",
    "as_text",
    "unused_by_all",
]

if not TYPE_CHECKING:  # a mistyped name stays an error
    __getattr__ = lazily(
        __name__,
        {
            "accounting": "account",
            "flat_json": "as_json",
            "junit": "as_junit",
            "markdown": "as_markdown",
            "report": "CassetteFacts Incident Report Taping",
            "text": "as_text",
            "unused": "unused_by_all",
            "usage": "Usage",
        },
    )
