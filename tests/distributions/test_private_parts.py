"""Where we use parts of a library that it does not promise, only the releases that this was tested with are allowed."""

import ast
from functools import cache
from pathlib import Path

import pytest
from distributions.test_declared import LOCKS, PROJECTS, declared, files, locked, read
from packaging.utils import canonicalize_name
from packaging.version import Version

SHIPPED = ("daemon", "launchers", "migrations", "aileron_mcp", "aileron_testing")
IMPORTED = {"typer", "wasmtime"}
"""Libraries of which a module or a name with an underscore is imported."""
ATTRIBUTES = {
    "_sock": "docker",
    "_response": "docker",
    "_fp": "docker",
    "_coerce_value": "typer",
    "_usage_display_name": "typer",
    "_protected_args": "typer",
}
"""Names with an underscore that are reached on an object of a library."""
INHERITED = {
    "HttpToolsProtocol": "uvicorn",  # BoundedConnection: its parser, its cycles, its queue of requests
    "uvicorn.Server": "uvicorn",  # _Server: its startup, its list of servers, its handling of signals
}
"""Classes of libraries that ours continue in ways their documentation does not offer."""
PROMISED = {
    "_exit": "os._exit is documented",
    "_mapping": "SQLAlchemy documents Row._mapping; the underscore keeps it apart from names of columns",
    "_open": "the standard library's handlers of logs are made to have it overridden",
}


def private(name: str) -> bool:
    """Say whether a name says that it is not for others."""
    return name.startswith("_") and not name.startswith("__")


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    """Return every module that is shipped."""
    return [(path, read(path)) for path in files(SHIPPED)]


def our_names() -> set[str]:
    """Return every name that is defined somewhere in what is shipped."""
    found: set[str] = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


def imported_private(tree: ast.Module) -> set[str]:
    """Return the libraries of which a module imports private parts."""
    found = set()
    for node in ast.walk(tree):
        dotted: list[str] = []
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.split(".")[0] for name in dotted if any(private(part) for part in name.split("."))}
    return found - set(SHIPPED)


def reached_private(tree: ast.Module) -> set[str]:
    """Return the private names that a module reaches on objects of others, also by getattr and setattr."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}):
                found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"getattr", "setattr"}:
            name = node.args[1]
            if isinstance(name, ast.Constant) and private(str(name.value)):
                found.add(str(name.value))
    return found


def test_every_use_of_private_parts_is_known_here() -> None:
    ours = our_names() - ATTRIBUTES.keys()
    imported, reached = set[str](), set[str]()
    for _, tree in trees():
        imported |= imported_private(tree)
        reached |= reached_private(tree) - ours
    assert imported == IMPORTED
    assert reached - PROMISED.keys() == ATTRIBUTES.keys()


def test_every_class_that_is_continued_is_still_continued() -> None:
    bases = {
        ast.unparse(base)
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }
    assert INHERITED.keys() <= bases, "what is not continued any more goes from the list, and its bound with it"


@pytest.mark.parametrize("library", sorted({*IMPORTED, *ATTRIBUTES.values(), *INHERITED.values()}))
def test_a_library_whose_private_parts_are_used_is_held_at_the_releases_that_were_tested(library: str) -> None:
    tested = locked(LOCKS[0])[canonicalize_name(library)]
    following = Version(f"{tested.major}.{tested.minor + 1}") if tested.minor or tested.major == 0 else None
    holding = [declared(project)[library] for project in PROJECTS if library in declared(project)]
    assert holding
    for required in holding:
        assert tested in required.specifier
        assert f"{tested.major + 1}.0" not in required.specifier
        assert following is None or following not in required.specifier


def test_the_search_finds_what_it_is_for() -> None:
    tree = ast.parse(
        "from typer._click import Context\nimport a.b\nx._y\ngetattr(z, '_w', None)\nself._own\ncls.__mro__\n"
    )
    assert imported_private(tree) == {"typer"}
    assert reached_private(tree) == {"_y", "_w"}
