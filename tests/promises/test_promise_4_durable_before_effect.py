"""Promise 4: `execution.started` is on disk before the first byte leaves. The crash harness and the failing disk attack
the same promise from below; here it is looked at from outside."""

import sqlite3
from contextlib import closing

from services.upstream import UpstreamProcess
from world import World


def test_while_the_service_is_at_work_the_beginning_is_in_the_file(world: World, upstream: UpstreamProcess) -> None:
    world.start()
    world.set_up()
    world.add_action("post")
    upstream.behave("/slow", delay=2.0)
    token = world.session()[1]
    from concurrent.futures import ThreadPoolExecutor

    body = {"arguments": {"url": f"{world.upstream}/slow", "body": "{}"}}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(world.agent, "POST", "/v1/actions/post/run", body, token=token)
        upstream.wait_for(1, path="/slow")
        # Another connection sees what is committed, and a commit of ours is synced (see daemon/db/engine.py).
        with closing(sqlite3.connect(f"file:{world.home / 'aileron.db'}?mode=ro", uri=True)) as connection:
            types = [row[0] for row in connection.execute("select type from audit_events order by seq desc limit 1")]
            opened = connection.execute("select name, may_have_left from open_executions").fetchall()
        assert types == ["execution.started"]
        assert opened == [("post", 1)]
        assert running.result().status_code == 200


def test_the_database_syncs_every_commit() -> None:
    import tempfile
    from pathlib import Path

    from daemon.db.engine import open_engine

    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(Path(folder) / "a.db")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        engine.dispose()
