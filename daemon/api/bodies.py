"""Reads the bodies of requests to the agent API, by the models that also describe them."""

import contextlib
import json
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from daemon.core.failures import Boundary, Failure, FailureClass

T = TypeVar("T")


def read_body(form: TypeAdapter[T], raw: bytes) -> T:
    """Return what a body says; raise the Failure of one that does not have this form."""
    with contextlib.suppress(ValidationError):
        return form.validate_json(raw)
    # Once more, and in two steps: this takes texts that no UTF-8 can hold, and says better what is wrong.
    try:
        return form.validate_python(json.loads(raw))
    except ValidationError as problem:
        places = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in problem.errors()]
        raise malformed("; ".join(places)) from problem
    except (ValueError, RecursionError) as problem:
        raise malformed("the body must be JSON") from problem


def malformed(problem: str) -> Failure:
    """Return the failure of a request that is not as it has to be."""
    return Failure(
        FailureClass.INVALID_ARGUMENTS, f"The request is not well-formed: {problem}."[:2000], boundary=Boundary.USER
    )
