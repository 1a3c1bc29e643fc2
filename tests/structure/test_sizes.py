"""Modules and functions are small, so that a reader holds each one in mind; what is long says why, right above it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("aileron_mcp", "aileron_testing", "benchmarks", "connectors", "daemon", "launchers", "migrations"),
    *("sandbox_image", "scripts"),
)
MODULE_LINES = 400
MEDIAN_LINES = 120
FUNCTION_LINES = 60
REASON = "# Long, because "


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "node_modules" not in path.parts)


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function, but not those of a function in it, such as a router's route: that counts alone."""
    inner = sum(_last(node) - _first(node) + 1 for node in _inner(function))
    return _last(function) - function.lineno + 1 - inner


def _inner(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child
        else:
            yield from _inner(child)


def _first(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return min(node.lineno, *(each.lineno for each in node.decorator_list), node.lineno)


def _last(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return node.end_lineno or node.lineno


def wrong_functions(text: str) -> list[str]:
    """Return the functions that are long without a reason, or have a reason and are not long."""
    lines, found = text.splitlines(), []
    for each in functions(ast.parse(text)):
        above = lines[_first(each) - 2].strip() if _first(each) > 1 else ""
        if (own_lines(each) > FUNCTION_LINES) != above.startswith(REASON):
            found.append(f"{each.name} (line {each.lineno}) has {own_lines(each)} lines")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_longer_than_four_hundred_lines(package: str) -> None:
    assert [str(path) for path in modules(package) if len(lines_of(path)) > MODULE_LINES] == []


def test_half_of_the_modules_have_fewer_than_a_hundred_and_twenty_lines() -> None:
    counts = [len(lines_of(path)) for package in PACKAGES for path in modules(package)]
    assert len(counts) > 100
    assert median(counts) < MEDIAN_LINES


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_over_sixty_lines_says_why_and_no_other_one_does(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): wrong_functions(path.read_text(encoding="utf-8")) for path in modules(package)
    }
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_a_long_function_without_a_reason_would_be_found() -> None:
    long = "def grown():\n" + "    pass\n" * FUNCTION_LINES
    assert wrong_functions(long) == ["grown (line 1) has 61 lines"]
    assert wrong_functions(f"{REASON}it is one text.\n{long}") == []
    assert wrong_functions(f"{REASON}it was once.\ndef small():\n    pass\n") == ["small (line 2) has 2 lines"]
    routes = "def router():\n" + ("    @get\n    def route():\n" + "        pass\n" * 30) * 3 + "    return 1\n"
    assert wrong_functions(routes) == []
