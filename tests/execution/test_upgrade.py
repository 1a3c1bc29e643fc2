"""A home made by the version before starts, migrates, verifies and goes on: what was asked for is still asked for."""

from pathlib import Path
from typing import Any

from former import put_approval, put_open_run, turn_back
from services.upstream import UpstreamProcess
from world import World


def test_what_the_version_before_left_open_is_carried_over_and_settled(tmp_path: Path) -> None:
    with UpstreamProcess() as upstream, World(tmp_path, upstream=upstream.url) as world:
        world.start()
        world.set_up()
        world.add_action("post", approval=True)
        session, token = world.session()
        arguments = {"url": f"{world.upstream}/carried", "body": "{}"}
        run = world.agent("POST", "/v1/actions/post/run", {"arguments": arguments}, token=token)
        shown = world.ok("GET", f"/v1/approvals/{run.json()['approval_id']}")
        world.stop()
        database = world.home / "aileron.db"
        turn_back(database)
        common: dict[str, Any] = {
            "session": session,
            "action": "post",
            "action_hash": shown["action_hash"],
            "connector_hashes": shown["connectors"],
            "accounts": shown["accounts"],
            "arguments": arguments,
        }
        put_approval(database, "apr_asked", **common)
        put_approval(database, "apr_old", **(common | {"action_hash": "sha256:" + "0" * 64}))
        put_approval(database, "apr_ran", state="running", execution="exe_ran", **common)
        put_open_run(database, "exe_ran", session=session, action="post", approval="apr_ran", step="call")
        world.start()
        world.unlock()
        assert world.ok("GET", "/v1/approvals/apr_ran")["state"] == "unknown"
        assert world.ok("GET", "/v1/approvals/apr_asked")["explanation"]["complete"]
        for approval in ("apr_asked", "apr_old"):
            world.ok("POST", f"/v1/approvals/{approval}/approve", {})
        asked = world.agent("GET", "/v1/action-approvals/apr_asked/result?wait=30", token=token).json()
        old = world.agent("GET", "/v1/action-approvals/apr_old/result?wait=30", token=token).json()
        assert asked["status"] == "completed"
        assert (old["status"], old["error"]["class"]) == ("void", "approval_void")
        assert "the action file has changed" in old["message"]
        assert len(upstream.seen("/carried")) == 1
        assert world.verify()["ok"]
