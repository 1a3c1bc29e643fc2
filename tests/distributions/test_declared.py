"""What is imported is declared, what is declared is imported, and the locks hold just that."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from world import ROOT

PROJECTS = {
    "pyproject.toml": ("daemon", "launchers", "migrations", "aileron_mcp", "sandbox_image"),
    "aileron_mcp/pyproject.toml": ("aileron_mcp",),
    "aileron_testing/pyproject.toml": ("aileron_testing",),
}
FOR_WORK_ONLY = ("benchmarks", "connectors", "scripts", "tests")
"""Folders that are in no distribution; what they import is declared there or in requirements/dev.in."""
GUESTS = {"componentize_py_support", "wit_world"}
"""Modules that exist only inside of a WebAssembly program."""
TOOLS = {
    *(
        "componentize-py",
        "editables",
        "hatchling",
        "import-linter",
        "mypy",
        "pytest-asyncio",
        "pytest-timeout",
    ),
    *("ruff", "uv", "ziglang"),
}
"""What is run, and not imported."""
LOCKS = ("requirements/dev.txt", "requirements/runtime.txt", "sandbox_image/build/server.txt")


@cache
def read(path: Path) -> ast.Module:
    """Return a file, parsed."""
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """Return the first names of what a file imports."""
    found = set()
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def files(folders: Iterable[str]) -> list[Path]:
    """Return the Python files that git knows in some folders."""
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if line.endswith(".py") and (ROOT / line).is_file()]


@cache
def installed() -> Mapping[str, list[str]]:
    """Return which distributions bring a module."""
    return packages_distributions()


@cache
def stems(folder: Path) -> frozenset[str]:
    """Return the names under which the files of a folder can be imported from beside."""
    return frozenset(path.stem for path in folder.iterdir())


def needed(folders: Iterable[str]) -> dict[str, set[str]]:
    """Return the distributions that the files of some folders import, each with the files."""
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()} | {path.stem for path in (ROOT / "tests").iterdir()}
    known = installed()
    found: dict[str, set[str]] = {}
    for path in files(folders):
        for name in imported(path) - ours - stems(path.parent) - GUESTS - sys.stdlib_module_names:
            for distribution in known.get(name, [f"nothing that is installed ({name})"]):
                found.setdefault(canonicalize_name(distribution), set()).add(str(path.relative_to(ROOT)))
    return found


def declared(project: str) -> dict[str, Requirement]:
    """Return what a distribution declares."""
    lines = tomllib.loads((ROOT / project).read_text())["project"]["dependencies"]
    return {canonicalize_name(required.name): required for required in map(Requirement, lines)}


def for_work() -> set[str]:
    """Return what requirements/dev.in names."""
    lines = (ROOT / "requirements" / "dev.in").read_text().splitlines()
    return {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}


def locked(lock: str) -> dict[str, Version]:
    """Return what a lock pins."""
    pins = re.finditer(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(pin[1]): Version(pin[2]) for pin in pins}


@pytest.mark.parametrize(("project", "folders"), PROJECTS.items(), ids=PROJECTS)
def test_what_is_imported_is_declared_and_what_is_declared_is_imported(project: str, folders: tuple[str, ...]) -> None:
    wanted, said = needed(folders), declared(project).keys()
    assert {name: places for name, places in wanted.items() if name not in said} == {}
    assert said - wanted.keys() == set()


def test_what_tests_and_scripts_import_is_declared_too() -> None:
    said = for_work().union(*(declared(project) for project in PROJECTS))
    wanted = needed(FOR_WORK_ONLY)
    assert {name: places for name, places in wanted.items() if name not in said} == {}
    assert for_work() - wanted.keys() == TOOLS


@pytest.mark.parametrize(
    ("lock", "projects"),
    [
        ("requirements/dev.txt", tuple(PROJECTS)),
        ("requirements/runtime.txt", ("pyproject.toml",)),
        ("sandbox_image/build/server.txt", ("aileron_mcp/pyproject.toml",)),
    ],
)
def test_a_lock_has_what_is_declared_in_versions_that_are_allowed(lock: str, projects: tuple[str, ...]) -> None:
    pins = locked(lock)
    for project in projects:
        for name, required in declared(project).items():
            assert pins[name] in required.specifier, f"{lock} is older than {project}: run make lock"
    if lock == LOCKS[0]:
        assert for_work() <= pins.keys()


def test_the_locks_agree() -> None:
    tested = locked(LOCKS[0])
    for lock in LOCKS[1:]:
        pins = locked(lock)
        assert {name: pin for name, pin in pins.items() if tested.get(name) != pin} == {}, f"{lock}: run make lock"


def test_every_pin_has_its_hashes_and_no_lock_says_where_it_comes_from() -> None:
    locks = subprocess.run(["git", "ls-files", "*.txt"], cwd=ROOT, capture_output=True, text=True, check=True)
    read = [ROOT / line for line in locks.stdout.splitlines() if "==" in (ROOT / line).read_text()]
    assert {path.relative_to(ROOT).as_posix() for path in read} >= set(LOCKS)
    for path in read:
        text = path.read_text()
        assert "://" not in text, path
        assert not re.search(r"--(extra-)?index-url|--find-links", text), path
        for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
            assert "==" not in entry or "--hash=sha256:" in entry, f"{path}: {entry.splitlines()[0]}"
