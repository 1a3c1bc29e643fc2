"""Checks the arguments of a call against the schema that is pinned, before the server hears of it."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import jsonschema_rs

from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.visible import visible
from daemon.tools.servers.pins.definitions import Definition
from daemon.tools.servers.schemas import (
    MAX_PATTERNS,
    UnusableSchemaError,
    cost_of,
    patterns_of,
    without_patterns,
)

_MOST_PROBLEMS = 20
_LONGEST = 300
_PATTERN_BYTES = 256 * 1024
"""What a compiled pattern may take. The engine has no backtracking, so matching takes linear time."""

_KEPT = 2048
_CHEAP = 200
_MOST_WORK = 20_000_000
"""Places of the schema times values in the arguments: some tenths of a second."""


class ArgumentCheck:
    """What is made of one schema, once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.unchecked = ""
        """Why arguments are left to the server to check; empty if they are checked here."""
        self._cost = 0
        self._validator: Any = None
        try:
            self._cost = cost_of(schema)
            self._validator = _validator(schema)
        except UnusableSchemaError as problem:
            self.unchecked = str(problem)

    def check(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Raise the Failure that says what is wrong with arguments."""
        if self._validator is None:
            return
        if self._cost > _CHEAP and self._cost * _values(arguments) > _MOST_WORK:
            raise _refusal(tool, ["they hold more values than can be checked"])
        try:
            if self._validator.is_valid(arguments):
                return
            found = list(islice(self._validator.iter_errors(arguments), _MOST_PROBLEMS))
        except (ValueError, TypeError, OverflowError) as problem:
            raise _refusal(tool, [f"they cannot be checked: {problem}"]) from problem
        raise _refusal(tool, [_said(each) for each in found])


class ArgumentChecks:
    """Keeps the checks that were made, each under the digest of its definition, so that no call makes one anew."""

    def __init__(self) -> None:
        self._made: dict[str, ArgumentCheck] = {}

    def of(self, definition: Definition) -> ArgumentCheck:
        """Return the check of a tool's arguments."""
        found = self._made.get(definition.digest)
        if found is None:
            if len(self._made) >= _KEPT:
                self._made.pop(next(iter(self._made)))
            found = self._made[definition.digest] = ArgumentCheck(definition.said["inputSchema"])
        return found


def _validator(schema: Mapping[str, Any]) -> Any:
    patterns = set(patterns_of(schema))
    if len(patterns) > MAX_PATTERNS:
        raise UnusableSchemaError(f"it has more than {MAX_PATTERNS} patterns")
    # What our engine has not, such as looking ahead, is left to the server; the rest of the schema is used.
    unusable = frozenset(pattern for pattern in patterns if not _compiles({"pattern": pattern}))
    try:
        return _made(without_patterns(schema, unusable))
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as problem:
        raise UnusableSchemaError(f"it is no schema: {str(problem).splitlines()[0][:_LONGEST]}") from None


def _compiles(schema: Mapping[str, Any]) -> bool:
    try:
        _made(schema)
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True


def _made(schema: Mapping[str, Any]) -> Any:
    older = "draft-07" in str(schema.get("$schema", ""))
    kind = jsonschema_rs.Draft7Validator if older else jsonschema_rs.Draft202012Validator
    patterns = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    return kind(dict(schema), pattern_options=patterns, validate_formats=False, offline=True)


def _values(value: Any) -> int:
    count, level = 0, [value]
    while level:
        count += len(level)
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return count


def _said(problem: Any) -> str:
    place = ".".join(str(part) for part in problem.instance_path)
    text = visible(str(problem.message).replace("\n", " "))[:_LONGEST]
    return f"{place}: {text}" if place else text


def _refusal(tool: str, problems: list[str]) -> Failure:
    return Failure(
        FailureClass.INVALID_ARGUMENTS,
        f"The arguments do not fit {tool}: {'; '.join(problems)}."[:4000],
        boundary=Boundary.ACTION,
        details={"problems": problems},
    )
