"""What every test stands on: a skip nobody expected fails the run in CI."""

import os
from pathlib import Path

import pytest

EXPECTED_SKIPS: frozenset[str] = frozenset()
"""Node ids that may be skipped in CI, each with its reason beside it. There are none."""

_skipped: list[str] = []

_TOGETHER = {
    "engine": ("sandbox/", "agents/", "testing_package/"),
    "crash": ("crash/",),
    "connectors": ("wasm/", "connectors/"),
}
"""What one worker runs one after the other when tests run side by side, by where the tests are: those that look after
each test whether the Docker engine is clean, and those that share a costly set-up. The longest come first. The others
go by file."""


@pytest.fixture(autouse=True)
def _no_home_of_the_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep tests away from the real home and from settings in the environment."""
    for name in list(os.environ):
        if name.startswith("AILERON_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AILERON_HOME", str(tmp_path / "aileron-home"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say which tests stay together when several workers share them, and which are handed out first."""
    if not config.pluginmanager.hasplugin("xdist") or getattr(config.option, "dist", "no") == "no":
        return
    order = [*_TOGETHER, ""]
    items.sort(key=lambda item: order.index(_group(item)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item) or item.path.stem))


def _group(item: pytest.Item) -> str:
    """Return the group of a test, or nothing if it stays with its file only."""
    place = item.path.relative_to(Path(__file__).parent).as_posix()
    return next((name for name, places in _TOGETHER.items() if place.startswith(places)), "")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if not hasattr(report, "wasxfail"):
        _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember what was skipped as a whole file, before any test of it was known."""
    _note(report)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    nodeid = report.nodeid.partition("@")[0]  # behind it, the group
    if report.skipped and nodeid not in EXPECTED_SKIPS:
        _skipped.append(nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that left something out."""
    if os.environ.get("CI") == "true" and _skipped and session.exitstatus == 0:
        for nodeid in _skipped:
            print(f"skipped without leave: {nodeid}")
        session.exitstatus = 1
