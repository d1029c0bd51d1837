"""The shape of the code: what architecture.md says of modules and imports."""

from __future__ import annotations

import ast
from pathlib import Path

from aiohttp import web

SOURCE = Path(__file__).parents[1] / "proxy"


def modules() -> dict[str, Path]:
    """Return every module of the product by its name."""
    found = {}
    for file in (SOURCE / "graphtape").rglob("*.py"):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(file: Path, names: dict[str, Path]) -> set[str]:
    """Return the modules of the product that a file names, wherever in it and whatever for."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules_inside = inside & names.keys()
            found |= modules_inside
            if len(modules_inside) < len(node.names):
                found.add(node.module)
    return found & names.keys()


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules of which each leads to each other one (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1 or name in arrows[name]:
                found.append(sorted(group))

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_modules_import_each_other() -> None:
    names = modules()
    assert len(names) > 100
    # The package's own face names everything, and everything may ask it for the version.
    del names["graphtape"]
    assert circles({name: imports(file, names) - {name} for name, file in names.items()}) == []


def private_attributes(file: Path) -> set[str]:
    """Return the attributes with an underscore that a file takes of something, whatever it is."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
    }


def test_one_module_alone_takes_what_aiohttp_keeps_to_itself() -> None:
    kept = {
        name
        for owner in (web.RequestHandler, web.Server, web.AppRunner)
        for name in (*dir(owner), *getattr(owner, "__slots__", ()))
        if name.startswith("_") and not name.startswith("__")
    }
    ours = {"_loop", "_close", "_handler", "_timeout", "_request", "_cache", "_sites", "_server"}
    found = {
        name: taken
        for name, file in modules().items()
        if ".server." in name and (taken := private_attributes(file) & (kept - ours))
    }
    assert found.keys() == {"graphtape.server.aiohttp_private"}, found
    assert {"_messages", "_waiter", "_parser"} & found["graphtape.server.aiohttp_private"]
