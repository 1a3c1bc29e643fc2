"""The writer's connection: a block is one transaction with the lock from its begin, whole or not at all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, delete, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from daemon.db.engine import open_engine
from daemon.db.statements import HotStatement
from daemon.db.writing import WritingConnection

numbers = Table("numbers", MetaData(), Column("n", Integer, primary_key=True))
hot = HotStatement(insert(numbers), ["n"])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(tmp_path / "a.db")
    with made.begin() as connection:
        numbers.create(connection)
    yield made
    made.dispose()


@pytest.fixture
def writing(engine: Engine) -> Iterator[WritingConnection]:
    with closing(WritingConnection(engine)) as made:
        yield made


def stored(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(select(numbers.c.n).order_by(numbers.c.n)).scalars())


def add(connection: Connection, *added: int) -> None:
    for number in added:
        connection.execute(insert(numbers).values(n=number))


def test_each_block_is_a_transaction_whichever_way_its_statements_are_run(
    engine: Engine, writing: WritingConnection
) -> None:
    for first in (1, 11):
        with writing as connection:
            add(connection, first)
            hot.run(connection, (first + 1,))
            writing.run_rows(hot, [(first + 2,), (first + 3,)])
            assert first not in stored(engine)
        assert first + 3 in stored(engine)
    assert stored(engine) == [1, 2, 3, 4, 11, 12, 13, 14]


def test_a_block_that_raises_leaves_nothing_and_the_next_one_works(engine: Engine, writing: WritingConnection) -> None:
    def fail(connection: Connection) -> None:
        add(connection, 1)
        raise LookupError("no")

    with pytest.raises(LookupError), writing as connection:
        fail(connection)
    with pytest.raises(IntegrityError), writing as connection:
        add(connection, 2, 2)
    with writing as connection:
        add(connection, 3)
    assert stored(engine) == [3]


def test_a_statement_that_fails_on_the_driver_is_an_error_of_the_library_without_the_values(
    engine: Engine, writing: WritingConnection
) -> None:
    for values in ((1,), (1, 2)):
        with writing as connection:
            hot.run(connection, (1,))
            with pytest.raises(DBAPIError) as one:
                hot.run(connection, values)
            connection.execute(delete(numbers))
        with pytest.raises(DBAPIError) as several, writing:
            writing.run_rows(hot, [(1,), values])
        assert type(one.value) is type(several.value) is (IntegrityError if len(values) == 1 else ProgrammingError)
        assert "parameters:" not in f"{one.value}{several.value}"
    assert stored(engine) == []


def test_values_can_be_given_in_no_other_order_than_that_of_the_statement() -> None:
    pairs = Table("pairs", MetaData(), Column("a", Integer), Column("b", Integer))
    assert HotStatement(insert(pairs), ["a", "b"]).text.count("?") == 2
    with pytest.raises(ValueError, match="in the order a, b"):
        _ = HotStatement(insert(pairs), ["b", "a"]).text


def test_a_savepoint_within_a_block_undoes_its_own_part_only(engine: Engine, writing: WritingConnection) -> None:
    with writing as connection:
        add(connection, 1)
        with pytest.raises(IntegrityError), connection.begin_nested():
            add(connection, 2, 2)
        with connection.begin_nested():
            add(connection, 3)
    assert stored(engine) == [1, 3]


def test_a_lock_that_another_holds_is_an_error_of_the_library_at_the_begin_of_every_kind(
    engine: Engine, writing: WritingConnection
) -> None:
    with writing as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    others = engine.execution_options(aileron_writes=True)
    with others.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout=10")
        other.rollback()
        with others.begin(), pytest.raises(OperationalError, match="locked"), writing:
            pass
        with writing, pytest.raises(OperationalError, match="locked"):
            other.begin()


def test_a_commit_that_fails_undoes_its_block_and_is_an_error_of_the_library(
    engine: Engine, writing: WritingConnection
) -> None:
    def end_it_too_early(connection: Connection) -> None:
        add(connection, 1)
        connection.exec_driver_sql("ROLLBACK")

    with pytest.raises(OperationalError, match="no transaction is active"), writing as connection:
        end_it_too_early(connection)
    with writing as connection:
        add(connection, 2)
    assert stored(engine) == [2]


def test_closed_in_the_middle_of_a_block_it_leaves_nothing_and_no_lock(engine: Engine) -> None:
    lost = WritingConnection(engine)
    add(lost.__enter__(), 1)
    lost.close()
    with closing(WritingConnection(engine)) as writing, writing as connection:
        add(connection, 2)
    assert stored(engine) == [2]
