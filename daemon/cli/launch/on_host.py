"""A launch on this machine: opens a session, starts the agent with the person's own configuration, ends the session."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.launch import finding
from daemon.cli.launch.beforehand import connect_and_say
from daemon.cli.launch.child import Ended, run_agent
from daemon.cli.launch.closing import close, end_session
from daemon.cli.launch.scratch import place, scratch
from launchers.plan import LaunchContext, LaunchError, LaunchPlan

if TYPE_CHECKING:
    from daemon.cli.invocation import Invocation
    from daemon.cli.launch.finding import FoundAgent

_DAYS_SECONDS = 30 * 86_400
"""A session lives as long as its launcher; this only bounds what a stolen token is good for."""
_OURS = "AILERON_"


def launch_on_host(
    invocation: "Invocation", agent: str, arguments: Sequence[str], *, label: str, folder: Path | None
) -> int:
    """Run an agent in the foreground to its end, and return its exit code."""
    found = finding.find(finding.known(agent), invocation.environ)
    with connect_and_say(invocation) as client:
        if folder is not None:
            # The daemon tells servers where the agent works, and finds it by the process that the session belongs to.
            folder = folder.absolute()
            os.chdir(folder)
        opened = client.post(
            "/v1/sessions",
            body={
                "kind": "host",
                "label": label,
                "owner_pid": os.getpid(),
                "ttl_seconds": _DAYS_SECONDS,
                "capabilities": ["actions:list", "actions:run", "approvals:poll", "llm:proxy"],
            },
        )
        reason = "the agent was not started"
        try:
            ended = _run(invocation, found, arguments, opened, client.get("/v1/providers")["items"], folder)
            reason = "the agent ended"
            if ended.interrupted is not None:
                reason = f"the launch was interrupted ({ended.interrupted.name})"
        finally:
            summary = end_session(client, str(opened["id"]), reason=reason)
    _say_if_interrupted(invocation, found.agent.name, ended)
    close(invocation, summary | {"agent": found.agent.name, "sandbox": False, "exit_code": ended.code})
    return ended.code


def _say_if_interrupted(invocation: "Invocation", agent: str, ended: Ended) -> None:
    if ended.interrupted is None:
        return
    further = f" {agent} went on, so it was ended with SIGTERM." if ended.insisted else ""
    invocation.output.note(f"Interrupted: {ended.interrupted.name} was passed on to {agent}.{further}")


def _run(
    invocation: "Invocation",
    found: "FoundAgent",
    arguments: Sequence[str],
    opened: Mapping[str, Any],
    providers: list[dict[str, Any]],
    folder: Path | None,
) -> Ended:
    inherited = {name: value for name, value in invocation.environ.items() if not name.startswith(_OURS)}
    home = Path(invocation.environ.get("HOME") or Path.home())
    with scratch(invocation.environ) as place_for_files:
        context = LaunchContext(
            executable=(found.executable,),
            version=found.version,
            arguments=tuple(arguments),
            # -P: a folder of that name where the agent happens to work must not be what runs.
            mcp_command=(sys.executable, "-P", "-m", "aileron_mcp"),
            agent_url=str(opened["agent_url"]),
            token=str(opened["token"]),
            session_id=str(opened["id"]),
            scratch=str(place_for_files),
            home=str(home),
            bound=frozenset(item["name"] for item in providers if item["bound"]),
            environment=inherited,
            existing=finding.read_files(found.agent, home, inherited),
            present=finding.list_entries(found.agent, home, inherited),
        )
        try:
            plan: LaunchPlan = found.agent.plan(context)
        except LaunchError as problem:
            raise CliFailure(str(problem)) from problem
        place(plan.files, place_for_files)
        for note in plan.notes:
            invocation.output.note(note)
        return run_agent(plan.argv, environment=inherited | dict(plan.environment), folder=folder)
