"""The page on which a person decides, in a real browser: safe against what it shows, and honest about what it did."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Browser, Error, Page
from services.upstream import UpstreamProcess
from world import World

pytestmark = pytest.mark.browser
HOSTILE_TEXT = "<script>document.title='owned'</script>\n<img src=x onerror=alert(1)>\u202eevil\u200b\x1b[2J"
PREVIEW = (
    '[approval.preview]\nop = "get_json"\nargs = { url = "${args.url}" }\n'
    'render = { Subject = "body.subject", Body = "body.text" }\nmultiline = ["Body"]\n'
)


@pytest.fixture(scope="module")
def service() -> Iterator[UpstreamProcess]:
    """Offer the service that the action reaches."""
    with UpstreamProcess() as started:
        started.behave("/x", json={"subject": "Release <b>1.4</b>", "text": "line one\nline two"})
        yield started


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, service: UpstreamProcess) -> Iterator[World]:
    """Offer one running installation to all tests: each asks in a session of its own."""
    with World(tmp_path_factory.mktemp("world"), upstream=service.url) as made:
        made.start()
        made.set_up()
        yield made


@pytest.fixture
def world(installation: World) -> World:
    """Offer the installation with one action that asks, as it was written first."""
    installation.add_action("ship", approval=True, extra=PREVIEW)
    return installation


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
    assert world.ok("GET", f"/v1/approvals/{approval}")["decided_by"] == "person:owner"
    keep(page, "completed")


def test_a_denial_carries_its_reason_to_the_asker(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    page.fill("textarea[name=reason]", "wrong channel")
    page.click("button.deny")
    page.wait_for_selector("text=denied")
    result = world.ok("GET", f"/v1/action-approvals/{approval}/result")
    assert "wrong channel" in result["message"]


def test_hostile_arguments_are_shown_as_text(world: World, page: Page) -> None:
    import json

    approval = ask(world, json.dumps(HOSTILE_TEXT, ensure_ascii=False))
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


def test_an_approval_that_waits_can_be_withdrawn_on_the_page(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    world.ok("POST", "/v1/vault/lock")
    try:
        page.click("button.approve")
        page.click("button.deny >> text=Withdraw")
        page.wait_for_selector("text=withdrew")
    finally:
        world.unlock()
    withdrawn = world.ok("GET", f"/v1/approvals/{approval}")
    assert (withdrawn["state"], withdrawn["withdrawn"]) == ("denied", True)


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
    assert "Preview" not in page.inner_text("main")
    page.click("button.approve")
    page.wait_for_selector("text=completed", timeout=10_000)
    result = world.agent("GET", f"/v1/action-approvals/{approval}/result", token=token)
    assert "no.example" not in result.text


KEYS = [
    ["Enter"], ["Space"], ["Tab"], ["Tab", "Enter"], ["Tab", "Space"], ["Shift+Tab", "Enter"], ["Shift+Tab", "Space"],
    ["Control+Enter"], ["Shift+Enter"], ["Meta+Enter"], ["Alt+a"], ["Alt+d"], ["a"], ["y"], ["Escape", "Enter"],
]  # fmt: skip


def open_again(page: Page, url: str) -> None:
    """Open a page, also while the browser is still on its way to another one, where a key has sent it."""
    for _ in range(10):
        try:
            page.goto(url)
            return
        except Error as problem:
            if not any(word in str(problem) for word in ("ERR_ABORTED", "interrupted by another navigation")):
                raise
    raise AssertionError(f"{url} was never opened")


def test_no_key_that_is_pressed_while_typing_a_reason_decides_anything(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    for keys in KEYS:
        open_again(page, f"{world.control_url}/approvals/{approval}")
        page.click("textarea[name=reason]")
        page.keyboard.type("not this one")
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_load_state()
        assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending", keys


def test_no_key_that_is_pressed_on_the_open_page_decides_anything(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    for key in ("Enter", "Space", "a", "d", "y", "Alt+a", "Control+Enter"):
        page.keyboard.press(key)
    page.wait_for_load_state()
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
    assert page.query_selector_all("[autofocus], [accesskey]") == []


def test_the_button_that_a_browser_presses_by_itself_decides_later(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    page.eval_on_selector("form", "form => form.requestSubmit(form.querySelector('button'))")
    page.wait_for_selector("text=Waiting for you")
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"


def test_the_end_of_a_long_argument_is_on_the_page_or_approving_is_not_offered(world: World, page: Page) -> None:
    import json

    end = "and transfer everything to 4711"
    approval = ask(world, json.dumps("please\n" * 2000 + end))
    sign_in(world, page, approval)
    assert end not in page.inner_text("main")
    assert "more characters of this are not shown here" in page.inner_text("main")
    assert "exactly as shown" not in page.inner_text("main")
    assert page.query_selector("button.approve") is None
    keep(page, "folded")
    page.eval_on_selector("button.deny", "button => { button.value = 'approve' }")
    page.click("button.deny")
    assert "characters were not on the page" in page.inner_text("[role=alert]")
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
    page.click("a:has-text('Show all of it')")
    assert end in page.inner_text("main")
    hidden = "[...document.querySelectorAll('pre')].filter(e => e.scrollHeight > e.clientHeight + 1).length"
    assert page.evaluate(hidden) == 0
    last = page.locator("pre", has_text=end).last.bounding_box()
    button = page.locator("button.approve").bounding_box()
    assert last is not None
    assert button is not None
    assert button["y"] > last["y"] + last["height"]
    page.click("button.approve")
    page.wait_for_selector("text=completed", timeout=10_000)


def test_a_block_of_any_length_that_is_shown_grows_and_does_not_scroll(world: World, page: Page) -> None:
    import json

    approval = ask(world, json.dumps("line\n" * 55 + " " * 300 + "the end"))
    sign_in(world, page, approval)
    assert "the end" in page.inner_text("main")
    hidden = "[...document.querySelectorAll('pre')].filter(e => e.scrollHeight > e.clientHeight + 1).length"
    assert page.evaluate(hidden) == 0
    assert page.query_selector("button.approve") is not None


def test_what_has_no_ink_is_a_mark_that_text_cannot_imitate(world: World, page: Page) -> None:
    import json

    approval = ask(
        world, json.dumps("pay\u3164\u2800\u00a0me p\u0430ypal U+3164 <mark>U+202E</mark>", ensure_ascii=False)
    )
    sign_in(world, page, approval)
    marks = [mark.inner_text() for mark in page.query_selector_all("main pre mark")]
    assert {"U+3164", "U+2800", "U+00A0", "U+0430"} == set(marks)
    assert "<mark>U+202E</mark>" in page.inner_text("main")
    assert not {"\u3164", "\u2800", "\u00a0"} & set(page.inner_text("main"))
    keep(page, "marks")


def two_steps(world: World) -> None:
    """Write an action whose second step says more than its arguments."""
    path = world.add_action("ship", approval=True)
    first = (
        '[[execute]]\nid = "look"\nconnector = "file://aileron/wellbehaved"\nop = "get_json"\n'
        f'[execute.inputs]\nurl = "{world.upstream}/x?who=${{args.body}}"\n'
    )
    text = path.read_text().replace('[[execute]]\nid = "call"', first + '[[execute]]\nid = "call"')
    body = 'body = { channel = "#all", text = "@here ${args.body}", subject = "${look.body.subject}!" }'
    path.write_text(text.replace('body = "${args.body}"', body))


def test_every_step_is_shown_as_it_will_be_sent_on_the_page_and_in_the_answer(world: World, page: Page) -> None:
    two_steps(world)
    approval = ask(world, 'a "quoted" word')
    sign_in(world, page, approval)
    text = page.inner_text("main")
    address = world.upstream.split("://", 1)[1]
    for shown in (
        "A test action.",
        "get_json", "Fetch an item.", "step look", "doing it again changes nothing more",
        "post_json", "Create an item.", "step call", "each time it is done counts",
        "file://aileron/wellbehaved, version 1.0.0", address,
        f"{world.upstream}/x?who=a%20%22quoted%22%20word",
        '"channel": "#all"', '"text": "@here a \\"quoted\\" word"', "result of step look: body.subject",
    ):  # fmt: skip
        assert shown in text, shown
    assert "sha256:" not in page.inner_text("main")
    page.click("summary")
    assert world.hashes["wellbehaved"] in page.inner_text("main")
    keep(page, "two-steps")
    steps = world.ok("GET", f"/v1/approvals/{approval}")["explanation"]["steps"]
    assert [(step["id"], step["op"], step["may_repeat"]) for step in steps] == [
        ("look", "get_json", True),
        ("call", "post_json", False),
    ]
    assert {"step": "look", "path": "body.subject"} in steps[1]["inputs"][1]["parts"]
    page.click("button.approve")
    page.wait_for_selector("text=completed", timeout=10_000)


def test_what_the_page_showed_is_what_the_service_received(world: World, service: UpstreamProcess, page: Page) -> None:
    import json

    two_steps(world)
    approval = ask(world, '"}, {"channel":"#other')
    sign_in(world, page, approval)
    parts = world.ok("GET", f"/v1/approvals/{approval}")["explanation"]["steps"][1]["inputs"][1]["parts"]
    shown = "".join(part.get("text", "Release <b>1.4</b>") for part in parts)
    page.click("button.approve")
    page.wait_for_selector("text=completed", timeout=10_000)
    sent = service.seen("/x")[-1]
    assert sent.method == "POST"
    assert json.loads(sent.body) == json.loads(shown)
    assert json.loads(shown)["channel"] == "#all"


def test_a_changed_action_file_is_said_and_cannot_be_approved(world: World, page: Page) -> None:
    approval = ask(world)
    sign_in(world, page, approval)
    assert page.query_selector("button.approve") is not None
    path = world.home / "actions" / "ship.md"
    path.write_text(path.read_text().replace("A test action.", "Another action."))
    page.click("button.approve")
    assert "the action file has changed since" in page.inner_text("[role=alert]")
    assert "void" in page.inner_text("[role=alert]")
    assert page.query_selector("button.approve") is None
    assert "exactly as shown" not in page.inner_text("main")
    assert world.ok("GET", f"/v1/approvals/{approval}")["state"] == "pending"
