"""The shape of the database: the migrations lead to the tables, backups come first, and nothing is lost on the way."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from world import ROOT

import migrations
from daemon.db.engine import open_engine
from daemon.db.migration import DatabaseError, DatabaseTooNewError, known_revisions, migrate
from daemon.db.tables import metadata

NEWEST, NEXT = "0008", "9999"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aileron.db"


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run statements on the file and return what the last one finds."""
    with closing(sqlite3.connect(path)) as connection:
        found = [connection.execute(statement).fetchall() for statement in statements][-1]
        connection.commit()
    return found


def test_the_migrations_lead_to_exactly_the_tables_the_program_knows(path: Path, backups: Path) -> None:
    migrate(path, backups=backups, now_ms=1)
    engine = open_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        definitions = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master")}
    engine.dispose()
    for table in metadata.tables.values():
        assert (
            definitions[table.name].rstrip().endswith("WITHOUT ROWID") != table.dialect_options["sqlite"]["with_rowid"]
        )
        for index in table.indexes:
            where = index.dialect_options["sqlite"]["where"]
            condition = "" if where is None else str(where).split(".")[-1]
            assert condition in definitions[index.name]
            assert ("WHERE" in definitions[index.name]) == (where is not None)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_every_table_has_a_definition_in_both_databases(dialect: sa.Dialect) -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))


def test_numbers_of_events_hold_64_bits_everywhere_and_are_the_tables_own_order_in_sqlite() -> None:
    events = metadata.tables["audit_events"]
    assert "seq BIGINT" in str(CreateTable(events).compile(dialect=postgresql.dialect()))
    assert "seq INTEGER NOT NULL" in str(CreateTable(events).compile(dialect=sqlite.dialect()))


def test_a_new_database_needs_no_backup_and_a_second_run_does_nothing(path: Path, backups: Path) -> None:
    first = migrate(path, backups=backups, now_ms=1)
    assert (first.before, first.backup) == (None, None)
    second = migrate(path, backups=backups, now_ms=2)
    assert (second.before, second.after, second.backup) == (first.after, first.after, None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not backups.exists()


def test_a_database_of_a_newer_program_is_refused_and_left_alone(path: Path, backups: Path) -> None:
    migrate(path, backups=backups, now_ms=1)
    sql(path, "UPDATE alembic_version SET version_num = '9042'")
    with pytest.raises(DatabaseTooNewError, match=r"revision is 9042.*Upgrade Aileron"):
        migrate(path, backups=backups, now_ms=2)
    assert sql(path, "SELECT version_num FROM alembic_version") == [("9042",)]


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, backups: Path) -> None:
    path.write_bytes(b"Dear diary, " * 500)
    with pytest.raises(DatabaseError, match="not a usable database"):
        migrate(path, backups=backups, now_ms=1)
    assert path.read_bytes() == b"Dear diary, " * 500


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path, backups: Path) -> None:
    sql(path, "CREATE TABLE recipes (name TEXT)")
    with pytest.raises(DatabaseError, match="some other program"):
        migrate(path, backups=backups, now_ms=1)
    assert sql(path, "SELECT name FROM sqlite_master") == [("recipes",)]


@pytest.fixture
def next_step(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Let the program know one migration more than it has; it fails half-way while told to."""
    behaviour = {"fails": False}

    class NextStep:
        revision = NEXT
        down_revision = NEWEST
        __doc__ = "One more."

        @staticmethod
        def upgrade() -> None:
            op.add_column("sessions", sa.Column("colour", sa.Text))
            op.execute("UPDATE sessions SET label = 'changed'")
            op.create_table("palette", sa.Column("n", sa.Integer, primary_key=True))
            if behaviour["fails"]:
                raise RuntimeError("ran out of paint")

    real = ScriptDirectory._load_revisions

    def with_one_more(self: ScriptDirectory) -> Iterator[Script]:
        yield from real(self)
        yield Script(NextStep, NEXT, "9999_next.py")  # type: ignore[arg-type]

    monkeypatch.setattr(ScriptDirectory, "_load_revisions", with_one_more)
    monkeypatch.setattr("daemon.db.migration.known_revisions", lambda: (*known_revisions(), NEXT))
    return behaviour


def test_the_revisions_that_file_names_tell_are_those_of_the_migrations_in_their_order() -> None:
    scripts = ScriptDirectory(Path(migrations.__file__).parent)
    assert known_revisions() == tuple(script.revision for script in reversed(list(scripts.walk_revisions())))
    assert known_revisions()[-1] == scripts.get_current_head() == NEWEST


def test_a_start_on_a_file_that_is_as_it_should_be_does_without_alembic(path: Path, backups: Path) -> None:
    migrate(path, backups=backups, now_ms=1)
    again = (
        "import pathlib, sys; from daemon.db.migration import migrate;"
        "migrate(pathlib.Path(sys.argv[1]), backups=pathlib.Path(sys.argv[2]), now_ms=2);"
        "sys.exit('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", again, path, backups], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.fixture
def old(path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Offer a database of the program as it was, with something in it."""
    migrate(path, backups=backups, now_ms=1)
    columns = "id, kind, label, created_ms, expires_ms, capabilities"
    sql(path, f"INSERT INTO sessions ({columns}) VALUES ('s', 'api', 'x', 1, 2, '')")
    return path


def test_an_upgrade_keeps_a_whole_private_copy_of_what_was(
    old: Path, backups: Path, next_step: dict[str, bool]
) -> None:
    report = migrate(old, backups=backups, now_ms=5)
    assert (report.before, report.after) == (NEWEST, NEXT)
    assert report.backup is not None
    assert report.backup.stat().st_mode & 0o777 == 0o600
    assert backups.stat().st_mode & 0o777 == 0o700
    assert sql(report.backup, "SELECT label FROM sessions") == [("x",)]
    assert sql(report.backup, "SELECT version_num FROM alembic_version") == [(NEWEST,)]
    assert sql(old, "SELECT label, colour FROM sessions") == [("changed", None)]


def test_a_copy_takes_in_what_is_still_in_the_write_ahead_log(
    old: Path, backups: Path, next_step: dict[str, bool]
) -> None:
    with closing(sqlite3.connect(old)) as holder:  # as long as this is open, the log is not folded into the file
        holder.execute("UPDATE sessions SET label = 'late'")
        holder.commit()
        report = migrate(old, backups=backups, now_ms=5)
    assert report.backup is not None
    assert sql(report.backup, "SELECT label FROM sessions") == [("late",)]


def test_an_upgrade_that_fails_leaves_the_old_database_in_use(
    old: Path, backups: Path, next_step: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    next_step["fails"] = True
    with pytest.raises(DatabaseError, match=rf"from {NEWEST} to {NEXT}: ran out of paint.*copy from before"):
        migrate(old, backups=backups, now_ms=5)
    assert sql(old, "SELECT version_num FROM alembic_version") == [(NEWEST,)]
    assert sql(old, "SELECT label FROM sessions") == [("x",)]
    assert sql(old, "SELECT name FROM sqlite_master WHERE name = 'palette'") == []
    next_step["fails"] = False
    assert migrate(old, backups=backups, now_ms=6).after == NEXT


def test_the_last_five_copies_are_kept(old: Path, backups: Path, next_step: dict[str, bool]) -> None:
    next_step["fails"] = True
    for now_ms in range(10, 18):
        with pytest.raises(DatabaseError):
            migrate(old, backups=backups, now_ms=now_ms)
    kept = sorted(int(path.name.split("-")[1]) for path in backups.iterdir())
    assert kept == [13, 14, 15, 16, 17]


def test_no_upgrade_without_a_copy(old: Path, backups: Path, next_step: dict[str, bool]) -> None:
    backups.write_text("in the way")
    with pytest.raises(DatabaseError, match="no copy of it could be made"):
        migrate(old, backups=backups, now_ms=5)
    assert sql(old, "SELECT version_num FROM alembic_version") == [(NEWEST,)]


def test_a_database_that_another_holds_is_not_called_damaged(
    path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.db.migration._WAIT_SECONDS", 0.05)
    migrate(path, backups=backups, now_ms=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match=r"locked.*no other program holds it"):
            migrate(path, backups=backups, now_ms=2)
