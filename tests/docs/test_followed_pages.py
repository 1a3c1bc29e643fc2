"""Pages that are followed, step by step, in a home where nothing was before: what they promise is there at the end."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.following import Reader
from services.upstream import UpstreamProcess
from world import ROOT

DOCS = ROOT / "docs"
RELEASE = {
    "tag_name": "v50.0.1",
    "published_at": "2026-01-01T00:00:00Z",
    "html_url": "https://github.com/bytecodealliance/wasmtime/releases/tag/v50.0.1",
}


@pytest.fixture(scope="module")
def service() -> Iterator[UpstreamProcess]:
    """Offer what stands for every service outside."""
    with UpstreamProcess() as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(600)  # two compilers: most of a minute of processor time
@pytest.mark.parametrize(
    "language",
    [
        pytest.param(
            "javascript", marks=pytest.mark.skipif(shutil.which("npm") is None, reason="the page needs Node.js and npm")
        ),
        "python",
    ],
)
def test_a_connector_is_written_from_an_empty_folder_to_an_action_that_ran(
    language: str, service: UpstreamProcess, tmp_path: Path
) -> None:
    page = DOCS / f"connector-in-{language}.md"
    place = "/repos/bytecodealliance/wasmtime/releases/latest"
    service.forget()
    service.behave(place, json=RELEASE)
    with Reader(tmp_path, outside={"api.github.com:443": service.host_port}) as reader:
        reader.follow(page, until="To remove it")
        (asked,) = service.seen(place)
        assert asked.headers["accept"] == "application/json"
        result = json.loads(reader.printed[-1])
        assert (result["tag"], result["url"]) == (RELEASE["tag_name"], RELEASE["html_url"])
        assert abs(result["days_ago"] - (now() - 1_767_225_600) / 86_400) <= 1
        failures_are_told(reader, service, place)
        whole_interface_works(reader)
        reader.follow(page, only="To remove it")
        assert reader.ask("connector list")["items"] == []


def failures_are_told(reader: Reader, service: UpstreamProcess, place: str) -> None:
    """The same action, without a person in between: what the service refuses, and what the connector refuses."""
    (action,) = reader.home.glob(".aileron/actions/*.md")
    action.write_text(action.read_text().replace("required = true ", "required = false"))
    service.behave(place, status=404)
    for repo, said in [
        ("bytecodealliance/wasmtime", "GitHub answered with status 404."),
        ("../wasmtime", "repo must look like owner/name."),
    ]:
        answer = reader.shell(f"aileron action run {action.stem} repo={repo} --json 2>/dev/null || true")
        assert json.loads(answer)["error"]["message"] == said


def whole_interface_works(reader: Reader) -> None:
    """Manifest, clock, randomness and log reach a connector in this language."""
    (connector,) = reader.ask("connector list")["items"]
    reader.shell(f"aileron action add self-test --connector {connector['name']} --op self_test")
    action = reader.home / ".aileron" / "actions" / "self-test.md"
    action.write_text(action.read_text().replace("required = true ", "required = false"))
    seen = json.loads(reader.shell("aileron action run self-test 2>/dev/null"))
    assert seen["version"] == connector["version"]
    assert abs(seen["now_ms"] / 1000 - now()) < 60
    assert len(seen["random"]) == 16
    assert "The self test runs." in reader.shell("aileron logs")


def test_the_readme_leads_to_an_issue_on_github_and_other_pages_show_whose_it_was(
    service: UpstreamProcess, tmp_path: Path
) -> None:
    place = "/repos/YOU/REPO/issues"
    service.forget()
    service.behave(place, status=201, json={"number": 7, "html_url": "https://github.com/YOU/REPO/issues/7"})
    with Reader(tmp_path, outside={"api.github.com:443": service.host_port}, start=ROOT) as reader:
        reader.owns("token", "github_pat_11AAAA")
        reader.follow(ROOT / "README.md")
        (asked,) = service.seen(place)
        assert json.loads(asked.body) == {"title": "The README is wrong", "body": "Line 3 promises too much."}
        # GitHub refuses a request without a name of the program, and one whose token is not in this form.
        assert asked.headers["user-agent"]
        assert asked.headers["authorization"] == "Bearer github_pat_11AAAA"
        assert '"number": 7' in reader.printed[-1]
        assert "The log is whole" in reader.printed[-1]

        reader.goes_to("notes")
        reader.follow(DOCS / "who-did-what.md")
        exported = [json.loads(line) for line in (reader.home / "notes" / "audit.jsonl").read_text().splitlines()]
        assert {"approval.approved", "execution.succeeded"} <= {event["type"] for event in exported}

        reader.shell("aileron action run file-issue title=Two text=Again || [ $? -eq 75 ]")
        reader.has_command("ssh", '#!/bin/sh\n[ "$1" = -t ] && shift\n[ "$1" = machine ] && shift && exec sh -c "$*"\n')
        reader.follow(DOCS / "approving-elsewhere.md")
        assert len(service.wait_for(2, path=place)) == 2
        assert "http://127.0.0.1:" in reader.printed[-1]  # the link for the page


def test_a_message_reaches_slack_and_the_key_of_a_model_is_kept(service: UpstreamProcess, tmp_path: Path) -> None:
    service.forget()
    service.behave("/api/chat.postMessage", json={"ok": True, "channel": "C012AB3CD"})
    with Reader(tmp_path, outside={"slack.com:443": service.host_port}, start=ROOT) as reader:
        reader.owns("token", "xoxb-1234")
        reader.follow(DOCS / "slack.md")
        (asked,) = service.seen("/api/chat.postMessage")
        assert json.loads(asked.body) == {"channel": "#releases", "text": "1.4 is out."}
        assert asked.headers["authorization"] == "Bearer xoxb-1234"
        assert asked.headers["content-type"] == "application/json"
        assert reader.ask("binding list")["items"] == []

        reader.follow(DOCS / "model-key.md", until="To remove it")
        assert [item["name"] for item in reader.ask("binding list")["items"]] == ["api_key/anthropic/default"]
        reader.follow(DOCS / "model-key.md", only="To remove it")
        assert reader.ask("binding list")["items"] == []


def now() -> float:
    return time.time_ns() / 1e9


def test_an_installation_is_backed_up_brought_back_and_removed(tmp_path: Path) -> None:
    with Reader(tmp_path, outside={}) as reader:
        reader.follow(DOCS / "installing.md", until="Move to another machine")
        assert "is written and was read through" in "".join(reader.printed)
        assert "The log is whole" in reader.printed[-1]
        (kept,) = reader.home.glob(".aileron.before-*")
        assert (kept / "vault.json").exists()
        reader.follow(DOCS / "installing.md", only="Uninstall")
        assert sorted(path.name for path in reader.home.iterdir() if path.name.startswith(".aileron")) == [kept.name]
