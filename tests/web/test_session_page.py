"""The page of a workspace, in a real browser: no key decides, what is shown is what lands."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from handmade import Handmade
from playwright.sync_api import Page
from world import World

pytestmark = pytest.mark.browser
SESSIONS = (f"ses_019ab000-1111-7111-8111-{number:012x}" for number in itertools.count(1))
HOSTILE = "<script>document.title='owned'</script>\u202e\u200b.txt"


class Work(Handmade):
    """With a bit of everything that the page shows."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(world, folder, next(SESSIONS), {"app.py": "one\ntwo\n"})
        self.wrote("app.py", "one\nthree\n")
        self.wrote(".vscode/tasks.json", "{}\n")
        self.wrote(HOSTILE, "x\n")
        os.mkfifo(self.upper / "pipe")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Offer one running installation to all tests: each has a workspace of its own."""
    with World(tmp_path_factory.mktemp("world"), upstream="http://127.0.0.1:1") as made:
        made.start()
        yield made


@pytest.fixture
def work(world: World, tmp_path: Path) -> Work:
    """Offer one workspace."""
    return Work(world, tmp_path / "project")


def sign_in(work: Work, page: Page) -> None:
    page.goto(work.world.ok("POST", "/v1/browser-logins", {"next": f"/sessions/{work.session}"})["url"])


def test_a_stranger_sees_how_to_sign_in_and_nothing_else(work: Work, page: Page) -> None:
    answer = page.goto(f"{work.world.control_url}/sessions/{work.session}")
    assert answer is not None
    assert answer.status == 401
    assert "app.py" not in page.inner_text("body")
    assert f"aileron open session {work.session}" in page.inner_text("body")


def test_what_would_run_later_comes_first_with_its_reason_and_unticked(work: Work, page: Page) -> None:
    work.ended()
    sign_in(work, page)
    text = page.inner_text("main")
    assert text.index(".vscode/tasks.json") < text.index("Never land") < text.index("app.py")
    assert "VS Code" in text
    assert "-two" in text
    assert "+three" in text
    assert not page.is_checked("input[name=yes]")
    if folder := os.environ.get("PAGE_PICTURES"):
        page.screenshot(path=f"{folder}/session.png", full_page=True)


def test_hostile_names_are_shown_as_text(work: Work, page: Page) -> None:
    work.ended()
    sign_in(work, page)
    assert "<script>" in page.inner_text("main")
    assert not {"\u202e", "\u200b"} & set(page.inner_text("main"))
    assert page.title() != "owned"
    assert page.query_selector_all("script, img, iframe") == []


def test_what_is_shown_lands_and_what_would_run_later_does_not_by_itself(work: Work, page: Page) -> None:
    work.ended()
    sign_in(work, page)
    page.click("button.approve")
    page.wait_for_selector("h1:has-text('Landed')")
    assert ".vscode/tasks.json" in page.inner_text("main")
    assert work.here() == sorted(["app.py", HOSTILE])
    assert (work.folder / "app.py").read_text() == "one\nthree\n"
    events = work.world.ok("GET", f"/v1/audit?session={work.session}&limit=100")["items"]
    assert "page" in {event["payload"].get("aileron.workspace.decided") for event in events}


def test_a_ticked_box_lands_what_it_names_and_nothing_else(work: Work, page: Page) -> None:
    work.wrote(".envrc", "x\n")
    work.ended()
    sign_in(work, page)
    page.check("li:has-text('.vscode/tasks.json') input[name=yes]")
    page.click("button.approve")
    page.wait_for_selector("h1:has-text('Landed')")
    assert work.here() == sorted(["app.py", HOSTILE, ".vscode/tasks.json"])


@pytest.mark.parametrize("keys", [("Enter",), ("Tab", "Enter"), ("Tab", "Space")])
def test_no_key_that_is_pressed_decides(work: Work, page: Page, keys: tuple[str, ...]) -> None:
    work.ended()
    sign_in(work, page)
    page.focus("input[name=yes]")
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_url("**/")  # it decided later
    assert work.here() == ["app.py"]
    assert (work.folder / "app.py").read_text() == "one\ntwo\n"
    assert work.world.ok("GET", f"/v1/workspaces/{work.session}")["state"] == "ended"


def test_what_changed_after_the_page_was_shown_does_not_land_and_that_is_said(work: Work, page: Page) -> None:
    sign_in(work, page)
    assert "still at work" in page.inner_text("main")
    work.wrote("app.py", "something else\n")
    page.click("button.approve")
    page.wait_for_selector("[role=alert]")
    assert "not as it was" in page.inner_text("[role=alert]")
    assert (work.folder / "app.py").read_text() == "one\ntwo\n"
    assert "+something else" in page.inner_text("main")


def test_throwing_away_is_asked_twice(work: Work, page: Page) -> None:
    work.ended()
    sign_in(work, page)
    page.click("button.deny")
    page.wait_for_selector("[role=alert]")
    assert page.query_selector("button.approve") is None
    assert work.world.ok("GET", f"/v1/workspaces/{work.session}")["state"] == "ended"
    page.click("button:has-text('for good')")
    page.wait_for_selector("h1:has-text('Thrown away')")
    assert work.world.control("GET", f"/v1/workspaces/{work.session}").status_code == 404
    assert work.here() == ["app.py"]


def test_an_agent_that_is_at_work_cannot_be_thrown_away_and_a_form_of_another_page_changes_nothing(
    work: Work, page: Page
) -> None:
    sign_in(work, page)
    assert page.query_selector("button.deny") is None
    page.evaluate("document.querySelector('[name=csrf]').value = 'x'")
    page.click("button.approve")
    page.wait_for_selector("h1:has-text('Nothing was changed')")
    assert work.here() == ["app.py"]
