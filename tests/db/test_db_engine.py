"""The database as it is opened: private, durable, with transactions and savepoints that hold what they promise."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import OperationalError

from daemon.db.engine import open_engine
from daemon.db.reader import Reader

numbers = Table("numbers", MetaData(), Column("n", Integer, primary_key=True))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(tmp_path / "a.db")
    with made.execution_options(aileron_writes=True).begin() as connection:
        numbers.create(connection)
    yield made
    made.dispose()


def stored(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(select(numbers.c.n).order_by(numbers.c.n)).scalars())


def add(connection: Connection, number: int) -> None:
    connection.execute(insert(numbers).values(n=number))


def test_the_file_and_its_companions_are_their_owners_alone(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        add(connection, 1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}


def test_a_file_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch(0o644)
    open_engine(path).dispose()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
def test_every_connection_is_durable_and_strict(engine: Engine, pragma: str, value: object) -> None:
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_a_savepoint_undoes_what_came_after_it_and_no_more(engine: Engine) -> None:
    with engine.begin() as connection:
        add(connection, 1)
        savepoint = connection.begin_nested()
        add(connection, 2)
        savepoint.rollback()
        with connection.begin_nested():
            add(connection, 3)
    assert stored(engine) == [1, 3]


def test_an_error_undoes_the_whole_transaction_tables_included(engine: Engine) -> None:
    other = Table("other", MetaData(), Column("n", Integer))

    def fail(connection: Connection) -> None:
        add(connection, 1)
        other.create(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), engine.begin() as connection:
        fail(connection)
    assert stored(engine) == []
    with engine.connect() as connection:
        assert not engine.dialect.has_table(connection, "other")


def test_a_writer_takes_the_lock_when_it_begins(engine: Engine) -> None:
    writing = engine.execution_options(aileron_writes=True)
    with engine.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout=10")
        other.rollback()
        with writing.begin(), pytest.raises(OperationalError, match="locked"):
            add(other, 1)


def test_a_reader_keeps_its_snapshot_and_holds_up_no_writer(engine: Engine) -> None:
    with engine.connect() as reader:
        assert reader.execute(select(numbers.c.n)).all() == []
        with engine.execution_options(aileron_writes=True).begin() as connection:
            add(connection, 1)
        assert reader.execute(select(numbers.c.n)).all() == []
    assert stored(engine) == [1]


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "what?.db", "a#b.db", "ä.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    engine = open_engine(tmp_path / name)
    with engine.begin() as connection:
        numbers.create(connection)
    engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == [name]


async def test_reads_run_off_the_loop_and_close_waits_for_them(engine: Engine) -> None:
    reader = Reader(engine)
    begun, finish = threading.Event(), threading.Event()

    def slow(connection: Connection) -> str:
        begun.set()
        assert finish.wait(20)
        return threading.current_thread().name

    reading = asyncio.ensure_future(reader.read(slow))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait, 20)
    closing = asyncio.ensure_future(reader.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    finish.set()
    await closing
    assert (await reading).startswith("db-read")


async def test_an_error_in_a_read_is_the_callers(engine: Engine) -> None:
    reader = Reader(engine)

    def fail(connection: Connection) -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await reader.read(fail)
    assert await reader.read(lambda connection: connection.execute(select(numbers.c.n)).all()) == []
    await reader.close()


async def test_an_iterator_is_stepped_on_one_thread_and_closed(engine: Engine) -> None:
    reader = Reader(engine)
    threads: list[str] = []

    def items() -> Iterator[int]:
        with reader.connect() as connection:
            try:
                for number in range(100):
                    threads.append(threading.current_thread().name)
                    yield connection.exec_driver_sql(f"SELECT {number}").scalar_one()
            finally:
                threads.append("closed")

    iterator = reader.iterate(items)
    assert [await anext(iterator) for _ in range(3)] == [0, 1, 2]
    await iterator.aclose()
    assert threads[-1] == "closed"
    assert len(set(threads[:-1])) == 1
    await reader.close()
