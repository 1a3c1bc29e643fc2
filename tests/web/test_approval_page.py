"""The page on which a person decides, in a real browser: safe against what it shows, and honest about what it did."""

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.browser
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE_TEXT = "<script>document.title='owned'</script>\n<img src=x onerror=alert(1)>\u202eevil\u200b\x1b[2J"
PREVIEW = (
    '[approval.preview]\nop = "get_json"\nargs = { url = "${args.url}" }\n'
    'render = { Subject = "body.subject", Body = "body.text" }\nmultiline = ["Body"]\n'
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Offer a Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path is not None, "the tests of the pages need Chromium; scripts/ensure-chromium gets it"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Offer an empty browser window."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Offer a running installation with one action that asks."""
    with UpstreamProcess() as upstream, World(tmp_path, upstream=upstream.url) as made:
        upstream.behave("/x", json={"subject": "Release <b>1.4</b>", "text": "line one\nline two"})
        made.start()
        made.set_up()
        made.add_action("ship", approval=True, extra=PREVIEW)
        yield made


def ask(world: World, body: str = '"hello"') -> str:
    token = world.session()[1]
    arguments = {"url": f"{world.upstream}/x", "body": body}
    asked = world.agent("POST", "/v1/actions/ship/run", {"arguments": arguments}, token=token)
    assert asked.status_code == 202, asked.text
    return str(asked.json()["approval_id"])


def sign_in(world: World, page: Page, approval: str) -> str:
    link = world.ok("POST", "/v1/browser-logins", {"next": f"/approvals/{approval}"})["url"]
    page.goto(link)
    return str(link)


def keep(page: Page, name: str) -> None:
    """Keep a picture where a person who looks for one finds it."""
    folder = os.environ.get("PAGE_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_stranger_sees_how_to_sign_in_and_nothing_else(world: World, page: Page) -> None:
    approval = ask(world)
    answer = page.goto(f"{world.control_url}/approvals/{approval}")
    assert answer is not None
    assert answer.status == 401
    assert f"aileron open approval {approval}" in page.inner_text("body")
    assert "ship" not in page.inner_text("main")
    keep(page, "stranger")


def test_a_person_sees_exactly_what_would_run_and_approves_it(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    text = page.inner_text("main")
    for shown in (
        "ship",
        "pending",
        "hello",
        f"{world.upstream}/x",
        "The agent asks",
        "Release <b>1.4</b>",
        "line two",
    ):
        assert shown in text
    keep(page, "pending")
    page.set_viewport_size({"width": 380, "height": 800})
    keep(page, "pending-narrow")
    assert page.evaluate("document.documentElement.scrollWidth <= 380")
    page.set_viewport_size({"width": 1000, "height": 800})
    page.click("button.approve")
    page.wait_for_selector("text=completed", timeout=10_000)
    assert world.ok("GET", f"/v1/approvals/{approval}")["decided_by"] == "user"
    keep(page, "completed")


def test_a_denial_carries_its_reason_to_the_asker(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    page.fill("input[name=reason]", "wrong channel")
    page.click("button.deny")
    page.wait_for_selector("text=denied")
    result = world.ok("GET", f"/v1/action-approvals/{approval}/result")
    assert "wrong channel" in result["message"]


def test_hostile_arguments_are_shown_as_text(world: World, page: Page) -> None:
    import json

    approval = ask(world, json.dumps(HOSTILE_TEXT))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    sign_in(world, page, approval)
    text = page.inner_text("main")
    assert "<script>" in text
    assert "\u202e" not in text
    assert page.title() != "owned"
    assert dialogs == []
    assert page.query_selector_all("script, img, iframe") == []
    keep(page, "hostile")


def test_a_click_on_what_was_decided_elsewhere_changes_nothing_and_says_why(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    world.ok("POST", f"/v1/approvals/{approval}/deny", {})
    page.click("button.approve")
    assert "Nothing was changed" in page.inner_text("[role=alert]")
    assert "it was denied" in page.inner_text("[role=alert]")
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "denied"
    keep(page, "stale")


def test_a_sign_in_link_works_once(world: World, page: Page, browser: Browser) -> None:
    approval = ask(world)
    link = sign_in(world, page, approval)
    second = browser.new_context()
    other = second.new_page()
    answer = other.goto(link)
    assert answer is not None
    assert answer.status == 401
    second.close()


def test_a_page_from_elsewhere_cannot_press_the_button(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    target = f"{world.control_url}/approvals/{approval}"
    form = (
        f'<form id=f method=post action="{target}"><input name=verdict value=approve>'
        "<input name=csrf value=x></form><script>f.submit()</script>"
    ).encode()

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(form)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_url(target)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"


def test_a_form_without_its_token_is_refused(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    page.eval_on_selector("input[name=csrf]", "e => e.value = 'x'")
    page.click("button.approve")
    assert "Nothing was changed" in page.inner_text("main")
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"


def test_every_page_forbids_scripts_frames_and_caches(world: World) -> None:
    answer = world._client.get(world.control_url + "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_preview_that_fails_holds_up_no_decision_and_never_reaches_the_asker(world: World, page: Page) -> None:
    path = world.add_action("ship", approval=True, extra=PREVIEW)
    path.write_text(
        path.read_text().replace('args = { url = "${args.url}" }', 'args = { url = "https://no.example/" }')
    )
    token = world.session()[1]
    arguments = {"url": f"{world.upstream}/x", "body": "{}"}
    asked = world.agent("POST", "/v1/actions/ship/run", {"arguments": arguments}, token=token)
    approval = asked.json()["approval_id"]
    sign_in(world, page, approval)
    assert "Preview" not in page.inner_text("main") or "could not be fetched" in page.inner_text("main")
    page.click("button.approve")
    page.wait_for_selector("text=completed", timeout=10_000)
    result = world.agent("GET", f"/v1/action-approvals/{approval}/result", token=token)
    assert "no.example" not in result.text
