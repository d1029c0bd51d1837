"""What a runtime prints of an error that nobody caught."""

from __future__ import annotations

import pytest

from graphtape.explore.judging.unhandled import error_in_thread, unhandled_error

_RAISED = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'
_DURING = "During handling of the above exception, another exception occurred:"


@pytest.mark.parametrize(
    ("stderr", "name"),
    [
        (f"{_RAISED}KeyError: 'value'\n", "KeyError"),
        (f"asking\n{_RAISED}app.Bad: \n        Code: 403\n        message: None\n", "app.Bad"),
        (
            f"{_RAISED}ValueError: x\n\n{_DURING}\n\n{_RAISED}app.Second: y\n",
            "app.Second",
        ),
        (
            "  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: many\n",
            "ExceptionGroup",
        ),
        (
            f"{_RAISED}lib.StatusError: Client error '404'\nFor more information check: url\n",
            "lib.StatusError",
        ),
        (
            f"{_RAISED}core.ValidationError: 1 validation error for Group\nid\n  Field required\n",
            "core.ValidationError",
        ),
        ("panic: runtime error: index out of range\n", "Go"),
        ("Unhandled exception. System.Exception: x\n", ".NET"),
        ("app.js:1\nthrow e\n^\nError: x\n\nNode.js v22.1.0\n", "Node.js"),
        ("error: Uncaught (in promise) TypeError: x is not a function\n", "Deno"),
        ('Exception in thread "main" java.lang.Error\n', "Java"),
        ("app.rb:3:in 'ask': no value (KeyError)\n\tfrom app.rb:9:in '<main>'\n", "Ruby"),
        ("thread 'main' panicked at src/main.rs:2:5:\n", "Rust"),
    ],
)
def test_an_unhandled_error_is_seen(stderr: str, name: str) -> None:
    found = unhandled_error(stderr)
    assert found is not None
    assert name in found


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        "failed: 403 Forbidden\n",
        f"ERROR:app:it failed\n{_RAISED}KeyError: 'value'\n",
        f"2026-01-02 10:00:00,1 CRITICAL it failed\n{_RAISED}KeyError: 'value'\n",
        f"Task exception was never retrieved\nfuture: <Task finished>\n{_RAISED}OSError: x\n",
        f"failed: 403\n{_RAISED}SystemExit: failed: 403\n",
        f"failed: 403\nException ignored in: <function f at 0x1>\n{_RAISED}OSError: x\n",
        f"{_RAISED}KeyError: 'value'\ngiving up: no value\n",
    ],
)
def test_what_a_program_tells_itself_is_no_crash(stderr: str) -> None:
    assert unhandled_error(stderr) is None


def test_an_error_that_ends_a_thread_is_seen() -> None:
    assert error_in_thread(f"Exception in thread Thread-1 (work):\n{_RAISED}OSError: x\n")
    assert error_in_thread('Exception in thread "pool-1" java.io.IOException: Premature EOF\n')
    assert error_in_thread("note: Exception in thread 4 was handled\n") is None
