"""Promise 1: every run of an action goes through one function."""

import ast
import inspect
from pathlib import Path

import daemon

SOURCE = Path(daemon.__file__).parent


def calls_of(attribute: str, *, on: str) -> set[str]:
    """Return the modules that call `<something ending in on>.<attribute>(...)`."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == attribute:
                owner = node.func.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name.lstrip("_") == on:
                    found.add(str(path.relative_to(SOURCE)))
    return found


def test_a_connector_is_called_by_the_run_of_an_action_and_for_a_persons_preview_only() -> None:
    assert calls_of("call", on="connectors") == {"tools/actions/prepared.py", "tools/actions/previewing.py"}


def test_a_prepared_call_is_run_by_the_run_of_the_one_path_only() -> None:
    assert calls_of("run", on="prepared") == {"execution/run.py"}


def test_guest_code_is_executed_by_the_connector_service_only() -> None:
    assert calls_of("execute", on="runtime") == {"connectors/call.py"}
    assert calls_of("run", on="runner") == {"connectors/service.py", "lifecycle/process.py"}  # the latter: asyncio's


def test_the_executor_has_one_public_way_in_which_can_be_waited_for() -> None:
    from daemon.execution.executor import Executor

    public = {name for name in vars(Executor) if not name.startswith("_")}
    assert public == {"active", "begin_drain", "run", "start"}
    assert "self.start(request" in inspect.getsource(Executor.run)
    assert inspect.getsource(Executor).count("self._run(") == inspect.getsource(Executor.start).count("self._run(") == 1


def test_the_executor_is_called_by_the_run_routes_and_the_dispatcher_of_approved_calls() -> None:
    routes = {"api/agent.py", "api/tool_calls.py", "api/control/actions.py"}
    assert calls_of("run", on="executor") == routes | {"execution/dispatch.py"}
    assert calls_of("start", on="executor") == {"api/tool_calls.py"}


def test_a_server_is_asked_by_the_run_of_a_call_for_its_tools_and_for_what_a_call_subscribed_to_only() -> None:
    room = "tools/servers/"
    watching = f"{room}subscriptions.py"  # what a call has subscribed to is subscribed to again on the next connection
    assert calls_of("lent", on="lender") == {f"{room}calls.py", f"{room}looking.py", watching}
    asked = {name: calls_of(name, on="executor") for name in ("call_tool", "ask", "tools")}
    assert asked == {
        "call_tool": {f"{room}requests.py"},
        "ask": {f"{room}requests.py", watching},
        "tools": {f"{room}looking.py"},
    }
    assert calls_of("send", on="request") == {f"{room}calls.py"}
