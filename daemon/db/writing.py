"""The connection of a thread that does nothing but write: transactions begin and end on the driver's own connection.

SQLAlchemy goes through a dozen of its layers around each transaction, and every call waits for two of them. What is
done inside of one still gets SQLAlchemy's connection.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from daemon.db.engine import BEGUN_BY_HAND
from daemon.db.statements import HotStatement, library_error

_BEGIN, _COMMIT = "BEGIN IMMEDIATE", "COMMIT"


class WritingConnection:
    """One connection. A `with` block of it is a transaction that has the write lock from its begin.

    It is committed at the end of the block, and undone if the block or the commit raises.
    """

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.execution_options(**{BEGUN_BY_HAND: True}).connect()
        # To SQLAlchemy the whole life of the connection is one transaction, so that it begins none by itself.
        self._connection.begin()
        self.driver: Any = self._connection.connection.dbapi_connection
        """The driver's own connection."""

    def __enter__(self) -> Connection:
        """Begin a transaction, and return what statements are executed on."""
        try:
            self.driver.execute(_BEGIN)
        except sqlite3.Error as problem:
            raise library_error(problem, _BEGIN) from problem
        return self._connection

    def run_rows(self, statement: HotStatement, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement once for each of several rows of values, within a block."""
        try:
            self.driver.executemany(statement.text, rows)
        except sqlite3.Error as problem:
            raise library_error(problem, statement.text) from problem

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit, or undo everything."""
        if kind is not None:
            self._undo()
            return
        try:
            self.driver.execute(_COMMIT)
        except BaseException as failed:
            self._undo()
            if isinstance(failed, sqlite3.Error):
                raise library_error(failed, _COMMIT) from failed
            raise

    def close(self) -> None:
        """Close it for good, whatever state it is in; it does not go back to the pool."""
        with contextlib.suppress(SQLAlchemyError):  # it may be what just failed
            self._connection.invalidate()
        with contextlib.suppress(SQLAlchemyError):
            self._connection.close()

    def _undo(self) -> None:
        # After some errors the database has undone it already. What was raised first is what is to be known.
        with contextlib.suppress(sqlite3.Error):
            self.driver.rollback()
