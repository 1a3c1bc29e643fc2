"""Aileron in integration suites: a daemon with a home of its own, and programs that reach nothing but it.

with AileronSandbox(actions="actions/", connectors=["build/my-connector"]) as aileron:
    aileron.bind("file://acme/my-connector", api_key="test-key")
    run = aileron.start_program(["sh", "-c", "..."], workspace=tmp_path)
    aileron.approve(aileron.wait_for_approval())
    assert run.wait().exit_code == 0
    aileron.assert_event("execution.succeeded", action="ship-update")
"""

from aileron_testing.errors import AileronError
from aileron_testing.runs import Finished, Run
from aileron_testing.sandbox import AileronSandbox

__all__ = ["AileronError", "AileronSandbox", "Finished", "Run"]
