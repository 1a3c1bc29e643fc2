"""A launch and its end are recorded as of the person who asked for them, and as the daemon's where nobody did."""

from pathlib import Path

from sandbox.engine import own_everything, run_inside, start_inside
from world import World

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
