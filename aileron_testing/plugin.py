"""The pytest plugin: it offers the fixture `aileron_sandbox`.

Where this distribution is installed, pytest finds the plugin by itself, in every suite of that environment. So this
module and what it imports must stay quick to import.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aileron_testing.sandbox import AileronSandbox


@pytest.fixture
def aileron_sandbox() -> Iterator[Callable[..., AileronSandbox]]:
    """Offer a function that starts Aileron with what it is given; everything it started is gone after the test."""
    started: list[AileronSandbox] = []

    def start(**options: Any) -> AileronSandbox:
        sandbox = AileronSandbox(**options)
        started.append(sandbox)
        return sandbox.start()

    yield start
    for sandbox in reversed(started):
        sandbox.stop()
