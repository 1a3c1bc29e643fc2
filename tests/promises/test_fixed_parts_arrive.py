"""What an action file fixes arrives at the service as it was written, whatever the agent passes: over the wire."""

import json
from pathlib import Path

import pytest
from services.upstream import UpstreamProcess
from world import World

BREAKING = 'x","channel":"#board","y":"'
UNSAFE = """body = '{"channel":"#all","text":"@here ${args.body}"}'"""
SAFE = 'body = { channel = "#all", text = "@here ${args.body}" }'


@pytest.fixture
def ready(world: World, upstream: UpstreamProcess) -> World:
    """Offer a running installation whose service answers everything with an object."""
    world.start()
    world.set_up()
    for path in ("/item", "/first"):
        upstream.behave(path, json={})
    return world


def write(world: World, body: str, url: str) -> Path:
    """Write the action of the example with this line for its body, and this URL."""
    path = world.add_action("tell", inputs={"url": url, "body": "${args.body}"})
    path.write_text(path.read_text().replace('body = "${args.body}"', body))
    return path


def run(world: World, **arguments: str) -> tuple[int, dict[str, str]]:
    answer = world.agent("POST", "/v1/actions/tell/run", {"arguments": arguments}, token=world.session()[1])
    return answer.status_code, answer.json().get("error", {})


def test_json_built_as_text_does_not_run_and_its_safe_form_keeps_what_is_fixed(
    ready: World, upstream: UpstreamProcess
) -> None:
    path = write(ready, UNSAFE, f"{ready.upstream}/item")
    problem = ready.ok("POST", "/v1/actions/check", {"text": path.read_text(), "file": str(path)})["problems"][0]
    assert problem["remedy"] == f"Write it as a table: {SAFE}"
    status, error = run(ready, body=BREAKING)
    assert status >= 400
    assert (error["class"], error["boundary"]) == ("invalid_arguments", "action")
    assert SAFE in error["message"]
    assert upstream.seen("/item") == []
    write(ready, SAFE, f"{ready.upstream}/item")
    assert run(ready, body=BREAKING)[0] == 200
    assert json.loads(upstream.seen("/item")[0].body) == {"channel": "#all", "text": f"@here {BREAKING}"}


def test_an_argument_in_a_url_cannot_leave_its_place(ready: World, upstream: UpstreamProcess) -> None:
    write(ready, SAFE, f"{ready.upstream}/items/${{args.body}}?fixed=1")
    assert run(ready, body="a/b?fixed=2#c")[0] == 200
    received = upstream.requests[-1]
    assert (received.path, received.query) == ("/items/a%2Fb%3Ffixed%3D2%23c", "fixed=1")


def test_an_argument_that_cannot_stand_in_its_place_is_refused_before_any_step_runs(
    ready: World, upstream: UpstreamProcess
) -> None:
    path = write(ready, SAFE, f"{ready.upstream}/items/${{args.body}}")
    first = (
        '[[execute]]\nid = "first"\nconnector = "file://aileron/wellbehaved"\nop = "get_json"\n'
        f'[execute.inputs]\nurl = "{ready.upstream}/first"\n'
    )
    path.write_text(path.read_text().replace('[[execute]]\nid = "call"', first + '[[execute]]\nid = "call"'))
    before = len(upstream.requests)
    status, error = run(ready, body="..")
    assert status >= 400
    assert error["class"] == "invalid_arguments"
    assert "step to another place" in error["message"]
    assert len(upstream.requests) == before
