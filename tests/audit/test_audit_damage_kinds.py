"""Row A2: one act of damage is one problem, of the right kind, at the right event; and no mix of them goes unseen."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from audit.audit_room import an_event, open_room
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.audit.events import chain_hash
from daemon.audit.signing import CheckpointSigner
from daemon.audit.verification import Problem, verify

EVENTS = 40
SIGNED_EVERY = 10
SESSION, PAYLOAD, PREV_HASH, HASH = 4, 9, 10, 11
Row = list[Any]
Rows = list[Row]
Damage = Callable[[Rows, Rows], Rows]


@dataclass(frozen=True)
class Written:
    """A whole log, the rows of another one with the same numbers, and the key of the first."""

    content: bytes
    rows: Rows
    foreign: Rows
    signer: CheckpointSigner

    def copy(self) -> tuple[Rows, Rows]:
        return [list(row) for row in self.rows], [list(row) for row in self.foreign]

    def problems(self, folder: Path, rows: Rows) -> list[Problem]:
        """Put these rows in the place of the log's own, and verify."""
        path = folder / "copy.db"
        for name in ("copy.db", "copy.db-wal", "copy.db-shm"):
            (folder / name).unlink(missing_ok=True)
        path.write_bytes(self.content)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("DELETE FROM audit_events")
            connection.executemany(f"INSERT INTO audit_events VALUES ({','.join('?' * 12)})", rows)
            connection.commit()
        return verify(path, public_keys=self.signer.public_keys()).problems


def _write(folder: Path) -> tuple[Path, CheckpointSigner]:
    folder.mkdir()
    path, signer = asyncio.run(_fill(folder))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path, signer


async def _fill(folder: Path) -> tuple[Path, CheckpointSigner]:
    async with open_room(folder, checkpoint_every=SIGNED_EVERY) as room:
        for number in range(EVENTS):
            await room.log.append(an_event(number))
    return room.path, room.signer


def _rows(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as connection:
        return [list(row) for row in connection.execute("SELECT * FROM audit_events ORDER BY seq")]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Offer two logs, to be damaged in copies."""
    folder = tmp_path_factory.mktemp("logs")
    (mine, signer), (other, _) = _write(folder / "mine"), _write(folder / "other")
    return Written(mine.read_bytes(), _rows(mine), _rows(other), signer)


def changed(row: Row, column: int, value: Any, *, fit: bool = False, **other: Any) -> Row:
    """Return a row with another value, and if wanted with a hash to fit."""
    row = [*row[:column], value, *row[column + 1 :]]
    row[0], row[1] = other.get("seq", row[0]), other.get("id", row[1])
    if fit:
        row[HASH] = chain_hash(*row[:HASH])
    return row


def renumbered(rows: Rows) -> Rows:
    """Close the gaps and make room, as someone who hides a deletion or an insertion would."""
    return [[number, *row[1:]] for number, row in enumerate(rows, 1)]


def rewritten(rows: Rows, start: int) -> Rows:
    """Change an event and link everything behind it anew."""
    rows = [*rows[: start - 1], changed(rows[start - 1], PAYLOAD, "{}"), *rows[start:]]
    for index in range(start - 1, len(rows)):
        rows[index] = changed(rows[index], PREV_HASH, rows[index - 1][HASH], fit=True)
    return rows


def moved(rows: Rows, source: int, target: int) -> Rows:
    rows = list(rows)
    rows.insert(target, rows.pop(source))
    return renumbered(rows)


JUNK = changed(
    [18, "aud_forged", "t", "test.happened", None, "agent", None, None, None, "{}", "0" * 64, "0" * 64], 0, 18
)
ACTS: dict[str, tuple[Damage, str, int]] = {
    "payload": (lambda r, _: [*r[:16], changed(r[16], PAYLOAD, "{}"), *r[17:]], "modified", 17),
    "none made empty": (lambda r, _: [*r[:16], changed(r[16], 6, ""), *r[17:]], "modified", 17),
    "none made a dash": (lambda r, _: [*r[:16], changed(r[16], 7, "-"), *r[17:]], "modified", 17),
    "hash": (lambda r, _: [*r[:16], changed(r[16], HASH, "0" * 64), *r[17:]], "modified", 17),
    "link": (lambda r, _: [*r[:16], changed(r[16], PREV_HASH, "0" * 64), *r[17:]], "modified", 17),
    "with a hash to fit": (lambda r, _: [*r[:16], changed(r[16], PAYLOAD, "{}", fit=True), *r[17:]], "modified", 17),
    "the last": (lambda r, _: [*r[:39], changed(r[39], PAYLOAD, "{}")], "modified", 40),
    "deleted": (lambda r, _: r[:16] + r[17:], "deleted", 17),
    "deleted first": (lambda r, _: r[3:], "deleted", 1),
    "deleted, gap closed": (lambda r, _: renumbered(r[:16] + r[17:]), "deleted", 17),
    "deleted several, gap closed": (lambda r, _: renumbered(r[:16] + r[20:]), "deleted", 17),
    "inserted noise": (lambda r, _: renumbered([*r[:17], JUNK, *r[17:]]), "inserted", 18),
    "inserted to fit": (
        lambda r, _: renumbered([*r[:17], changed(JUNK, PREV_HASH, r[16][HASH], fit=True), *r[17:]]),
        "inserted",
        18,
    ),
    "inserted from another log": (lambda r, f: renumbered(r[:17] + f[17:20] + r[17:]), "inserted", 18),
    "inserted before the first": (lambda r, _: [changed(JUNK, SESSION, None, seq=0), *r], "inserted", 0),
    "spliced one": (lambda r, f: r[:16] + f[16:17] + r[17:], "spliced", 17),
    "spliced several": (lambda r, f: r[:11] + f[11:15] + r[15:], "spliced", 12),
    "spliced end": (lambda r, f: r[:11] + f[11:], "spliced", 12),
    "replaced whole": (lambda _, f: f, "spliced", SIGNED_EVERY),
    "rewritten from 25 on": (lambda r, _: rewritten(r, 25), "spliced", 30),
    "cut off": (lambda r, _: r[:35], "truncated", 36),
    "cut off whole": (lambda _r, _f: [], "truncated", 1),
}


@pytest.mark.parametrize("act", ACTS)
def test_one_act_is_one_problem_of_its_kind_at_its_event(written: Written, tmp_path: Path, act: str) -> None:
    damage, kind, seq = ACTS[act]
    problems = written.problems(tmp_path, damage(*written.copy()))
    assert [(problem.kind, problem.seq) for problem in problems] == [(kind, seq)]
    assert problems[0].message.endswith(".")


@pytest.mark.parametrize(("source", "target"), [(11, 12), (11, 29), (29, 11), (0, 39), (39, 0)])
def test_an_event_that_was_moved_is_called_reordered(
    written: Written, tmp_path: Path, source: int, target: int
) -> None:
    rows, _ = written.copy()
    problems = written.problems(tmp_path, moved(rows, source, target))
    assert {problem.kind for problem in problems} == {"reordered"}
    assert {problem.seq for problem in problems} & {source + 1, target + 1}
    assert len(problems) <= 2


def test_acts_far_apart_are_each_named(written: Written, tmp_path: Path) -> None:
    rows, foreign = written.copy()
    rows = [*rows[:5], changed(rows[5], PAYLOAD, "{}"), *rows[6:14], *rows[15:22], foreign[22], *rows[23:35]]
    found = [(problem.kind, problem.seq) for problem in written.problems(tmp_path, rows)]
    assert sorted(found, key=lambda one: one[1] or 0) == [
        ("modified", 6),
        ("deleted", 15),
        ("spliced", 23),
        ("truncated", 36),
    ]


def test_a_log_in_which_every_event_is_damaged_is_reported_in_bounds(written: Written, tmp_path: Path) -> None:
    rows, _ = written.copy()
    problems = written.problems(tmp_path, [changed(row, PAYLOAD, "{}") for row in rows])
    assert {problem.kind for problem in problems} == {"modified"}
    assert 1 <= len(problems) <= EVENTS


_places = st.integers(0, EVENTS - 1)
_acts = st.one_of(
    st.tuples(st.just("edit"), _places, st.integers(1, 11), st.sampled_from(["", "-", "x", "0" * 64, "\u00e9\n", "1"])),
    st.tuples(st.just("delete"), _places),
    st.tuples(st.just("insert"), _places, _places),
    st.tuples(st.just("swap"), _places, _places),
    st.tuples(st.just("splice"), _places),
    st.tuples(st.just("shift"), _places, st.integers(1, 5)),
    st.tuples(st.just("rehash"), _places),
)


def apply(act: tuple[Any, ...], rows: Rows, foreign: Rows) -> Rows:
    """Do one act to rows that may have been damaged already."""
    at = min(act[1], len(rows) - 1)
    match act:
        case ("edit", _, column, value):
            return [*rows[:at], changed(rows[at], column, value), *rows[at + 1 :]]
        case ("delete", _) if at < len(rows) - 1:
            return rows[:at] + rows[at + 1 :]
        case ("insert", _, source):
            return renumbered([*rows[:at], changed(foreign[source], 1, f"aud_{at}_{source}_{len(rows)}"), *rows[at:]])
        case ("swap", _, other):
            rows = list(rows)
            other = min(other, len(rows) - 1)
            rows[at], rows[other] = rows[other], rows[at]
            return renumbered(rows)
        case ("splice", _) if at < len(rows) - 1:
            return [*rows[:at], [rows[at][0], *foreign[at % EVENTS][1:]], *rows[at + 1 :]]
        case ("shift", _, by):
            return rows[:at] + [[row[0] + by, *row[1:]] for row in rows[at:]]
        case ("rehash", _) if not {"", "-"} & {rows[at][column] for column in (4, 6, 7, 8)}:
            return [*rows[:at], changed(rows[at], PAYLOAD, '{"n":-1}', fit=True), *rows[at + 1 :]]
    return rows


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(_acts, min_size=1, max_size=4))
def test_no_mix_of_acts_goes_unseen_or_ends_in_an_error(
    written: Written, tmp_path: Path, acts: list[tuple[Any, ...]]
) -> None:
    rows, foreign = written.copy()
    for act in acts:
        rows = apply(act, rows, foreign)
    distinct = {row[1]: row for row in {row[0]: row for row in rows}.values()}  # what the table itself would refuse
    rows = sorted(distinct.values(), key=lambda row: int(row[0]))
    problems = written.problems(tmp_path, rows)
    assert bool(problems) == (rows != written.rows)
    assert all(problem.message for problem in problems)
