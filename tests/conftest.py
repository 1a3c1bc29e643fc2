"""What every test stands on: a skip nobody expected fails the run in CI."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sharing import group_of, rank_of

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

EXPECTED_SKIPS: frozenset[str] = frozenset()
"""Node ids that may be skipped in CI, each with its reason beside it. There are none."""

SKIPPED_WITHOUT_LEAVE = 7
"""How a run ends then; another code than that of failed tests, which may be run again."""

_skipped: list[str] = []

_branches = None
if "BRANCHES_TO" in os.environ:
    # Here, and not in a hook: the conftest.py of a folder below imports what is measured before the first hook runs.
    from branches import Branches

    _branches = Branches(os.environ["BRANCHES_TO"])


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the paths at which tests have their homes."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _no_home_of_the_person(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    """Keep tests away from the real home and from settings in the environment.

    Only a path: a folder for each of thousands of tests that need none takes a millisecond each.
    """
    for name in list(os.environ):
        if name.startswith("AILERON_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AILERON_HOME", str(next(_homes)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest: workers are handed the tests in this order."""
    items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Hand tests out by group; that of the library reads marks of tests, which this version of pytest hides from it."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if not hasattr(report, "wasxfail"):
        _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember what was skipped as a whole file, before any test of it was known."""
    _note(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what tests have counted, such as how much of a suite of others was passed."""
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", ()):
            if name == "summary" and report.when == "call":
                terminalreporter.write_line(str(value))


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and report.nodeid not in EXPECTED_SKIPS:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that left something out; write what was measured."""
    if _branches is not None:
        _branches.write()
    if os.environ.get("CI") == "true" and _skipped and session.exitstatus in (0, 1):
        for nodeid in _skipped:
            print(f"skipped without leave: {nodeid}")
        session.exitstatus = SKIPPED_WITHOUT_LEAVE
