"""Six MCP servers that people use, three from npm and three from PyPI: started by the daemon, pinned, and called."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers.real_servers import NOTE, from_npm, from_pypi, repository
from services.upstream import UpstreamProcess
from waiting import wait_until
from world import World

pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="they run on the Node of the pinned agents, which is for Linux"),
]
SERVERS = ("filesystem", "memory", "sequential-thinking", "git", "time", "fetch")


@dataclass
class Place:
    """An installation with the servers, and where they work."""

    world: World
    repository: Path
    upstream: UpstreamProcess
    token: str

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool as an agent does."""
        answer = self.world.agent("POST", f"/v1/tools/{name}/call", {"arguments": arguments}, token=self.token)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("real")
    with UpstreamProcess() as upstream, World(folder, upstream=upstream.url) as world:
        upstream.behave("/page", body="<h1>A page of 4711</h1>", headers={"Content-Type": "text/html"})
        world.start()
        place = Place(world, repository(folder / "repository"), upstream, world.session()[1])
        commands = {
            "filesystem": from_npm("filesystem", str(place.repository)),
            "memory": from_npm("memory"),
            "sequential-thinking": from_npm("sequential-thinking"),
            "git": from_pypi("git", "--repository", str(place.repository)),
            "time": from_pypi("time", "--local-timezone=Europe/Berlin"),
            "fetch": from_pypi("fetch", "--ignore-robots-txt", "--allow-private-ips"),
        }
        env = {"memory": {"MEMORY_FILE_PATH": str(folder / "memory.json")}}
        for name, command in commands.items():
            world.ok("POST", "/v1/servers", {"name": name, "command": command, "env": env.get(name, {})})
        yield place


def test_each_is_started_for_the_first_list_and_pinned_as_it_is_in_its_own_era(place: Place) -> None:
    def listed() -> set[str]:
        items = place.world.agent("GET", "/v1/tools", token=place.token).json()["items"]
        return {item["name"].partition("__")[0] for item in items}

    wait_until(lambda: set(SERVERS) <= listed())
    shown = {name: place.world.ok("GET", f"/v1/servers/{name}") for name in SERVERS}
    assert {name: (each["era"], each["tools"] > 0, each["withheld"]) for name, each in shown.items()} == {
        "filesystem": ("handshake", True, 0),
        "memory": ("handshake", True, 0),
        "sequential-thinking": ("handshake", True, 0),
        "git": ("modern", True, 0),
        "time": ("modern", True, 0),
        "fetch": ("modern", True, 0),
    }


def test_a_call_of_each_answers_as_text_and_as_structure_where_it_has_one(place: Place) -> None:
    note = place.call("filesystem__read_text_file", path=str(place.repository / "note.txt"))
    assert (note["result"], note["is_error"]) == ({"content": NOTE}, False)
    entity = {"name": "a", "entityType": "b", "observations": ["c"]}
    place.call("memory__create_entities", entities=[entity])
    assert place.call("memory__read_graph")["result"] == {"entities": [entity], "relations": []}
    thought = {"thought": "x", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
    assert place.call("sequential-thinking__sequentialthinking", **thought)["result"]["thoughtHistoryLength"] == 1
    assert "note.txt" in place.call("git__git_status", repo_path=str(place.repository))["content"][0]["text"]
    noon = {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    assert "+09:00" in place.call("time__convert_time", **noon)["result"]["target"]["datetime"]
    page = place.call("fetch__fetch", url=f"{place.upstream.url}/page")["content"]
    assert "A page of 4711" in page[0]["text"]
    modes = {event["payload"]["aileron.execution_mode"] for event in place.world.events(type="execution.started")}
    assert modes == {"local"}


def test_what_a_server_refuses_is_an_error_in_its_own_words_and_bad_arguments_do_not_reach_it(place: Place) -> None:
    outside = place.call("filesystem__read_text_file", path="/etc/passwd")
    assert (outside["is_error"], "outside allowed directories" in outside["content"][0]["text"]) == (True, True)
    nowhere = place.call("time__get_current_time", timezone="Nowhere/None")
    assert (nowhere["is_error"], "Invalid timezone" in nowhere["content"][0]["text"]) == (True, True)
    body = {"arguments": {"url": 7}}
    wrong = place.world.agent("POST", "/v1/tools/fetch__fetch/call", body, token=place.token).json()["error"]
    assert (wrong["class"], wrong["details"]["problems"]) == ("invalid_arguments", ['url: 7 is not of type "string"'])


def test_what_they_write_to_their_error_output_is_in_their_logs(place: Place) -> None:
    def log(name: str) -> str:
        return str(place.world.ok("GET", f"/v1/servers/{name}/logs")["lines"])

    wait_until(lambda: "running on stdio" in log("filesystem") and "Thought 1/1" in log("sequential-thinking"))
    wait_until(lambda: "Invalid timezone" in log("time"))
