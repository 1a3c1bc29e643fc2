"""Takes the secrets that were put in for a server out of what comes back from it. Pure."""

import json
from typing import Any, TypeVar

from daemon.core.failures import Failure
from daemon.core.scrubbing.scrub import Scrubber

T = TypeVar("T")


def clean_of(scrubber: Scrubber, value: T) -> T:
    """Return a JSON value without the secrets, in keys as in values."""
    return _clean(scrubber, value)  # type: ignore[no-any-return]


def cleaned(scrubber: Scrubber | None, failure: Failure) -> Failure:
    """Return a failure without the secrets."""
    if scrubber is None:
        return failure
    return failure.cleaned(scrubber.scrub, lambda details: _clean(scrubber, details))


def _clean(scrubber: Scrubber, value: Any) -> Any:
    if isinstance(value, str):
        return scrubber.scrub(value)
    if isinstance(value, dict):
        return {scrubber.scrub(str(key)): _clean(scrubber, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(scrubber, inner) for inner in value]
    if scrubber.may_be_number and isinstance(value, int | float) and not isinstance(value, bool):
        text = json.dumps(value)
        cleaned = scrubber.scrub(text)
        return value if cleaned == text else cleaned
    return value
