"""Questions of servers in `aileron approval watch`: whoever watches sees them, and answers them with a command."""

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.cli.client import ControlClient
from daemon.cli.failure import CliFailure
from daemon.cli.ids import short
from daemon.cli.invocation import Invocation
from daemon.cli.question_shown import tools_of
from daemon.cli.rendering import one_line


def questions_of_servers(client: ControlClient) -> Sequence[dict[str, Any]]:
    """Return what waits for an answer; nothing of a daemon of an older version, which has no questions."""
    try:
        found: Sequence[dict[str, Any]] = client.get("/v1/questions", state="open", limit=1000)["items"]
    except CliFailure:
        return ()
    return found


def write_question(invocation: Invocation, item: Mapping[str, Any]) -> None:
    """Write that a question was asked or has ended."""
    output, identifier = invocation.output, str(item["id"])
    if not invocation.prompts.interactive:
        output.line(
            f"{one_line(item['created_at'])}  {one_line(identifier)}  {one_line(item['state'])}"
            f"  {one_line(item['tool'])}  {one_line(item['session'])}"
        )
    elif item["state"] == "open":
        server, tool = one_line(item["server"]), one_line(tools_of(item))
        output.note(
            f"The server {server} asks you something for {tool}: aileron question answer {short(identifier)}",
            style="yellow",
        )
    else:
        output.note(f"The question {short(identifier)}: {one_line(item['stands'])}", style="dim")
