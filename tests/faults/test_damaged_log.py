"""A daemon whose log was tampered with starts, runs nothing, says so everywhere, and goes on when a person says so."""

import sqlite3
from contextlib import closing
from pathlib import Path

from services.upstream import UpstreamProcess
from world import World


def test_with_a_damaged_log_nothing_runs_until_a_person_goes_on_with_it(tmp_path: Path) -> None:
    with UpstreamProcess() as upstream, World(tmp_path, upstream=upstream.url) as world:
        world.start()
        world.set_up()
        world.add_action("post")
        session, token = world.session()
        world.stop()
        with closing(sqlite3.connect(world.home / "aileron.db")) as connection:
            connection.execute("UPDATE audit_events SET actor = 'agent' WHERE seq = 2")
            connection.commit()
        world.start()
        status = world.ok("GET", "/v1/status")["audit"]
        assert (status["available"], status["damaged"]) == (False, True)
        assert "Event 2" in status["reason"]
        check = next(item for item in world.ok("GET", "/v1/checks")["items"] if item["name"] == "audit log")
        assert check["status"] == "failed"
        assert "aileron audit resume" in check["message"]
        arguments = {"arguments": {"url": f"{world.upstream}/x", "body": "{}"}}
        refused = world.control("POST", "/v1/actions/post/run", arguments)
        assert refused.json()["error"]["class"] == "audit_unavailable"
        assert "damaged" in refused.json()["error"]["message"]
        assert upstream.requests == []
        assert world.control("GET", "/v1/audit/head").status_code == 503
        assert world.verify()["head"] is None
        body = {"because": "it was me"}
        assert world.agent("POST", "/v1/audit/resume", body, token=token).status_code in {401, 404}
        resumed = world.ok("POST", "/v1/audit/resume", body)
        assert world.ok("GET", f"/v1/audit/{resumed['event_id']}")["payload"]["aileron.audit.because"] == "it was me"
        world.unlock()
        assert world.control("POST", "/v1/actions/post/run", arguments).status_code == 200
        assert world.ok("GET", f"/v1/sessions/{session}")["ended_at"] is None, "sessions are taken up again"
        world.stop()
        world.start()
        report = world.verify()
        assert not report["ok"]
        assert {(problem["kind"], problem["seq"]) for problem in report["problems"]} >= {("modified", 2)}
        assert all(problem["known"] for problem in report["problems"])
        assert world.ok("GET", "/v1/status")["audit"]["available"]
