"""Writes docs/configuration.md from the model: `python -m daemon.base.settings_reference > docs/configuration.md`."""

import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.base.settings import Settings
from daemon.base.settings_sections import RuleSettings
from daemon.core.quantities import format_duration

_HEAD = """# Configuration

<!-- Made from the model by `python -m daemon.base.settings_reference`; a test compares.
Edit daemon/base/settings_sections.py instead. -->

A setting is taken from the environment, or else from `config.toml` in the home (`~/.aileron`, or what `AILERON_HOME`
names), or else it has its default. A key that is not known is an error that names the nearest known one. The daemon
reads its settings when it starts: `aileron stop`, and the next command starts it anew.

Durations are written like `30s`, `5m`, `24h`, `7d`.
"""

_RULES = """
## Unattended rules

For runs that nobody watches, such as a CI pipeline, decide beforehand:

    [approvals.rules.ship-update]
    decision = "allow"
    reason = "Releases of this pipeline are announced automatically."

`ask` makes an action wait for a person even if its file does not; `deny` refuses it; `allow` lets it run although its
file asks for approval, and the reason is written into the audit log with every such run.

Tools of MCP servers are named by the server's name and the server's own name of the tool, whatever name agents see:

    [approvals.rules."github__*"]
    decision = "ask"
    [approvals.rules.github__get_issue]
    decision = "allow"
    reason = "Reading issues is harmless."

`*` stands for every tool of the server, and for its resources and prompts. The rule of one tool goes before it, but a
`deny` always holds. A tool that is denied stays in the list: an agent that calls it is told the reason.
"""


def reference() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        parts.append(f"\n## `[{section}]`\n\n{model.__doc__}\n\n")
        parts.append(_table(section, model))
    parts.append(_RULES)
    parts.append("\n" + _table("approvals.rules.<tool>", RuleSettings))
    return "".join(parts)


def _table(section: str, model: type[BaseModel]) -> str:
    rows = ["| key | variable | default | what it does |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        variable = "" if "<" in section else f"`AILERON_{section}__{name}`".upper().replace("`aileron", "`AILERON")
        rows.append(f"| `{name}` | {variable} | {_default(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value: Any = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, dict) and value:
        shown = {
            name: v.model_dump(exclude_defaults=True) if isinstance(v, BaseModel) else v for name, v in value.items()
        }
        return f"`{json.dumps(shown)}`"
    if isinstance(value, float):
        return f"`{format_duration(value)}`"
    return f"`{value!r}`".replace("'", '"')


if __name__ == "__main__":
    sys.stdout.write(reference())
