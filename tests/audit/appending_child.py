"""Appends until it is killed; says on its standard output what has been acknowledged, and what was refused.

Arguments: the folder, how many append at a time, and whether each line of input is one round (`stepwise`).
"""

import asyncio
import sys
from pathlib import Path

from audit.audit_room import AuditRoom, an_event, open_room
from sqlalchemy import insert

from daemon.core.failures import Failure
from daemon.db.tables import sessions


async def append_one(room: AuditRoom, name: str) -> None:
    """Append an event together with a state change of the same name, and say what came of it."""
    row = {"id": name, "kind": "api", "label": "", "created_ms": 1, "expires_ms": 2, "capabilities": "[]"}
    try:
        appended = await room.log.append(
            an_event(), effect=lambda connection: connection.execute(insert(sessions).values(row)).rowcount
        )
    except Failure as failure:
        print("refused", name, failure.failure_class.value, failure.message, flush=True)
    else:
        print("written", name, appended.records[0].id, flush=True)


async def main(folder: Path, at_once: int, *, stepwise: bool) -> None:
    """Append in rounds."""
    async with open_room(folder, checkpoint_every=50) as room:
        start = room.log.status().head_seq
        print("ready", flush=True)
        for turn in range(1_000_000):
            if stepwise and not sys.stdin.readline():
                break
            await asyncio.gather(*(append_one(room, f"ses_{start}_{turn}_{n}") for n in range(at_once)))
            status = room.log.status()
            print("round", status.available, status.reason, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), stepwise="stepwise" in sys.argv))
