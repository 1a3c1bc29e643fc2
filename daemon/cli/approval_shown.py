"""Writes one request for a decision to the terminal: what would be done, exactly, and who asks; hashes last.

All of it may come from a hostile agent, so all of it is escaped. Nothing is cut off: what is long is counted instead.
"""

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.cli.failure import CliFailure
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, time_left
from daemon.cli.rendering import Output, neutralise, one_line, pretty_json
from daemon.core.principal import in_words

if TYPE_CHECKING:
    from daemon.cli.client import ControlClient

_ACTION = "action"
"""The kind of tool that a file of the person defines."""

_MARGIN = "  | "
_LEAST_ROOM = 20
_SHORT = 60
_LONG_LINES = 20
_LONG_CHARACTERS = 1_000


def show_request(invocation: Invocation, client: "ControlClient", item: dict[str, Any]) -> bool:
    """Write everything a person needs to decide; say whether it could be shown whole, and so may be approved."""
    output, now = invocation.output, invocation.now()
    explanation = item["explanation"]
    # A tool of a server has no version and no file: its definition is what the server says of it.
    what, hashed = ("action", "action") if item["kind"] == _ACTION else ("tool", "definition")
    name = f"{item['action']} {item['action_version']}".strip()
    output.fields([("approval", item["id"]), (what, name), ("state", item["state"])])
    if explanation["complete"]:
        output.line()
        output.heading("What it says of itself")
        write_lines(output, neutralise(explanation["description"], multiline=True))
        for number, step in enumerate(explanation["steps"], start=1):
            _write_step(invocation, step, number, len(explanation["steps"]), item.get("accounts") or [])
    else:
        output.line()
        output.line(neutralise(explanation["message"]), style="bold red")
    _write_preview(invocation, client, item)
    output.line()
    output.heading("Who asks")
    asker = in_words(item["actor"], item["asked_with"])
    fields: list[tuple[str, Any]] = [
        ("asked by", f"{asker}, session {item['session']}, {age(item['created_at'], now)}")
    ]
    if item["state"] == "pending":
        fields.append(("time left", time_left(item["expires_at"], now)))
    if item.get("decided_at"):
        reason = f": {item['decision_reason']}" if item.get("decision_reason") else ""
        decider = in_words(item["decided_by"], item["decided_with"])
        fields.append(("decided", f"by {decider}, {age(item['decided_at'], now)}{reason}"))
    output.fields(fields)
    output.line()
    output.heading("Arguments")
    write_lines(output, pretty_json(item["arguments"]))
    if item.get("outcome"):
        output.line()
        output.heading("Outcome")
        output.line(pretty_json(item["outcome"]))
    output.line()
    output.heading("Hashes")
    beside = [("connector" if item["kind"] == _ACTION else "server", ref) for ref in item["connectors"]]
    output.fields([(hashed, item["action_hash"]), *beside, ("digest", item["digest"])])
    return bool(explanation["complete"])


def _write_step(
    invocation: Invocation, step: Mapping[str, Any], number: int, of: int, accounts: Sequence[Mapping[str, Any]]
) -> None:
    output = invocation.output
    connector = step["connector"]
    output.line()
    output.heading(f"Step {number} of {of}: {one_line(step['id'])}")
    says = f": {step['op_description']}" if step["op_description"] else ""
    effect = "doing it again changes nothing more" if step["may_repeat"] else "each time it is done counts"
    output.fields(
        [
            ("operation", f"{step['op']}{says}"),
            (step["doer"], "@".join(filter(None, (connector["name"], connector["version"])))),
            ("may reach", step["hosts"] or step["reach"]),
            ("account", _account(connector["name"], accounts) or step["acts_as"]),
            ("effect", f"{effect} ({step['capability']})"),
        ]
    )
    for given in step["inputs"]:
        texts = [part["text"] for part in given["parts"] if "text" in part]
        characters, lines = sum(map(len, texts)), 1 + sum(text.count("\n") for text in texts)
        long = characters > _LONG_CHARACTERS or lines > _LONG_LINES
        count = f" ({characters:,} characters on {lines:,} lines, all of it here)" if long else ""
        output.line(f"{one_line(given['name'])}{count}:")
        write_lines(output, "".join(map(_piece, given["parts"])))


def _account(connector: str, accounts: Sequence[Mapping[str, Any]]) -> str:
    for account in accounts:
        if account["connector"] == connector:
            return f"{account['name']} ({account['kind']}, version {account['version']})"
    return ""


def write_lines(output: Output, text: str) -> None:
    """Write a text that was made safe, each line of the screen with a mark in front.

    A line that the terminal broke by itself would begin without the mark, and could be made to look like ours.
    """
    room = shutil.get_terminal_size().columns - len(_MARGIN) if output.terminal else 0
    for line in text.split("\n"):
        for row in _rows(line, room):
            output.line(f"{_MARGIN}{row}")


def _rows(line: str, room: int) -> Sequence[str]:
    if room < _LEAST_ROOM or len(line) * 2 <= room:
        return [line]
    from rich.cells import chop_cells

    return chop_cells(line, room) or [""]


def _piece(part: Mapping[str, str]) -> str:
    """Return one piece of an input; no text can look like a place that the result of a step will fill."""
    if "text" in part:
        return neutralise(part["text"], multiline=True).replace("⟦", "\\u27e6").replace("⟧", "\\u27e7")
    return f"⟦result of step {one_line(part['step'])}: {one_line(part['path'])}⟧"


def _write_preview(invocation: Invocation, client: "ControlClient", item: dict[str, Any]) -> None:
    if item["state"] != "pending" or not item["explanation"]["complete"]:
        return
    output = invocation.output
    try:
        with output.progress("Asking the service for a preview"):
            preview = client.get("/v1/approvals/{}/preview", str(item["id"]))
    except CliFailure as failure:
        preview = {"available": False, "fields": [], "message": failure.message}
    if not preview["available"]:
        if preview.get("message"):
            output.line()
            output.line(f"No preview: {neutralise(preview['message'])}", style="dim")
        return
    output.line()
    output.heading("What the service says about it")
    for field in preview["fields"]:
        value = field["value"]
        if isinstance(value, str) and (field.get("multiline") or len(value) > _SHORT):
            output.line(f"{neutralise(field['label'])}:")
            write_lines(output, neutralise(value, multiline=True))
        else:
            output.fields([(one_line(field["label"]), value)])
