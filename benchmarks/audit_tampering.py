"""What is found of what can be done to an audit log by someone who does not hold its key.

Run: python -m benchmarks.audit_tampering

Each act of `tests/audit/tampering.py` is done to copies of a whole log: one that was stopped, one whose daemon was
killed. Found before: when the log is opened. Found after: when it was opened, used and stopped once more, which signs
what there is. Signed: whether the key signed anything on top of the damage.
"""

import asyncio
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from audit.tampering import ACTS, LogHome, Originals, open_log

from daemon.core.failures import Failure

Row = tuple[str, str, bool, bool, bool, str]


async def look(home: LogHome) -> list[tuple[Any, ...]]:
    """Open the log, verify, use it, and stop in good order."""
    try:
        opened = open_log(home.folder)
    except Failure:
        return [("not opened", None)]
    found = opened.found(home.database)
    with suppress(Failure):
        await opened.append()
    await opened.log.close()
    opened.engine.dispose()
    return list(found)


def try_out(originals: Originals, kind: str, name: str) -> Row:
    """Do one act to one copy."""
    with originals.copy(kind) as home:
        ACTS[name].do(home)
        checkpoints = home.checkpoints()
        before = asyncio.run(look(home))
        signed = bool([one for one in home.checkpoints() if one not in checkpoints])
        after = asyncio.run(look(home))
    means = ", ".join(sorted({f"{what} at {where}" if where is not None else str(what) for what, where in before}))
    return name, kind, bool(before), bool(after), signed, means


def main() -> None:
    """Try every act and print the table."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        originals = Originals(Path(scratch)).make()
        rows = [try_out(originals, kind, name) for name in ACTS for kind in ("stopped", "killed")]
    for name, kind, before, after, signed, means in rows:
        print(f"{name:58} {kind:8} {_word(before):10} {_word(after):10} {'SIGNED' if signed else '':7} {means[:90]}")
    count = len(rows)
    print(f"\n{len(ACTS)} acts on {count} logs: found before a stop {sum(row[2] for row in rows)} of {count}, ", end="")
    print(f"after a stop {sum(row[3] for row in rows)} of {count}; signed all the same: {sum(row[4] for row in rows)}")


def _word(found: bool) -> str:
    return "found" if found else "NOT FOUND"


if __name__ == "__main__":
    main()
