"""What a server asks while its tool runs reaches the person where the agent cannot answer, and only they answer it."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from mcp_server.pipes import HANDSHAKE, ByHand, launched
from servers.asked_world import COLOUR, AskedWorld
from waiting import wait_until

BLUE = {"colour": "blue"}
PAGE = {
    "mode": "url",
    "message": "Log in, please.",
    "elicitationId": "e1",
    "url": "https://login.example.com/start?x=1",
}
RULES = '[approvals.rules.ruled__ask]\ndecision = "ask"\n'
HOSTILE = "Pay\u202eevil\u200b\x1b[2J"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskedWorld]:
    with AskedWorld(tmp_path_factory.mktemp("world"), settings=RULES) as made:
        made.begin()
        yield made


@pytest.fixture
def token(world: AskedWorld) -> str:
    return world.session()[1]


@pytest.mark.parametrize("server", ["older", "newer"])
def test_a_person_answers_for_an_agent_that_cannot_and_the_call_goes_on_once(
    world: AskedWorld, token: str, server: str
) -> None:
    before = len(world.begun())
    call, question = world.asked(token, server=server)
    assert (question["server"], question["tool"], question["state"]) == (server, f"{server}/ask", "open")
    assert question["message"] == "Which colour?"
    assert question["called_by"] == "the agent (test)"
    assert [(each["name"], each["required"], each["default"]) for each in question["fields"]] == [
        ("colour", True, None),
        ("deep", False, True),
    ]
    waiting = world.agent("GET", f"/v1/action-approvals/{call}/result", token=token).json()
    assert (waiting["status"], waiting["asked_by"]) == ("running", server)
    done = world.answer(question, content=BLUE).json()
    assert (done["state"], done["ended_by"], done["ended_with"]) == ("accepted", "person:owner", "cli")
    assert world.told(token, call) == [{"action": "accept", "content": BLUE}]
    assert world.told(token, call) == [{"action": "accept", "content": BLUE}]
    assert len(world.begun()) == before + 1
    assert world.verify()["ok"]


def test_a_question_that_may_be_for_either_of_two_calls_of_a_session_names_both_and_its_answer_goes_to_the_question(
    world: AskedWorld, token: str
) -> None:
    first, of_first = world.asked(token)
    second, of_either = world.asked(token)
    assert [each["execution"] for each in of_first["calls"]] == [first]
    assert (of_either["server"], of_either["state"]) == ("older", "open")
    assert of_either["calls"] == [{"tool": "older/ask", "execution": each} for each in (first, second)]
    world.answer(of_either, content={"colour": "green"})
    assert world.told(token, second) == [{"action": "accept", "content": {"colour": "green"}}]
    assert world.ok("GET", f"/v1/questions/{of_first['id']}")["state"] == "open"
    world.answer(of_first, content=BLUE)
    assert world.told(token, first) == [{"action": "accept", "content": BLUE}]
    events = [each for each in world.events() if each["payload"].get("aileron.question.id") == of_either["id"]]
    for event in events:
        calls = [event["payload"]["aileron.execution.id"], *event["payload"]["aileron.question.other_calls"]]
        assert calls == [first, second], event["type"]


def test_a_question_that_may_be_for_another_sessions_call_reaches_nobody(world: AskedWorld, token: str) -> None:
    first, of_first = world.asked(token)
    other = world.session()[1]
    refused = world.call(other)
    assert refused.status_code == 200, refused.text
    assert "Nobody here answers" in refused.text
    assert [each["id"] for each in world.open()] == [of_first["id"]]
    world.answer(of_first, "decline")
    world.became(token, first)


@pytest.mark.parametrize(("action", "state"), [("decline", "declined"), ("cancel", "cancelled")])
def test_the_server_hears_a_no_and_no_answer_as_such(world: AskedWorld, token: str, action: str, state: str) -> None:
    call, question = world.asked(token)
    assert world.answer(question, action).json()["state"] == state
    assert world.told(token, call) == [{"action": action}]


@pytest.mark.parametrize("server", ["older", "newer"])
def test_servers_are_told_that_forms_and_pages_can_be_asked_for(world: AskedWorld, token: str, server: str) -> None:
    call, question = world.asked(token, server=server)
    world.answer(question, "decline")
    said = json.loads(world.became(token, call)["content"][0]["text"])["said"]
    assert json.loads(said[0]) == {"form": {}, "url": {}}


def test_the_log_says_who_answered_which_fields_and_never_what(world: AskedWorld, token: str) -> None:
    private = "sentinel-violet-4f1b"
    call, question = world.asked(token)
    world.answer(question, content={"colour": private, "deep": False})
    assert private in str(world.told(token, call))
    events = [each for each in world.events() if each["payload"].get("aileron.question.id") == question["id"]]
    assert [each["type"] for each in events] == ["question.asked", "question.answered"]
    asked, answered = events
    assert asked["actor"].startswith("agent:")
    assert (answered["actor"], answered["payload"]["aileron.principal.means"]) == ("person:owner", "cli")
    assert answered["payload"]["aileron.question.fields"] == ["colour", "deep"]
    assert answered["payload"]["aileron.question.digest"] == asked["payload"]["aileron.question.digest"]
    assert answered["payload"]["aileron.execution.id"] == call
    others = [each for each in world.events() if not each["type"].startswith("execution.")]
    assert private not in json.dumps(others)
    assert private not in world.output()


def test_a_value_that_does_not_fit_is_refused_with_the_name_of_its_field(world: AskedWorld, token: str) -> None:
    call, question = world.asked(token)
    for content, field in (
        ({}, "colour"),
        ({"colour": "x"}, "colour"),
        ({"colour": 3}, "colour"),
        ({"colour": "blue", "deep": "yes"}, "deep"),
        ({"colour": "blue", "other": 1}, "other"),
    ):
        refused = world.answer(question, content=content)
        assert refused.status_code == 400, content
        assert field in refused.json()["error"]["details"]["fields"]
        assert field in refused.json()["error"]["message"]
    assert world.open()[0]["id"] == question["id"]
    assert world.answer(question, typed={"colour": ["blue"], "deep": ["no"]}).is_success
    assert world.told(token, call) == [{"action": "accept", "content": {"colour": "blue", "deep": False}}]


def test_of_many_answers_at_once_one_is_taken(world: AskedWorld, token: str) -> None:
    call, question = world.asked(token)
    with ThreadPoolExecutor(16) as people:
        answers = list(people.map(lambda n: world.answer(question, content={"colour": f"c{n}"}), range(16)))
    assert sorted(each.status_code for each in answers)[:2] == [200, 409]
    assert sum(each.is_success for each in answers) == 1
    won = next(index for index, each in enumerate(answers) if each.is_success)
    assert world.told(token, call) == [{"action": "accept", "content": {"colour": f"c{won}"}}]
    late = world.answer(question, content=BLUE)
    assert late.status_code == 409
    assert "accepted by you" in late.json()["error"]["message"]


def test_nothing_that_an_agent_holds_sees_or_answers_a_question(world: AskedWorld, token: str) -> None:
    call, question = world.asked(token)
    other = world.session()[1]
    body = {"action": "accept", "content": BLUE}
    for bearer in (token, other):
        headers = {"Authorization": f"Bearer {bearer}"}
        for method, path in (
            ("GET", "/v1/questions"),
            ("GET", f"/v1/questions/{question['id']}"),
            ("POST", f"/v1/questions/{question['id']}/answer"),
            ("GET", f"/questions/{question['id']}"),
            ("POST", f"/questions/{question['id']}"),
        ):
            assert world.control(method, path, body, headers=headers).status_code in {401, 403}, path
            assert world.agent(method, path, body, token=bearer).status_code in {404, 405}, path
        for path in (f"/v1/tool-questions/{question['id']}/answer", f"/v1/tool-questions/{call}/answer"):
            assert world.agent("POST", path, {"result": body}, token=bearer).status_code == 404
    assert world.agent("GET", f"/v1/action-approvals/{call}/result", token=other).status_code == 404
    assert world.ok("GET", f"/v1/questions/{question['id']}")["state"] == "open"
    world.answer(question, "decline")
    world.became(token, call)


def test_an_agent_that_can_ask_its_person_is_not_passed_over(world: AskedWorld) -> None:
    with ByHand(launched(world)) as claude:
        claude.ask("initialize", HANDSHAKE | {"capabilities": {"elicitation": {"form": {}}}})
        claude.notify("notifications/initialized")
        call = claude.send("tools/call", {"name": "older__ask", "arguments": {"ask": COLOUR}})
        asked = claude.wait_for_notification("elicitation/create")
        assert world.open() == []
        claude.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "cancel"}}))
        assert '"cancel"' in claude.answer(call)["result"]["content"][0]["text"]
        # Of a page it did not say that it can show it, so the person is asked.
        waiting = claude.call("older__ask", {"ask": PAGE})["structuredContent"]
        assert waiting["status"] == "pending"
        assert "open question" in waiting["message"]
        world.answer(world.open()[0], "decline")


def test_an_agent_is_told_at_once_who_asks_and_how_to_learn_what_became_of_it(world: AskedWorld) -> None:
    with ByHand(launched(world)) as goose:
        goose.ask(
            "initialize",
            HANDSHAKE | {"capabilities": {"elicitation": {}}, "clientInfo": {"name": "goose-cli", "version": "1"}},
        )
        goose.notify("notifications/initialized")
        told = goose.call("newer__ask", {"ask": COLOUR})
        assert told["isError"] is False
        text, data = told["content"][0]["text"], told["structuredContent"]
        assert "the server newer asks the person something" in text
        assert "check_action_status" in text
        assert (data["status"], data["approval_id"][:4]) == ("pending", "exe_")
        standing = goose.call("check_action_status", {"approval_id": data["approval_id"], "wait_seconds": 0})
        assert standing["structuredContent"]["status"] == "running"
        assert "newer asked the person" in standing["structuredContent"]["message"]
        assert [each for each in goose.notifications if "id" in each] == []
        world.answer(world.open()[0], content=BLUE)
        done = goose.call("check_action_status", {"approval_id": data["approval_id"], "wait_seconds": 30})
        assert done["structuredContent"]["status"] == "completed"
        assert "blue" in str(done["content"])


def test_a_call_that_a_person_approved_asks_them_too_and_ends_with_its_approval(world: AskedWorld, token: str) -> None:
    before = len(world.begun())
    waiting = world.call(token, server="ruled").json()
    approval = waiting["approval_id"]
    assert approval.startswith("apr_")
    assert world.open() == []
    world.ok("POST", f"/v1/approvals/{approval}/approve", {})
    wait_until(lambda: bool(world.open()))
    [question] = world.open()
    assert question["server"] == "ruled"
    assert world.agent("GET", f"/v1/action-approvals/{approval}/result", token=token).json()["status"] == "running"
    world.answer(question, content=BLUE)
    assert world.told(token, approval) == [{"action": "accept", "content": BLUE}]
    assert len(world.begun()) == before + 1


def test_a_page_is_shown_with_its_host_and_is_not_opened(world: AskedWorld, token: str) -> None:
    call, question = world.asked(token, PAGE)
    assert (question["host"], question["url"], question["fields"]) == ("login.example.com", PAGE["url"], None)
    assert world.answer(question, content={"x": 1}).status_code == 400
    assert world.answer(question).is_success
    assert world.told(token, call) == [{"action": "accept"}]


@pytest.mark.parametrize(
    "ask",
    [
        PAGE | {"url": "https://bank.example@evil.example/"},
        PAGE | {"url": "javascript:alert(1)"},
        PAGE | {"url": "https:///nowhere"},
        {"message": "x" * 5000, "requestedSchema": COLOUR["requestedSchema"]},
        {"message": "?", "requestedSchema": {"type": "object", "properties": {"a": {"type": "object"}}}},
        {
            "message": "?",
            "requestedSchema": {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(40)}},
        },
    ],
)
def test_what_no_person_could_be_shown_is_refused_to_the_server(
    world: AskedWorld, token: str, ask: dict[str, object]
) -> None:
    answer = world.call(token, ask)
    assert answer.status_code == 200
    assert "error" in json.loads(answer.json()["content"][0]["text"])["answers"][0]
    assert world.open() == []


def test_hostile_texts_reach_the_log_with_what_hides_made_visible(world: AskedWorld, token: str) -> None:
    schema = {"type": "object", "properties": {HOSTILE: {"type": "string", "title": HOSTILE}}}
    call, question = world.asked(token, {"message": HOSTILE, "requestedSchema": schema})
    assert world.answer(question, content={HOSTILE: "x"}).is_success
    world.became(token, call)
    for event in world.events(type="question.asked")[-1:] + world.events(type="question.answered")[-1:]:
        assert not any(hidden in json.dumps(event, ensure_ascii=False) for hidden in "\u202e\u200b\x1b")


@pytest.mark.parametrize("server", ["older", "newer"])
def test_a_server_that_asks_without_end_is_refused(world: AskedWorld, token: str, server: str) -> None:
    before = len(world.begun())
    call, question = world.asked(token, server=server, times=1000)
    answered = 0
    while answered < 50:
        assert world.answer(question, content=BLUE).is_success
        answered += 1
        still = world.agent("GET", f"/v1/action-approvals/{call}/result", token=token).json()
        wait_until(
            lambda: (
                bool(world.open())
                or world.agent("GET", f"/v1/action-approvals/{call}/result", token=token).json()["status"] != "running"
            )
        )
        if not world.open():
            break
        question = world.open()[0]
    assert answered == 10, still
    became = world.became(token, call)
    assert became["status"] in {"completed", "unknown", "failed"}
    assert len(world.begun()) == before + 1


def test_open_questions_of_a_server_in_a_session_are_bounded(world: AskedWorld, token: str) -> None:
    asked = [world.asked(token, server="newer") for _ in range(4)]
    refused = world.call(token, server="newer")
    assert refused.status_code != 202, refused.text
    assert "Too many questions" in refused.text
    other = world.session()[1]
    call, question = world.asked(other, server="newer")
    for each in (*(question for _, question in asked), question):
        world.answer(each, "decline")
    for each, _ in asked:
        world.became(token, each)
    world.became(other, call)


def test_a_question_ends_with_its_session_and_the_server_is_told_that_nobody_answered(world: AskedWorld) -> None:
    session, token = world.session()
    _, question = world.asked(token)
    world.ok("POST", f"/v1/sessions/{session}/end", {})
    ended = world.ok("GET", f"/v1/questions/{question['id']}")
    assert (ended["state"], ended["stands"]) == ("ended", "The session that it was for has ended.")
    assert world.answer(question, content=BLUE).status_code == 409
    wait_until(lambda: question["id"] in str(world.events(type="question.ended")))
    wait_until(lambda: world.ok("GET", "/v1/status")["runs"]["active"] == 0)


@pytest.mark.parametrize("server", ["older", "newer"])
def test_a_question_ends_with_its_server(world: AskedWorld, token: str, server: str) -> None:
    call, question = world.asked(token, server=server)
    for pid in world.processes_of(server):
        os.kill(pid, signal.SIGKILL)
    became = world.became(token, call)
    assert (became["status"], became["error"]["class"]) == ("unknown", "outcome_unknown")
    ended = world.ok("GET", f"/v1/questions/{question['id']}")
    assert (ended["state"], ended["stands"]) == ("ended", "The call that it was for is over.")
    assert world.open() == []
    wait_until(lambda: world.call(token, server=server, times=0).is_success)  # it is started anew after a pause


def test_the_control_api_says_how_many_wait_and_streams_them(world: AskedWorld, token: str) -> None:
    assert world.ok("GET", "/v1/status")["questions"] == {"open": 0}
    call, question = world.asked(token)
    assert world.ok("GET", "/v1/status")["questions"] == {"open": 1}
    world.answer(question, "decline")
    world.became(token, call)


# Last, because they stop the daemon


def test_a_daemon_that_is_killed_in_the_middle_leaves_an_unknown_outcome_and_repeats_nothing(
    world: AskedWorld, token: str
) -> None:
    before = len(world.begun())
    call, question = world.asked(token)
    world.kill()
    world.start()
    became = world.became(token, call)
    assert (became["status"], became["error"]["class"]) == ("unknown", "outcome_unknown")
    assert len(world.begun()) == before + 1
    assert world.open() == []
    assert world.answer(question, content=BLUE).status_code == 404
    assert world.verify()["ok"]


def test_a_daemon_that_stops_tells_the_server_and_brings_the_call_to_its_end(world: AskedWorld, token: str) -> None:
    world.asked(token)
    assert world.stop() == 0
    world.start()
    ended = world.events(type="question.ended")[-1]
    assert ended["payload"]["aileron.question.reason"] == "The daemon is stopping."
    assert world.events(type="execution.succeeded")[-1]["action"] == "older/ask"


def test_a_question_that_nobody_answers_expires(world: AskedWorld) -> None:
    world.stop()
    world.start(AILERON_SERVERS__QUESTION_EXPIRES="1s")
    token = world.session()[1]
    call, question = world.asked(token)
    assert world.told(token, call) == [{"action": "cancel"}]
    assert world.ok("GET", f"/v1/questions/{question['id']}")["state"] == "expired"
    assert "in time" in world.answer(question, content=BLUE).json()["error"]["message"]
