"""Statements of the hot path: compiled once, and run on the driver's own cursor.

Every run of an action waits for two commits, and what SQLAlchemy does around each statement costs more than the
statement. These are still written with SQLAlchemy and compiled for whatever database the connection is to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement


class HotStatement:
    """One statement with named parameters."""

    def __init__(self, statement: ClauseElement, parameters: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._parameters = None if parameters is None else list(parameters)
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def run(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """Execute the statement with one set of parameters."""
        text, order = self._compiled.get(connection.dialect.name) or self._compile(connection)
        self._execute(connection, text, row if order is None else [row[name] for name in order], many=False)

    def run_rows(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Execute the statement for rows whose values stand in the order the parameters were named in."""
        text, order = self._compiled.get(connection.dialect.name) or self._compile(connection)
        if order is None:
            names = self._parameters or ()
            self._execute(connection, text, [dict(zip(names, row, strict=True)) for row in rows], many=True)
        else:
            self._execute(connection, text, rows, many=True)

    def _compile(self, connection: Connection) -> tuple[str, tuple[str, ...] | None]:
        compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=self._parameters)
        order = tuple(compiled.positiontup) if compiled.positional else None
        found = self._compiled[connection.dialect.name] = (str(compiled), order)
        return found

    @staticmethod
    def _execute(connection: Connection, text: str, values: Any, *, many: bool) -> None:
        driver: Any = connection.connection.dbapi_connection
        cursor = driver.cursor()
        try:
            if many:
                cursor.executemany(text, values)
            else:
                cursor.execute(text, values)
        except connection.dialect.loaded_dbapi.Error as problem:
            raise _library_error(connection, problem, text) from problem
        finally:
            cursor.close()


def run_on_driver(connection: Connection, statement: str) -> None:
    """Execute a statement without parameters and without an answer, such as one that begins or ends a transaction."""
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(statement)
    except connection.dialect.loaded_dbapi.Error as problem:
        raise _library_error(connection, problem, statement) from problem


def _library_error(connection: Connection, problem: Exception, statement: str) -> BaseException:
    """Return what SQLAlchemy would have raised for an error of the driver, without the parameters of the statement."""
    base: Any = connection.dialect.loaded_dbapi
    return DBAPIError.instance(statement, None, problem, base.Error, hide_parameters=True, dialect=connection.dialect)
