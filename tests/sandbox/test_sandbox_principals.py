"""A launch and its end are recorded as of the person who asked for them, and as the daemon's where nobody did."""

import json
import sys
from pathlib import Path

from sandbox.engine import own_everything, run_inside, start_inside
from world import ROOT, World

ASK_FOR_FOLDERS = (
    'curl -sS --cacert "$AILERON_CA_FILE" -H "Authorization: Bearer $AILERON_TOKEN" '
    '-H "Content-Type: application/json" -d "{}" "$AILERON_URL/v1/tools/own__folders/call"'
)
MEANS = "aileron.principal.means"


def test_a_launch_is_the_persons_and_an_end_is_of_who_asked_for_it(world: World, tmp_path: Path) -> None:
    own_everything(tmp_path)
    asked = start_inside(world, tmp_path, "sleep 60")
    world.ok("POST", f"/v1/sandboxes/{asked['id']}/end")
    ended = run_inside(world, tmp_path, "true").session
    told = {
        (each["session"], each["type"]): (each["actor"], each["payload"][MEANS])
        for each in world.events()
        if each["session"] in {asked["id"], ended} and each["type"].split(".")[1] in {"started", "ended"}
    }
    you, daemon = ("person:owner", "cli"), ("daemon", "process")
    for session, end in ((asked["id"], you), (ended, daemon)):
        assert told[session, "session.started"] == you
        assert told[session, "sandbox.started"] == you
        assert told[session, "sandbox.ended"] == end
        assert told[session, "session.ended"] == end


def test_a_server_of_a_sandboxed_session_is_told_the_folder_on_this_machine(world: World, tmp_path: Path) -> None:
    own_everything(tmp_path)
    chatty = [sys.executable, str(ROOT / "tests/servers/chatty_server.py")]
    world.ok("POST", "/v1/servers", {"name": "own", "command": chatty, "scope": "session"})
    world.ok("POST", "/v1/servers/own/test")
    ran = run_inside(world, tmp_path, ASK_FOR_FOLDERS)
    told = json.loads(json.loads(ran.out)["content"][0]["text"])
    assert told == {"roots": [{"uri": tmp_path.as_uri(), "name": tmp_path.name}]}
