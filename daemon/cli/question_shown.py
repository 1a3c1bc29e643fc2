"""Writes one question of a server to the terminal: who asks, for what, and every field. All of it is escaped."""

from collections.abc import Mapping
from typing import Any

from daemon.cli.approval_shown import write_lines
from daemon.cli.ids import short
from daemon.cli.invocation import Invocation
from daemon.cli.moments import age, time_left
from daemon.cli.rendering import neutralise, one_line

_KINDS = {
    "text": "a text",
    "number": "a number",
    "integer": "a whole number",
    "yes_or_no": "yes or no",
    "one_of": "one of these",
    "some_of": "any of these",
}
_UNITS = {"text": " characters", "some_of": " of them"}


def show_question(invocation: Invocation, item: Mapping[str, Any]) -> None:
    """Write a question, with the server's own words marked as such."""
    output, now = invocation.output, invocation.now()
    fields: list[tuple[str, Any]] = [
        ("question", item["id"]),
        ("asked by", f"the server {item['server']}, {_for_what(item)}"),
        ("called by", f"{item['called_by']}, session {item['session']}, {age(item['created_at'], now)}"),
        ("state", item["state"]),
    ]
    if item["state"] == "open":
        fields.append(("time left", time_left(item["expires_at"], now)))
    else:
        fields.append(("it", item["stands"]))
    output.fields(fields)
    output.line()
    output.heading("What the server says")
    write_lines(output, neutralise(item["message"], multiline=True))
    if item["url"]:
        output.line()
        output.heading("It wants you to open a page; nothing opens it but you")
        output.fields([("on the host", item["host"]), ("address", item["url"])])
    for each in item["fields"] or ():
        output.line()
        output.heading(one_line(each["name"]))
        title = [("title", each["title"])] if each["title"] else []
        said = [("described as", each["description"])] if each["description"] else []
        suggested = [("suggested", each["default"])] if each["default"] is not None else []
        output.fields([*title, *said, ("takes", takes(each)), *suggested])
        for number, choice in enumerate(each["choices"], start=1):
            more = "" if choice["title"] == choice["value"] else f"  {one_line(choice['title'])}"
            output.line(f"  {number:>3}  {one_line(choice['value'])}{more}")


def tools_of(item: Mapping[str, Any]) -> str:
    """Return the tools that a question may be for; a daemon of an older version names one."""
    return " or ".join(dict.fromkeys(str(each["tool"]) for each in item.get("calls") or [item]))


def _for_what(item: Mapping[str, Any]) -> str:
    calls = item.get("calls") or [item]
    if len(calls) == 1:
        return f"for its tool {item['tool']}"
    named = ", ".join(f"{each['tool']} ({short(each['execution'])})" for each in calls)
    return f"for one of these calls, and it does not say which: {named}"


def takes(field: Mapping[str, Any]) -> str:
    """Say what a field takes."""
    unit = _UNITS.get(field["kind"], "")
    said = [_KINDS[field["kind"]]]
    if field["format"]:
        said = [f"a text of the form {field['format']}"]
    if field["least"] is not None:
        said.append(f"at least {field['least']:,g}{unit}")
    if field["most"] is not None:
        said.append(f"at most {field['most']:,g}{unit}")
    said.append("required" if field["required"] else "may be left out")
    return ", ".join(said)
