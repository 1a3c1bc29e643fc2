"""Statements of the hot path: compiled once, and run on the driver's own connection.

Every run of an action waits for two commits, and what SQLAlchemy does around each statement costs more than the
statement. These are still written with SQLAlchemy, and their errors are still those of SQLAlchemy.
"""

import sqlite3
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement

_DIALECT = sqlite.dialect()


class HotStatement:
    """One statement. Its values are given in the order in which the statement has its parameters."""

    def __init__(self, statement: ClauseElement, parameters: Sequence[str]) -> None:
        self._statement = statement
        self._parameters = list(parameters)

    @cached_property
    def text(self) -> str:
        """Return it as the driver reads it; ValueError if the parameters were named in another order."""
        compiled: Any = self._statement.compile(dialect=_DIALECT, column_keys=self._parameters)
        if compiled.positiontup != self._parameters:
            raise ValueError(f"the statement has its parameters in the order {', '.join(compiled.positiontup)}")
        return str(compiled)

    def run(self, connection: Connection, values: Sequence[Any]) -> None:
        """Execute the statement once."""
        driver: Any = connection.connection.dbapi_connection
        try:
            driver.execute(self.text, values)
        except sqlite3.Error as problem:
            raise library_error(problem, self.text) from problem


def run_on_driver(connection: Connection, statement: str) -> None:
    """Execute a statement without parameters and without an answer, such as one that begins or ends a transaction."""
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.execute(statement)
    except sqlite3.Error as problem:
        raise library_error(problem, statement) from problem


def library_error(problem: sqlite3.Error, statement: str) -> BaseException:
    """Return what SQLAlchemy would have raised for an error of the driver, without the parameters of the statement."""
    return DBAPIError.instance(statement, None, problem, sqlite3.Error, hide_parameters=True, dialect=_DIALECT)
