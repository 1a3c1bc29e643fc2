"""Reading what a connector answers: strict about form, so that nothing odd travels on; pure."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.core.failures import FailureClass
from daemon.core.visible import visible

MAX_RESULT_CHARACTERS = 8 * 1024 * 1024
MAX_RESULT_DEPTH = 64
MAX_MESSAGE = 2000
_MAX_ERROR = 64 * 1024
_MAX_INTEGER = 2**53 - 1

_ERROR_CLASSES = {
    kind.value: kind
    for kind in (
        FailureClass.EXTERNAL_API_ERROR,
        FailureClass.INVALID_ARGUMENTS,
        FailureClass.CONNECTOR_RUNTIME_ERROR,
    )
}
_ERROR_FIELDS = {"class", "message", "status", "retriable", "retry_after_ms"}


class AnswerError(ValueError):
    """A connector answered with something that is not in the agreed form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedError:
    """An error as a connector reports it, after checking."""

    failure_class: FailureClass
    message: str
    status: int | None
    retriable: bool
    retry_after_ms: int | None


def read_result(text: str, *, scrub: Callable[[str], str] | None) -> Any:
    """Parse a result, with the secrets taken out of every text in it, however it was escaped."""
    if len(text) > MAX_RESULT_CHARACTERS:
        raise AnswerError(f"its result has {len(text)} characters; at most {MAX_RESULT_CHARACTERS} are accepted")
    value = _parse(text)
    # A text with few brackets cannot be deep; one without escapes shows in its raw form whatever is in it.
    if text.count("[") + text.count("{") > MAX_RESULT_DEPTH:
        _check_depth(value)
    escaped = "\\" in text
    if escaped:
        _check_unicode(value)
    if scrub is None or (not escaped and scrub(text) == text):
        return value
    return scrub_all(value, scrub)


def read_error(payload: str) -> ReportedError:
    """Parse the error arm of a connector."""
    if len(payload) > _MAX_ERROR:
        raise AnswerError(f"its error has {len(payload)} characters; at most {_MAX_ERROR} are accepted")
    value = _parse(payload)
    if not isinstance(value, dict) or not set(value) <= _ERROR_FIELDS:
        raise AnswerError(f"its error is not an object with only the fields {', '.join(sorted(_ERROR_FIELDS))}")
    failure_class = _ERROR_CLASSES.get(value["class"]) if isinstance(value.get("class"), str) else None
    if failure_class is None:
        raise AnswerError(f"the class of its error is not one of {', '.join(sorted(_ERROR_CLASSES))}")
    message = value.get("message")
    if not isinstance(message, str) or not message.strip():
        raise AnswerError("its error has no message")
    status = value.get("status")
    if status is not None and not (_is_integer(status) and 100 <= status <= 599):
        raise AnswerError("the status of its error is not an HTTP status")
    retriable = value.get("retriable", False)
    if not isinstance(retriable, bool):
        raise AnswerError("the field retriable of its error is not true or false")
    wait = value.get("retry_after_ms")
    if wait is not None and not (_is_number(wait) and 0 <= wait <= _MAX_INTEGER):
        raise AnswerError("the field retry_after_ms of its error is not a number of milliseconds")
    return ReportedError(
        failure_class=failure_class,
        message=message,
        status=status,
        retriable=retriable,
        retry_after_ms=None if wait is None else math.ceil(wait),
    )


def tidy_message(message: str, *, scrub: Callable[[str], str]) -> str:
    """Make a text that a connector had a hand in fit to be shown and kept: scrubbed, visible, bounded."""
    # Scrubbed before it is cut: half a secret would not be recognised.
    clean = visible(scrub(message))
    return clean if len(clean) <= MAX_MESSAGE else f"{clean[:MAX_MESSAGE]}..."


def check_arguments(inputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """List what in a call's arguments does not fit the inputs that the manifest declares for the operation."""
    problems = [f"{name!r} is not an input of this operation" for name in arguments if name not in inputs]
    for name, declared in inputs.items():
        if name not in arguments:
            if declared.required:
                problems.append(f"{name!r} is missing")
        elif not _TYPES[declared.type](arguments[name]):
            problems.append(f"{name!r} has to be of the type {declared.type}")
    return problems


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: type(value) is str,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: type(value) is bool,
    "array": lambda value: type(value) is list,
    "object": lambda value: type(value) is dict,
}


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise AnswerError(f"its answer is nested deeper than {MAX_RESULT_DEPTH} levels") from error
    except ValueError as error:
        raise AnswerError(f"its answer is not JSON ({str(error)[:200]})") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:40]} is too large")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_RESULT_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                below.extend(item.values())
            elif type(item) is list:
                below.extend(item)
        level = [item for item in below if type(item) in {dict, list}]
        if not level:
            return
    raise AnswerError(f"its answer is nested deeper than {MAX_RESULT_DEPTH} levels")


def _check_unicode(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise AnswerError("its answer holds text that is not valid Unicode (a lone surrogate)") from error


def scrub_all(value: Any, scrub: Callable[[str], str]) -> Any:
    """Scrub every text in a JSON value, the names of members too."""
    kind = type(value)
    if kind is str:
        return scrub(value)
    if kind is dict:
        return {scrub(key): scrub_all(member, scrub) for key, member in value.items()}
    if kind is list:
        return [scrub_all(member, scrub) for member in value]
    return value
