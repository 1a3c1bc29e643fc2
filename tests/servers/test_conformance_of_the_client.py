"""The official conformance suite against the daemon's side towards servers, with its logins.

`conformance.yml` says what is known to fail, and why; the suite fails for everything else, and for a line too many.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.conformance_client import Serving
from servers.conformance_suite import REVISIONS, passes

pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(sys.platform != "linux", reason="it runs on the Node of the pinned agents, which is for Linux"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Offer the command with which the suite starts the client."""
    with Serving(tmp_path_factory.mktemp("relay") / "socket") as serving:
        yield serving.command


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_server_of_a_revision_finds_a_client_that_does_what_it_requires(
    client: str, revision: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    passes("client", revision, "--command", client, folder=tmp_path, tell=record_property)
