"""The example of docs/testing.md, as it stands there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from services.upstream import UpstreamProcess

from aileron_testing import AileronError, AileronSandbox
from connectors.build import build

pytest_plugins = ["aileron_testing.plugin"]
pytestmark = pytest.mark.docker

ACTION = """+++
name = "post-item"
version = "1.0.0"

[[requires.connectors]]
name = "file://acme/items"
version = "1.0.0"
hash = "{hash}"
capabilities = ["items:write"]

[[inputs]]
name = "text"
type = "string"
description = "What to post."

[approval]
required = true

[[execute]]
id = "post"
connector = "file://acme/items"
op = "post_json"
[execute.inputs]
url = "{url}/item"
body = {{ text = "${{args.text}}" }}
+++
# Post an item
"""

CALL = """
curl -sS --cacert "$AILERON_CA_FILE" -H "Authorization: Bearer $AILERON_TOKEN" -H "Content-Type: application/json" \
  -d '{"arguments": {"text": "hello"}}' "$AILERON_URL/v1/actions/post-item/run" > asked.json
id=$(jq -r .approval_id asked.json)
curl -sS --cacert "$AILERON_CA_FILE" -H "Authorization: Bearer $AILERON_TOKEN" \
  "$AILERON_URL/v1/action-approvals/$id/result?wait=30" | jq -r .status
"""


# begin of the example
def test_my_agent_posts_only_what_was_approved(
    aileron_sandbox: Callable[..., AileronSandbox], service: UpstreamProcess, tmp_path: Path
) -> None:
    service.behave("/item", json={"accepted": True})
    place = service.url.removeprefix("http://")
    connector = build("wellbehaved", tmp_path / "connector", hosts=[place], fqn="file://acme/items")
    aileron = aileron_sandbox(connectors=[connector], allow_private=[place])
    aileron.bind("file://acme/items", api_key="test-key")
    action = tmp_path / "post-item.md"
    action.write_text(ACTION.format(hash=aileron.installed["file://acme/items"], url=service.url))
    aileron.install_action(action)

    workspace = tmp_path / "project"
    workspace.mkdir()
    run = aileron.start_program(["sh", "-c", CALL], workspace=workspace)
    aileron.approve(aileron.wait_for_approval(action="post-item"))
    finished = run.wait()

    assert (finished.exit_code, finished.stdout) == (0, "completed\n")
    assert [json.loads(seen.body) for seen in service.seen("/item")] == [{"text": "hello"}]
    aileron.assert_event("execution.succeeded", action="post-item", session=run.session, count=1)
    aileron.verify()


# end of the example


@pytest.fixture
def service() -> object:
    """Offer a service that the action calls."""
    with UpstreamProcess() as started:
        yield started


def test_a_program_reaches_nothing_but_the_daemon(
    aileron_sandbox: Callable[..., AileronSandbox], tmp_path: Path
) -> None:
    aileron = aileron_sandbox()
    run = aileron.start_program(["sh", "-c", "curl -sS -m 3 https://1.1.1.1/; echo $?"], workspace=tmp_path)
    assert run.wait().stdout == "7\n"


def test_what_a_program_writes_is_read_from_its_layer_or_lies_in_the_folder_if_it_works_there_itself(
    aileron_sandbox: Callable[..., AileronSandbox], tmp_path: Path
) -> None:
    aileron = aileron_sandbox()
    workspace = tmp_path / "project"
    workspace.mkdir()
    run = aileron.start_program(["sh", "-c", "echo layer > made"], workspace=workspace)
    assert run.wait().exit_code == 0
    assert (run.written / "made").read_text() == "layer\n"
    assert list(workspace.iterdir()) == []
    assert aileron.start_program(["sh", "-c", "echo live > made"], workspace=workspace, live=True).wait().exit_code == 0
    assert (workspace / "made").read_text() == "live\n"


def test_what_is_wrong_is_said(aileron_sandbox: Callable[..., AileronSandbox], tmp_path: Path) -> None:
    aileron = aileron_sandbox()
    broken = tmp_path / "broken.md"
    broken.write_text("+++\nname = 1\n+++\n")
    with pytest.raises(AileronError, match="broken"):
        aileron.install_action(broken)
    with pytest.raises(AileronError, match="Nothing asked"):
        aileron.wait_for_approval(seconds=0.1)
    with pytest.raises(AssertionError, match="the log holds 0 events"):
        aileron.assert_event("execution.started")
    with pytest.raises(AileronError, match="did not start"):
        aileron_sandbox(settings="[nonsense]\nx = 1\n")


def test_the_example_in_the_docs_is_this_one() -> None:
    text = Path(__file__).read_text()
    example = text.partition("# begin of the example\n")[2].partition("\n\n# end of the example")[0].strip()
    docs = (Path(__file__).parent.parent.parent / "docs" / "testing.md").read_text()
    assert example in docs
