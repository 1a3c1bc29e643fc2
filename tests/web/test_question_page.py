"""The page on which a person answers a server, in a real browser: a form made of the schema, nothing by accident."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from servers.asked_world import AskedWorld

pytestmark = pytest.mark.browser
HIDDEN = "\u202eevil\u200b"
FORM = {
    "message": f"<script>document.title='owned'</script>{HIDDEN}",
    "requestedSchema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "Your name", "description": "As in the passport.", "maxLength": 20},
            "mail": {"type": "string", "format": "email", "default": "ada@example.com"},
            "count": {"type": "integer", "minimum": 1, "maximum": 5},
            "sure": {"type": "boolean", "default": True},
            "size": {
                "type": "string",
                "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": f"Large{HIDDEN}"}],
            },
            "days": {"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["mon", "tue", "wed"]}},
            "hint": {"type": "string", "default": f"x{HIDDEN}"},
        },
        "required": ["name", "count"],
    },
}
PAGE = {"mode": "url", "message": "Log in.", "elicitationId": "e", "url": "https://login.example.com/a?b=c"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskedWorld]:
    with AskedWorld(tmp_path_factory.mktemp("world")) as made:
        made.begin()
        yield made


@pytest.fixture
def token(world: AskedWorld) -> str:
    return world.session()[1]


def visit(world: AskedWorld, page: Page, question: dict[str, object]) -> None:
    page.goto(world.ok("POST", "/v1/browser-logins", {"next": f"/questions/{question['id']}"})["url"])


def test_a_person_fills_in_the_form_and_is_told_beside_the_field_what_does_not_fit(
    world: AskedWorld, token: str, page: Page
) -> None:
    call, question = world.asked(token, FORM)
    visit(world, page, question)
    text = page.inner_text("main")
    assert "The server older asks you" in text
    assert "<script>" in text
    assert "As in the passport." in text
    assert page.title() == "older asks · Aileron"
    assert not any(hidden in page.content() for hidden in "\u202e\u200b")
    assert page.input_value("#f6") == ""  # what cannot be seen is not put in for the person
    page.fill("#f2", "9")
    page.click("button[value=accept]")
    assert "it is required" in page.inner_text(".field:has(#f0)")
    assert "at most 5" in page.inner_text(".field:has(#f2)")
    assert page.get_attribute("#f2", "aria-invalid") == "true"
    assert page.input_value("#f2") == "9"
    page.fill("#f0", "Ada")
    page.fill("#f2", "3")
    page.select_option("#f4", "c1")
    page.check("input[name=f5][value=c0]")
    page.check("input[name=f5][value=c2]")
    page.check("input[name=f3][value=no]")
    page.click("button[value=accept]")
    page.wait_for_selector("text=accepted by you, in a browser")
    content = {
        "name": "Ada",
        "mail": "ada@example.com",
        "count": 3,
        "sure": False,
        "size": "l",
        "days": ["mon", "wed"],
    }
    assert world.told(token, call) == [{"action": "accept", "content": content}]
    answered = world.events(type="question.answered")[-1]
    assert (answered["actor"], answered["payload"]["aileron.principal.means"]) == ("person:owner", "page")


def test_a_question_that_may_be_for_either_of_two_calls_names_both(world: AskedWorld, token: str, page: Page) -> None:
    calls = [world.asked(token, FORM), world.asked(token, FORM)]
    visit(world, page, calls[1][1])
    text = page.inner_text("main")
    assert "it does not say which one waits for this" in text
    assert all(call in text for call, _ in calls)
    for call, question in calls:
        world.answer(question, "decline")
        world.became(token, call)


def test_no_key_that_is_pressed_while_typing_sends_anything(world: AskedWorld, token: str, page: Page) -> None:
    call, question = world.asked(token, FORM)
    visit(world, page, question)
    page.fill("#f0", "Ada")
    page.fill("#f2", "2")
    page.press("#f2", "Enter")
    page.wait_for_selector("text=Nothing was sent")
    assert page.input_value("#f0").strip() == "Ada"
    assert world.ok("GET", f"/v1/questions/{question['id']}")["state"] == "open"
    page.press("#f0", "Enter")
    page.press("#f0", "Tab")
    assert world.ok("GET", f"/v1/questions/{question['id']}")["state"] == "open"
    page.check("input[name=f3][value='']")
    page.fill("#f1", "")
    page.click("button[value=accept]")
    page.wait_for_selector("text=accepted by you")
    content = {"name": "Ada", "count": 2}
    [told] = world.told(token, call)
    assert {
        key: value.strip() if isinstance(value, str) else value for key, value in told["content"].items()
    } == content


def test_a_page_to_open_is_a_text_with_its_host_and_no_link(world: AskedWorld, token: str, page: Page) -> None:
    call, question = world.asked(token, PAGE)
    visit(world, page, question)
    assert page.inner_text("main strong") == "login.example.com"
    assert PAGE["url"] in page.inner_text("main")
    assert page.locator("main a").count() == 0
    page.click("button[value=accept]")
    page.wait_for_selector("text=accepted by you")
    assert world.told(token, call) == [{"action": "accept"}]


def test_it_stands_in_the_list_of_what_waits_and_a_late_answer_is_told_what_became_of_it(
    world: AskedWorld, token: str, page: Page
) -> None:
    call, question = world.asked(token, FORM)
    visit(world, page, question)
    page.goto(f"{world.control_url}/")
    page.click("text=older asks you something")
    page.fill("#f0", "Ada")
    page.fill("#f2", "2")
    world.answer(question, "cancel")
    page.click("button[value=accept]")
    assert "Nothing was answered" in page.inner_text("[role=alert]")
    assert world.told(token, call) == [{"action": "cancel"}]
    page.goto(f"{world.control_url}/")
    assert "Nothing waits" in page.inner_text("main")


def test_a_form_without_the_token_of_our_page_and_a_stranger_change_nothing(
    world: AskedWorld, token: str, page: Page
) -> None:
    call, question = world.asked(token, FORM)
    url = f"{world.control_url}/questions/{question['id']}"
    stranger = page.goto(url)
    assert stranger is not None
    assert stranger.status == 401
    assert f"aileron open question {question['id']}" in page.inner_text("main")
    visit(world, page, question)
    refused = page.request.post(url, form={"verdict": "decline", "csrf": "x"}, headers={"Origin": world.control_url})
    assert refused.status == 403
    assert world.ok("GET", f"/v1/questions/{question['id']}")["state"] == "open"
    world.answer(question, "decline")
    world.became(token, call)
