"""The index by task leads to pages that are followed by a test; nothing on them is left out without a reason."""

import re

import pytest
from docs.pages import blocks
from docs.test_project_files import ROOT

DOCS = ROOT / "docs"
FOLLOWED = {
    "README.md": "tests/docs/test_followed_pages.py",
    "docs/slack.md": "tests/docs/test_followed_pages.py",
    "docs/connector-in-javascript.md": "tests/docs/test_followed_pages.py",
    "docs/connector-in-python.md": "tests/docs/test_followed_pages.py",
    "docs/who-did-what.md": "tests/docs/test_followed_pages.py",
    "docs/approving-elsewhere.md": "tests/docs/test_followed_pages.py",
    "docs/installing.md": "tests/docs/test_followed_pages.py",
    "docs/model-key.md": "tests/docs/test_followed_pages.py",
    "docs/land-half.md": "tests/sandbox/test_landing_page.py",
    "docs/testing.md": "tests/testing_package/test_testing_page.py",
}
"""Pages whose commands are run, and by which test."""
OTHERWISE = {
    "docs/ci.md": "tests/docs/test_ci_jobs.py",
    "docs/connector-in-rust.md": "tests/docs/test_rust_page.py",
    "docs/connectors.md": "tests/docs/test_named_commands.py",
    "docs/platforms.md": "tests/docs/test_named_commands.py",
    "docs/servers.md": "tests/docs/test_named_commands.py",
}
"""Pages that are held by a test of another form."""


def tasks() -> dict[str, str]:
    """Return the rows of the index: what somebody wants, and the page that the row leads to."""
    table = (DOCS / "README.md").read_text().split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([^|]+?) \| .*?\]\(([^)#]+)[^)]*\).*\|$", table, re.MULTILINE)
    return {task: (DOCS / page).resolve().relative_to(ROOT).as_posix() for task, page in rows}


def test_each_task_of_the_index_leads_to_a_page_that_a_test_holds() -> None:
    wanted = tasks()
    assert len(wanted) >= 12
    assert set(wanted.values()) <= FOLLOWED.keys() | OTHERWISE.keys()


@pytest.mark.parametrize(("page", "test"), sorted((FOLLOWED | OTHERWISE).items()))
def test_the_test_of_a_page_is_there(page: str, test: str) -> None:
    name = page.rsplit("/", 1)[-1]
    wanted = re.sub(r"javascript|python", "{language}", name) if "connector-in" in name else name
    every_page = 'tracked("*.md")' if page in OTHERWISE else f'"{wanted}"'
    text = (ROOT / test).read_text()
    assert f'"{wanted}"' in text or every_page in text


@pytest.mark.parametrize("page", sorted(FOLLOWED))
def test_no_command_of_ours_on_a_followed_page_stands_where_it_is_not_run(page: str) -> None:
    found = blocks(ROOT / page)
    assert re.findall(r"^    aileron [a-z].*$", (ROOT / page).read_text(), re.MULTILINE) == []
    assert any(block.is_run for block in found)
    for block in found:
        if block.language not in ("sh", "text"):
            assert not re.search(r"^\$? *aileron [a-z]", block.text, re.MULTILINE), block.text
        if block.mark == "not run":
            assert len(block.said.split()) >= 4, f"{page}: say why it is not run: {block.text}"


OF_ANOTHER_FORM = {"README.md", "docs/installing.md", "docs/connectors.md", "docs/platforms.md"}
"""Pages that are more than one way from nothing to done, and say these things in their own places."""


@pytest.mark.parametrize("page", sorted((FOLLOWED | OTHERWISE).keys() - OF_ANOTHER_FORM))
def test_a_page_for_a_task_says_what_it_needs_what_it_leaves_and_what_was_tried(page: str) -> None:
    text = (ROOT / page).read_text()
    assert [word for word in ("**You need**", "**It leaves**", "**Tried") if word not in text] == []
